package analyze

import (
	"time"

	"utrace/format"
)

// maxExamples is how many of the slowest calls are candidates for the examples of an Explanation.
const maxExamples = 50

// tails is the view that finds the durations and the slowest of the outermost calls of functions.
type tails struct {
	opts  *Options
	file  int
	funcs []*tail // by function; nil for one that is not selected
}

// tail is the durations of a function's outermost calls, and the slowest calls.
type tail struct {
	Stats
	slowest   ranking
	functions []functionIn // which it is, in the traces
}

// functionIn is a function of a trace.
type functionIn struct {
	file int
	fn   format.FuncID
}

func newTail() *tail { return &tail{slowest: ranking{max: maxExamples}} }

func (t *tails) define(funcs []format.Func) {
	for i := len(t.funcs); i < len(funcs); i++ {
		var of *tail
		if t.opts.Function.function(&funcs[i]) {
			of = newTail()
		}
		t.funcs = append(t.funcs, of)
	}
}

func (t *tails) enter(th *thread, f, _ *frame) { f.node = th.nextNumber() }

func (t *tails) hit(th *thread, _ *frame) { th.nextNumber() }

func (t *tails) leave(th *thread, f *frame, state State) {
	of := t.funcs[f.fn]
	if of == nil || f.outer != none || f.place.Unfair || t.opts.outside(f.startNs) || t.opts.short(th, f, state) {
		return
	}
	d := f.durationNs(th)
	switch {
	case state == Cut && !f.uncertain:
		of.Censored.Add(time.Duration(d))
	case state != Complete:
	case f.uncertain:
		of.Uncertain++
	default:
		of.Durations.Add(time.Duration(d))
		of.slowest.add(rankedCall{callKey{th.id, f.node, f.startNs}, d, t.file, f.fn})
	}
}

// merge adds the calls of the same function from elsewhere.
func (t *tail) merge(other *tail) {
	t.Stats.Merge(&other.Stats)
	t.slowest.merge(&other.slowest)
}
