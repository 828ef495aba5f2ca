package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"utrace/format"
)

// SlowCalls are the slowest calls of traces, slowest first. The same traces give the same
// SlowCalls.
type SlowCalls struct {
	Calls     []SlowCall
	Of        uint64 // complete calls of the selected functions
	Uncertain uint64 // further ones of unknown duration, during which events were lost
	Trace     Trace
	Warnings  []Warning
}

// SlowCall is a call with the flow below it.
type SlowCall struct {
	File     string // its trace
	Function *format.Func
	Module   string // path
	Process  string // name of the program
	Thread   format.Thread
	Start    time.Duration // since the start of its trace
	Began    time.Time
	Duration time.Duration
	// Args and Results are the values of the call, written as in C; "" for none.
	Args, Results string
	Sched         bool // the scheduler was recorded: the next two are known
	Waits         Waits
	Longest       Wait // the longest time that it was blocked without a break
	// Flow is the call and the steps below it, in order of time. If these are many, it holds the
	// longest calls and those around them.
	Flow       []Step
	Omitted    uint64        // calls and hits below it that Flow does not hold
	OmittedMax time.Duration // the duration of the longest of them
}

// Slowest finds the n slowest complete calls of the selected functions. It reads each trace twice:
// the first pass finds the calls, the second the flows below them. Memory grows with n, threads and
// the depth of their stacks.
func Slowest(paths []string, n int, opts Options) (*SlowCalls, error) {
	sum := newSummary(paths)
	all := &ranking{max: n}
	for i, path := range paths {
		src, err := openSource(path, &opts)
		if err != nil {
			return nil, err
		}
		views := make([]view, shards())
		for k := range views {
			views[k] = &slowest{opts: &opts, ranking: ranking{max: n}, file: i}
		}
		t, err := src.pair(&opts, format.Columns{}, views)
		src.close()
		if err != nil {
			return nil, err
		}
		sum.add(path, src, t, &opts)
		sum.warnDropped(path, src, &opts)
		for _, v := range views {
			all.merge(&v.(*slowest).ranking)
		}
	}
	all.cut()
	if len(all.calls) == 0 && all.uncertain == 0 {
		sum.warnNothing(&opts)
	}
	result := &SlowCalls{Calls: make([]SlowCall, len(all.calls)), Of: all.of, Uncertain: all.uncertain}
	for i, path := range paths {
		if err := collectFlows(path, i, &opts, all.calls, result.Calls); err != nil {
			return nil, err
		}
	}
	result.Trace, result.Warnings = sum.result(), sum.warnings
	return result, nil
}

// collectFlows completes the calls of one trace, and puts them into list at their ranks.
func collectFlows(path string, file int, opts *Options, ranked []rankedCall, list []SlowCall) error {
	flows := map[callKey]*callFlow{}
	for _, c := range ranked {
		if c.file == file {
			flows[c.callKey] = &callFlow{}
		}
	}
	if len(flows) == 0 {
		return nil
	}
	src, err := openSource(path, opts)
	if err != nil {
		return err
	}
	defer src.close()
	views := make([]view, shards())
	for i := range views {
		views[i] = newSlowFlows(flows)
	}
	if _, err := src.pair(opts, format.Columns{Args: true}, views); err != nil {
		return err
	}
	for i, c := range ranked {
		if c.file != file {
			continue
		}
		if list[i], err = src.slowCall(&c, flows[c.callKey]); err != nil {
			return err
		}
	}
	return nil
}

// slowCall describes a call of the trace, which was read to its end.
func (s *source) slowCall(c *rankedCall, flow *callFlow) (SlowCall, error) {
	if int(c.thread) >= len(s.tables.Threads) || int(c.fn) >= len(s.tables.Funcs) {
		return SlowCall{}, fmt.Errorf("%s has changed while it was read", FileName(s.path))
	}
	fn := &s.tables.Funcs[c.fn]
	call := SlowCall{
		File: FileName(s.path), Function: fn, Module: s.tables.Modules[fn.Module].Path,
		Process: s.processes[c.thread].Comm, Thread: s.tables.Threads[c.thread],
		Start: time.Duration(c.startNs), Duration: time.Duration(c.durationNs),
		Sched: s.meta.Sched, Waits: flow.waits, Longest: flow.longest,
		Began: time.Unix(0, s.meta.Start.WallNs).UTC().Add(time.Duration(c.startNs)),
	}
	call.Flow = flow.steps(c.thread, s.tables)
	call.Omitted, call.OmittedMax = flow.omitted, time.Duration(flow.omittedNs)
	if n := len(call.Flow); n > 0 {
		call.Args, call.Results = call.Flow[0].Args, call.Flow[n-1].Results
	}
	return call, nil
}

// callKey finds a call again in another pass over its trace. The calls and hits of a thread are
// numbered.
type callKey struct {
	thread  format.ThreadID
	number  uint32
	startNs int64
}

type rankedCall struct {
	callKey
	durationNs int64
	file       int
	fn         format.FuncID
}

func compareSlowness(a, b rankedCall) int {
	return cmp.Or(cmp.Compare(b.durationNs, a.durationNs), cmp.Compare(a.file, b.file), cmp.Compare(a.startNs, b.startNs),
		cmp.Compare(a.thread, b.thread), cmp.Compare(a.number, b.number))
}

// ranking keeps the slowest calls. It is cut to max entries whenever it reaches twice max.
type ranking struct {
	max       int
	of        uint64 // calls that were added
	uncertain uint64 // calls that were not, of unknown duration
	minNs     int64  // calls that are faster need not be added
	calls     []rankedCall
}

func (r *ranking) add(c rankedCall) {
	if r.of++; c.durationNs < r.minNs {
		return
	}
	if r.calls = append(r.calls, c); len(r.calls) >= 2*r.max {
		r.cut()
	}
}

func (r *ranking) cut() {
	slices.SortFunc(r.calls, compareSlowness)
	if len(r.calls) > r.max {
		r.calls = r.calls[:r.max]
		r.minNs = r.calls[r.max-1].durationNs
	}
}

func (r *ranking) merge(part *ranking) {
	for _, c := range part.calls {
		r.add(c)
	}
	r.of += part.of - uint64(len(part.calls))
	r.uncertain += part.uncertain
}

// slowest is the view that finds the slowest calls.
type slowest struct {
	ranking
	opts    *Options
	matches []bool // by function
	file    int
}

func (s *slowest) define(funcs []format.Func) {
	for len(s.matches) < len(funcs) {
		s.matches = append(s.matches, s.opts.Function.function(&funcs[len(s.matches)]))
	}
}

func (s *slowest) enter(t *thread, f, _ *frame) { f.node = t.nextNumber() }

func (s *slowest) hit(t *thread, _ *frame) { t.nextNumber() }

func (s *slowest) leave(t *thread, f *frame, state State) {
	switch {
	case state != Complete || !s.matches[f.fn] || s.opts.outside(f.startNs) || s.opts.short(t, f, state):
	case f.uncertain:
		s.uncertain++
	default:
		s.add(rankedCall{callKey{t.id, f.node, f.startNs}, f.durationNs(t), s.file, f.fn})
	}
}

// nextNumber numbers the calls and hits of a thread.
func (t *thread) nextNumber() uint32 {
	t.root++
	return t.root
}
