package analyze

import (
	"time"

	"utrace/format"
)

// Stats are the figures of one function. The zero value has no calls.
type Stats struct {
	Calls      uint64        // entries seen, and hits
	Incomplete uint64        // those of the entries whose own return was not seen
	Total      time.Duration // once per outermost call of a recursive function
	Self       time.Duration // without the traced callees
	Durations  Histogram     // of the complete calls
	Waits      Waits         // in Total; see Trace.Sched
	SelfWaits  Waits         // in Self
}

// CPU returns the part of Total that was spent on a processor.
func (s *Stats) CPU() time.Duration { return s.Waits.CPU(s.Total) }

// SelfCPU returns the part of Self that was spent on a processor.
func (s *Stats) SelfCPU() time.Duration { return s.SelfWaits.CPU(s.Self) }

// Merge adds the figures of the same function from elsewhere.
func (s *Stats) Merge(other *Stats) {
	s.Calls += other.Calls
	s.Incomplete += other.Incomplete
	s.Total += other.Total
	s.Self += other.Self
	s.Durations.Merge(&other.Durations)
	s.Waits.Add(other.Waits)
	s.SelfWaits.Add(other.SelfWaits)
}

// latency is the view that sums up the calls of each function.
type latency struct {
	opts    *Options
	stats   []*callStats // by function, nil for those never called
	tooDeep uint64       // incomplete calls that the kernel's limit explains
}

// callStats are the figures of a function, and the processes that called it.
type callStats struct {
	Stats
	last int // PID
	pids map[int]bool
}

func (l *latency) define(funcs []format.Func) {
	l.stats = append(l.stats, make([]*callStats, len(funcs)-len(l.stats))...)
}

func (l *latency) of(t *thread, fn format.FuncID) *Stats {
	s := l.stats[fn]
	if s == nil {
		s = &callStats{pids: map[int]bool{}}
		l.stats[fn] = s
	}
	if pid := t.info.PID; s.last != pid {
		s.last = pid
		s.pids[pid] = true
	}
	return &s.Stats
}

func (l *latency) enter(*thread, *frame, *frame) {}

func (l *latency) hit(t *thread, fn format.FuncID) {
	if !l.opts.outside(t.nowNs) {
		l.of(t, fn).Calls++
	}
}

// leave counts a call. The total of a recursive function is that of its
// outermost call if that one is complete (and selected), else that of the
// outermost ones inside it that are.
func (l *latency) leave(t *thread, f *frame, state State) {
	inner := f.innerNs
	if t.sched != nil {
		l.leaveWaits(t, f, state)
	}
	if !l.opts.outside(f.startNs) {
		s := l.of(t, f.fn)
		s.Calls++
		if state == Complete {
			inner = f.durationNs(t)
			s.Durations.Add(time.Duration(inner))
			s.Self += time.Duration(f.selfNs(t))
		} else {
			s.Incomplete++
			if f.returns > maxReturnProbes && !f.noReturn {
				l.tooDeep++
			}
		}
	}
	if inner == 0 {
		return
	}
	if f.outer == none {
		l.of(t, f.fn).Total += time.Duration(inner)
	} else {
		t.frames[f.outer].innerNs += inner
	}
}

// leaveWaits does for the waits of a call what leave does for its time.
func (l *latency) leaveWaits(t *thread, f *frame, state State) {
	if n := len(t.frames); n == 0 || f != &t.frames[n-1] { // one that was skipped
		return
	}
	inner := t.sched.frames[len(t.sched.frames)-1].inner
	if state == Complete && !l.opts.outside(f.startNs) {
		total, self := t.sched.waits()
		inner = total
		l.of(t, f.fn).SelfWaits.Add(self)
	}
	switch {
	case inner == Waits{}:
	case f.outer == none:
		l.of(t, f.fn).Waits.Add(inner)
	default:
		t.sched.frames[f.outer].inner.Add(inner)
	}
}
