//go:build linux

package threads

import (
	"testing"

	"utrace/format"
)

// definer counts definitions.
type definer struct{ threads, processes int }

func (d *definer) AddProcess(format.Process) { d.processes++ }
func (d *definer) AddThread(format.Thread) format.ThreadID {
	d.threads++
	return format.ThreadID(d.threads - 1)
}

// TestForget: threads, goroutines and processes that are forgotten are defined again with their next
// event, others keep their numbers.
func TestForget(t *testing.T) {
	const p, q = noPID + 1, noPID + 2
	var d definer
	set := NewSet(&d)
	kept, thread, goroutine := set.ID(p, p, 0, 1), set.ID(q, q, 0, 1), set.ID(q, q, 7, 1)
	set.Settle()
	set.Forget(func(id format.ThreadID) bool { return id == kept })
	if n := len(set.routines); n != 0 {
		t.Errorf("%d goroutines are remembered", n)
	}
	if set.HasID(q, q, 0, 2) || set.HasID(q, q, 7, 2) || !set.HasID(p, p, 0, 2) {
		t.Error("the wrong threads are remembered")
	}
	if again := set.ID(p, p, 0, 2); again != kept {
		t.Errorf("the kept thread has number %d, had %d", again, kept)
	}
	if a, b := set.ID(q, q, 0, 2), set.ID(q, q, 7, 2); a == thread || b == goroutine {
		t.Errorf("forgotten threads have numbers %d and %d again", a, b)
	}
	if d.threads != 5 || d.processes != 3 {
		t.Errorf("%d threads and %d processes were defined, want 5 and 3", d.threads, d.processes)
	}
}
