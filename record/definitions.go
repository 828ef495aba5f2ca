//go:build linux

package record

import (
	"sync"

	"utrace/format"
	"utrace/record/internal/survey"
)

// definitions is a queue of definitions from other goroutines. The writer of the trace belongs to
// the drainer, which takes them from here.
type definitions struct {
	mu    sync.Mutex
	queue []func(*catalog)
}

// add has fn write definitions, in the order of the calls to add. They precede any event that
// occurs after add has returned.
func (d *definitions) add(fn func(*catalog)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue = append(d.queue, fn)
}

// AddWindow implements survey.Trace.
func (d *definitions) AddWindow(set *survey.Set, window format.Window) {
	d.add(func(c *catalog) {
		window.Set = set.Define(c.addSet)
		c.w.AddWindow(window)
	})
}

// AddSurvey implements survey.Trace.
func (d *definitions) AddSurvey(m survey.Module, counters format.Survey) {
	d.add(func(c *catalog) {
		counters.Module = c.funcs[m.First].module
		c.w.AddSurvey(counters)
	})
}

func (d *definitions) write(c *catalog) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, fn := range d.queue {
		fn(c)
	}
	d.queue = d.queue[:0]
}
