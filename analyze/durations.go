package analyze

import (
	"time"

	"utrace/format"
)

// Durations returns the distribution of all calls that Flow would visit. It also returns the number
// of its other steps: hits, and calls whose return was not seen. The function keep chooses the
// functions that count; nil: all.
func Durations(paths []string, opts Options, keep func(*format.Func) bool) (*Histogram, uint64, error) {
	sum, others := new(Histogram), uint64(0)
	for _, path := range paths {
		src, err := openSource(path, &opts)
		if err != nil {
			return nil, 0, err
		}
		views := make([]view, shards())
		for i := range views {
			views[i] = &callDurations{selection: selection{opts: &opts}, keep: keep}
		}
		_, err = src.pair(&opts, format.Columns{}, views)
		src.close()
		if err != nil {
			return nil, 0, err
		}
		for _, v := range views {
			sum.Merge(&v.(*callDurations).durations)
			others += v.(*callDurations).others
		}
	}
	return sum, others, nil
}

// callDurations is the view that Durations uses.
type callDurations struct {
	selection
	keep      func(*format.Func) bool
	kept      []bool // by function
	durations Histogram
	others    uint64
}

func (c *callDurations) define(funcs []format.Func) {
	c.selection.define(funcs)
	for i := len(c.kept); i < len(funcs); i++ {
		c.kept = append(c.kept, c.keep == nil || c.keep(&funcs[i]))
	}
}

func (c *callDurations) enter(_ *thread, f, parent *frame) { c.selection.enter(f, parent) }

func (c *callDurations) leave(t *thread, f *frame, state State) {
	switch {
	case f.hidden || !c.kept[f.fn] || c.opts.short(t, f, state):
	case state == Complete:
		c.durations.Add(time.Duration(f.durationNs(t)))
	default:
		c.others++
	}
}

func (c *callDurations) hit(t *thread, f *frame) {
	var parent *frame
	if n := len(t.frames); n > 0 {
		parent = &t.frames[n-1]
	}
	if c.selection.enter(f, parent); !f.hidden && c.kept[f.fn] && c.opts.Min == 0 {
		c.others++
	}
}
