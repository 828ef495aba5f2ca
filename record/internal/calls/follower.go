package calls

import (
	"cmp"
	"slices"

	"utrace/format"
)

// Follower puts the events of a batch in order and pairs them. Add may be called with the events of
// a thread in any order. Settle ends the batch: later events must not be older.
type Follower struct {
	Pairer
	Entered  func(e *format.Event, args string) // an entry or a hit, unless nil
	Returned func(c *Call)
	// Follows reports whether calls of a function are paired. Entries of others only show which
	// calls are over.
	Follows func(fn format.FuncID) bool

	pending []event
}

type event struct {
	format.Event
	args string
}

// Add takes an event of the batch. Rows of the scheduler and samples must not be passed.
func (f *Follower) Add(e *format.Event, args string) {
	f.pending = append(f.pending, event{*e, args})
}

// Settle pairs the events of the batch.
func (f *Follower) Settle() {
	slices.SortStableFunc(f.pending, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.Thread, b.Thread), cmp.Compare(a.TimeNs, b.TimeNs))
	})
	for i := range f.pending {
		e := &f.pending[i]
		switch {
		case e.Kind == format.Exit:
			f.Exit(e.Thread)
		case e.Kind.IsEntry() && !f.Follows(e.Func):
			f.Unwind(&e.Event)
		case e.Kind.IsEntry():
			f.Enter(&e.Event, e.args)
			f.entered(e)
		case e.Kind == format.Hit:
			f.entered(e)
		default:
			if c, ok := f.Return(&e.Event, e.args); ok {
				f.Returned(&c)
			}
		}
	}
	clear(f.pending) // values
	f.pending = f.pending[:0]
}

func (f *Follower) entered(e *event) {
	if f.Entered != nil {
		f.Entered(&e.Event, e.args)
	}
}
