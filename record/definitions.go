//go:build linux

package record

import (
	"sync"
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

func (d *definitions) write(c *catalog) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, fn := range d.queue {
		fn(c)
	}
	d.queue = d.queue[:0]
}
