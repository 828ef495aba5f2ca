package render

import (
	"time"

	"utrace/analyze"
)

// outerCall is the outermost call of a thread that is open or, without one, the last that was.
type outerCall struct {
	pid     int
	at, end time.Duration
	open    bool
}

// around reports whether the call was going on.
func (c *outerCall) around(at time.Duration) bool { return c.at <= at && (c.open || at <= c.end) }

// wakeArrows are the arrows from threads that wake others to those that are woken: pairs of flow
// events. Each end of an arrow belongs to a call, so there is none to or from a thread that is in
// no call. Goroutines have none, since the scheduler does not know them.
type wakeArrows struct {
	outer map[int]*outerCall // by thread ID
	next  uint64             // number of the last arrow
}

// enter and leave keep the outermost call of a thread.
func (a *wakeArrows) enter(s *analyze.Step, pid int) {
	if s.Thread.Goroutine == 0 && s.Thread.Track == 0 {
		a.outer[s.Thread.TID] = &outerCall{pid: pid, at: s.At, open: true}
	}
}

func (a *wakeArrows) leave(s *analyze.Step) {
	if s.Thread.Goroutine == 0 && s.Thread.Track == 0 {
		c := a.outer[s.Thread.TID]
		c.open, c.end = false, s.At
	}
}

// events returns the two ends of the arrow to a thread that has waited, none if it is not known who
// woke it.
func (a *wakeArrows) events(s *analyze.Step, pid int) []traceEvent {
	waker, woken := s.Wait.Waker, s.At-s.Wait.Runnable
	if !waker.Known || waker.Interrupt {
		return nil
	}
	from := a.outer[waker.TID]
	if from == nil || !from.around(woken) {
		return nil
	}
	a.next++
	return []traceEvent{
		{Name: "wakeup", Category: "sched", Phase: "s", ID: a.next, TsUs: microseconds(woken), PID: from.pid, TID: waker.TID},
		{Name: "wakeup", Category: "sched", Phase: "f", Binding: "e", ID: a.next, TsUs: microseconds(s.At), PID: pid, TID: tid(s)},
	}
}
