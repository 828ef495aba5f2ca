//go:build linux

package live

import (
	"maps"
	"time"

	"utrace/format"
	"utrace/record/internal/calls"
)

// Observer gets the calls of a recording. Its methods are called by one goroutine, and must return
// soon: meanwhile no events are read.
type Observer interface {
	// Define passes the next function, numbered from 0, and the path of its file.
	Define(fn format.Func, path string)
	// Entered passes an entry or a hit, Returned the end of a complete call. The duration is as
	// measured: it has a part of the cost of its probes.
	Entered(fn format.FuncID)
	Returned(fn format.FuncID, took time.Duration, failed bool)
	// Lost passes how many events were lost. Calls that were open then have no end.
	Lost(events uint64)
	// Probed says that functions were probed from one time to another, since the start. It is not
	// called for functions that are probed all the time.
	Probed(fns []format.FuncID, from, to time.Duration)
	// Settled says that all calls up to about now have been passed.
	Settled(now time.Time)
}

// Sink takes events, and has the methods of a format.Writer that a recording needs. All its methods
// belong to one goroutine.
type Sink struct {
	observer Observer
	follower calls.Follower

	modules []format.Module
	funcs   []format.Func
	sets    map[format.SetID]*set
	nextSet format.SetID
	seen    []bool // by ThreadID: it had events since the last Sweep
	used    []bool // by ThreadID: the number is taken
	free    []format.ThreadID

	events, entries, sched uint64
	threads                int    // over all time
	latestNs               uint64 // the end of the last window
}

// maxSets limits the sets of functions that are kept. A survey adds some a second.
const maxSets = 1 << 14

// set is a set of functions that are probed at the same times.
type set struct {
	funcs []format.FuncID
	toNs  uint64 // the end of its last window
}

// NewSink returns a Sink for the calls of a recording.
func NewSink(o Observer) *Sink {
	s := &Sink{observer: o, sets: map[format.SetID]*set{}}
	s.follower = calls.Follower{
		Follows: func(format.FuncID) bool { return true },
		Entered: func(e *format.Event, _ string) { o.Entered(e.Func) },
		Returned: func(c *calls.Call) {
			if !c.Dropped {
				o.Returned(c.Func, time.Duration(c.DurationNs()), calls.Failed(&s.funcs[c.Func], c.Results))
			}
		},
	}
	return s
}

// AddModule implements a format.Writer's method, as do the following.
func (s *Sink) AddModule(m format.Module) format.ModuleID {
	s.modules = append(s.modules, m)
	return format.ModuleID(len(s.modules) - 1)
}

// AddFunc defines a function.
func (s *Sink) AddFunc(fn format.Func) format.FuncID {
	s.funcs = append(s.funcs, fn)
	s.follower.Define(&fn)
	s.observer.Define(fn, s.modules[fn.Module].Path)
	return format.FuncID(len(s.funcs) - 1)
}

// AddThread defines a thread. It may get the number of one that is forgotten.
func (s *Sink) AddThread(format.Thread) (id format.ThreadID) {
	s.threads++
	if n := len(s.free); n > 0 {
		id, s.free = s.free[n-1], s.free[:n-1]
	} else {
		id = format.ThreadID(len(s.used))
		s.used, s.seen = append(s.used, false), append(s.seen, false)
	}
	s.used[id], s.seen[id] = true, true
	return id
}

// AddLoss reports lost events.
func (s *Sink) AddLoss(l format.Loss) {
	s.follower.Forget()
	s.observer.Lost(l.Entries + l.Returns)
}

// AddProbeSet defines a set of functions.
func (s *Sink) AddProbeSet(p format.ProbeSet) (id format.SetID) {
	id = s.nextSet
	s.nextSet++
	s.sets[id] = &set{p.Funcs, s.latestNs}
	if len(s.sets) > maxSets {
		maps.DeleteFunc(s.sets, func(_ format.SetID, old *set) bool { return old.toNs+uint64(time.Minute) < s.latestNs })
	}
	return id
}

// AddWindow reports when the functions of a set were probed.
func (s *Sink) AddWindow(w format.Window) {
	s.latestNs = max(s.latestNs, w.ToNs)
	if set := s.sets[w.Set]; set != nil {
		set.toNs = w.ToNs
		s.observer.Probed(set.funcs, time.Duration(w.FromNs), time.Duration(w.ToNs))
	}
}

// AddProcess and the following do nothing: there is no trace that needs them.
func (s *Sink) AddProcess(format.Process)            {}
func (s *Sink) AddLeftOut(format.LeftOut)            {}
func (s *Sink) AddDropped(format.Dropped)            {}
func (s *Sink) AddSurvey(format.Survey)              {}
func (s *Sink) AddCalibration(format.Calibration)    {}
func (s *Sink) AddStack(format.Stack) format.StackID { return 0 }

// Append adds an event.
func (s *Sink) Append(e *format.Event) error { return s.AppendArgs(e, "") }

// AppendArgs adds an event with values, a JSON array.
func (s *Sink) AppendArgs(e *format.Event, args string) error {
	s.seen[e.Thread] = true
	switch {
	case e.Kind == format.Sample:
		return nil
	case e.Kind.IsSched():
		s.sched++
		return nil
	case e.Kind.IsEntry():
		s.entries++
		args = ""
	}
	if e.Kind != format.Exit {
		s.events++
	}
	s.follower.Add(e, args)
	return nil
}

// Flush passes on what has arrived.
func (s *Sink) Flush() error {
	s.follower.Settle()
	s.observer.Settled(time.Now())
	return nil
}

// Keeps reports whether a thread has open calls, or has had events since the last Sweep.
func (s *Sink) Keeps(id format.ThreadID) bool {
	return s.seen[id] || len(s.follower.Open(id)) > 0
}

// Sweep forgets the threads that Keeps denies. Whoever has their numbers must have forgotten them.
func (s *Sink) Sweep() {
	for id := range s.used {
		if s.used[id] && !s.Keeps(format.ThreadID(id)) {
			s.used[id] = false
			s.free = append(s.free, format.ThreadID(id))
		}
		s.seen[id] = false
	}
}

// Close passes on what has arrived.
func (s *Sink) Close(format.End) error { return s.Flush() }

// Events returns the number of events, and how many of them were entries.
func (s *Sink) Events() (events, entries uint64) { return s.events, s.entries }

// Sched returns the number of rows of the scheduler, Threads that of threads, Size 0.
func (s *Sink) Sched() uint64    { return s.sched }
func (s *Sink) Threads() int     { return s.threads }
func (s *Sink) Size() int64      { return 0 }
func (s *Sink) Pending() int     { return 0 }
func (s *Sink) PendingArgs() int { return 0 }
