package analyze

import (
	"math"
	"time"

	"utrace/format"
)

// Stats are the figures of one function. The zero value has no calls. If the function was probed
// in windows, calls, times and errors are estimates for the whole recording.
type Stats struct {
	Calls      uint64        // entries seen, and hits
	CallsError uint64        // half of the 95% interval of Calls; 0: it is exact
	Recorded   uint64        // calls and hits in the files
	Incomplete uint64        // those of the recorded calls whose own return was not seen
	Cut        uint64        // those of Incomplete whose window ended first
	Total      time.Duration // a recursive function counts once per outermost call
	Errors     uint64        // complete calls that have failed, see ErrorRule
	Self       time.Duration // without the traced callees
	Subtracted time.Duration // cost of probes, from the calls in Durations
	Exposed    time.Duration // of the same calls: other threads were in probes, and perhaps waited for
	Durations  Histogram     // of the complete calls that are neither uncertain nor dropped
	Censored   Histogram     // how long calls had taken when their windows ended
	TotalError time.Duration // half of the 95% interval of Total
	// SelfAtMost: the callees of some calls are unknown. Self contains their time.
	SelfAtMost bool
	// Uncertain are complete calls during which events were lost, perhaps their own returns and the
	// entries of other calls. They took UncertainTime, as each was measured. Total contains
	// UncertainTotal of it.
	Uncertain                     uint64
	UncertainTime, UncertainTotal time.Duration
	// Dropped are calls that did not meet a condition which is decided at the return, such as a
	// minimum duration. Calls contains them.
	Dropped           uint64
	DroppedSum        time.Duration // how long they took
	DroppedIncomplete uint64        // further ones, whose return was not seen; Incomplete contains them
	Waits             Waits         // in Total; see Trace.Sched
	SelfWaits         Waits         // in Self
}

// CPU returns the part of Total that was spent on a processor.
func (s *Stats) CPU() time.Duration { return s.Waits.CPU(s.Total) }

// SelfCPU returns the part of Self that was spent on a processor.
func (s *Stats) SelfCPU() time.Duration { return s.SelfWaits.CPU(s.Self) }

// Merge adds the figures of the same function from elsewhere.
func (s *Stats) Merge(other *Stats) {
	s.Calls += other.Calls
	s.CallsError = whole(math.Hypot(float64(s.CallsError), float64(other.CallsError)))
	s.Recorded += other.Recorded
	s.Incomplete += other.Incomplete
	s.Cut += other.Cut
	s.Errors += other.Errors
	s.Total += other.Total
	s.Self += other.Self
	s.TotalError = nanoseconds(math.Hypot(float64(s.TotalError), float64(other.TotalError)))
	s.SelfAtMost = s.SelfAtMost || other.SelfAtMost
	s.Durations.Merge(&other.Durations)
	s.Censored.Merge(&other.Censored)
	s.Subtracted += other.Subtracted
	s.Exposed += other.Exposed
	s.Uncertain += other.Uncertain
	s.UncertainTime += other.UncertainTime
	s.UncertainTotal += other.UncertainTotal
	s.Waits.Add(other.Waits)
	s.SelfWaits.Add(other.SelfWaits)
	s.Dropped += other.Dropped
	s.DroppedSum += other.DroppedSum
	s.DroppedIncomplete += other.DroppedIncomplete
}

// drop adds dropped calls: a trace has only their number and times.
func (s *Stats) drop(d *format.Dropped) {
	ns := func(v uint64) time.Duration { return time.Duration(min(v, maxTimeNs)) }
	s.Calls += d.Complete + d.Incomplete
	s.Incomplete += d.Incomplete
	s.Dropped += d.Complete
	s.DroppedIncomplete += d.Incomplete
	s.DroppedSum += ns(d.SumNs)
	s.Total += ns(d.TotalNs)
	s.Self += ns(d.SelfNs)
	s.Waits.Unknown += ns(d.TotalNs)
	s.SelfWaits.Unknown += ns(d.SelfNs)
	if d.InsideNs > 0 { // may be more than there is, if returns of the calls around were lost
		s.Self = max(0, s.Self-ns(d.InsideNs))
		if s.SelfWaits.sum() > s.Self {
			s.SelfWaits = Waits{Unknown: s.Self}
		}
	}
}

// latency is the view that sums up the calls of each function.
type latency struct {
	opts     *Options
	matches  []bool // by function: whether it is selected
	groups   *grouping
	checks   []*errorCheck // by function, nil for those whose calls cannot fail
	stats    []*callStats  // by group, nil for those never called
	thread   *thread       // the latest one
	program  *Program      // of that thread
	programs map[Program]*Program
	tooDeep  uint64 // incomplete calls that the kernel's limit explains
}

// callStats are the figures of a group, and the programs that called it. The fields that each call
// needs come first.
type callStats struct {
	last   *Program  // that called it
	recent [14]int64 // durations, numRecent of them, that are in no bucket of Durations yet
	// numRecent counts up to the size of recent. Then all go into their buckets: these are mostly
	// in no cache, and the processor fetches several at a time faster than one by one.
	numRecent int
	Stats
	programs map[*Program]bool
	sample   *sample // of a function with windows
	// missedNs is the time of callees that were not recorded, as estimated from those that were.
	missedNs int64
}

// add adds the duration of a call.
func (s *callStats) add(d time.Duration) {
	s.recent[s.numRecent] = s.Durations.note(d)
	s.numRecent++
	if s.numRecent == len(s.recent) {
		s.settle()
	}
}

// settle puts all recent durations into their buckets.
func (s *callStats) settle() {
	for _, v := range s.recent[:s.numRecent] {
		s.Durations.insert(v)
	}
	s.numRecent = 0
}

func (l *latency) define(funcs []format.Func) {
	l.groups.define(funcs)
	for i := len(l.checks); i < len(funcs); i++ {
		l.matches = append(l.matches, l.opts.Function.function(&funcs[i]))
		l.checks = append(l.checks, newErrorCheck(&funcs[i], l.opts.Errors))
	}
	l.grow(l.groups.count(len(funcs)))
}

func (l *latency) grow(n int) {
	if n > len(l.stats) {
		l.stats = append(l.stats, make([]*callStats, n-len(l.stats))...)
	}
}

func (l *latency) of(t *thread, group uint32) *callStats {
	if int(group) >= len(l.stats) {
		l.grow(l.groups.count(0))
	}
	if t != l.thread {
		l.thread, l.program = t, l.programOf(t)
	}
	s := l.stats[group]
	if s == nil {
		s = &callStats{programs: map[*Program]bool{}}
		l.stats[group] = s
	}
	if s.last != l.program {
		s.last = l.program
		s.programs[l.program] = true
	}
	return s
}

// programOf returns the program of a thread: the same pointer for the same program.
func (l *latency) programOf(t *thread) *Program {
	p := Program{t.info.PID, t.process.Comm}
	program := l.programs[p]
	if program == nil {
		if l.programs == nil {
			l.programs = map[Program]*Program{}
		}
		program = &p
		l.programs[p] = program
	}
	return program
}

// enter decides the part of an errorCheck that is about arguments, and keeps it in node.
func (l *latency) enter(t *thread, f, parent *frame) {
	if l.groups != nil {
		l.groups.enter(t, f, parent)
	}
	if check := l.checks[f.fn]; check != nil {
		f.node = check.enter(t)
	}
}

func (l *latency) hit(t *thread, f *frame) {
	if !l.matches[f.fn] || l.opts.Min > 0 || l.opts.outside(t.nowNs) {
		return
	}
	l.groups.enter(t, f, t.top())
	l.groups.decide(t, f)
	s := l.of(t, f.group)
	s.Recorded++
	if !f.place.Unfair {
		s.Calls++
		if f.place.Windowed {
			s.take(f, 0)
		}
	}
	l.groups.leave(f)
}

// leave counts a call.
func (l *latency) leave(t *thread, f *frame, state State) {
	if l.matches[f.fn] {
		l.count(t, f, state)
	}
	if l.groups != nil {
		l.groups.leave(f)
	}
}

// count counts a call. A recursive function's total counts its outermost call if that is complete
// and selected. Otherwise it counts the outermost calls inside it that are. If calls are grouped by
// value, this holds among the calls with the same value.
func (l *latency) count(t *thread, f *frame, state State) {
	if state == Dropped && l.opts.countsDropped() {
		return // the total of dropped calls contains the calls inside them
	}
	selected := state != Dropped && (l.opts.selectsAll() || l.opts.selects(t, f, state))
	if !selected && f.innerNs == 0 {
		return
	}
	outer := f.outer
	if l.groups == nil {
		f.group = uint32(f.fn)
	} else {
		outer = l.groups.outer(t, f)
		if selected || outer == none {
			l.groups.decide(t, f)
			if state == Complete {
				l.groups.result(t, f)
			}
		}
	}
	var s *callStats
	if selected || outer == none {
		s = l.of(t, f.group)
	}
	inner := f.innerNs
	if t.sched != nil {
		l.leaveWaits(t, f, outer, state)
	}
	fair := selected && !f.place.Unfair
	if selected {
		s.Recorded++
		if state != Complete {
			s.Incomplete++
		}
		if state == Cut {
			s.Cut++
		}
		if f.tooDeep && state != Complete {
			l.tooDeep++
		}
		if fair {
			l.countFair(s, t, f, state)
		} else if f.place.Whole && state == Complete {
			s.takeSelf(f, f.durationNs(t), f.selfNs(t))
		}
		if fair && state == Complete {
			inner = f.durationNs(t)
		}
	}
	if inner == 0 {
		return
	}
	uncertain := f.uncertainNs
	if fair && state == Complete {
		if uncertain = 0; f.uncertain {
			uncertain = inner
		}
	}
	if outer == none {
		s.Total += time.Duration(inner)
		s.UncertainTotal += time.Duration(uncertain)
	} else {
		t.frames[outer].innerNs += inner
		t.frames[outer].uncertainNs += uncertain
	}
}

// countFair counts a call in the figures of its function. Calls that are no part of the sample do
// not count there.
func (l *latency) countFair(s *callStats, t *thread, f *frame, state State) {
	s.Calls++
	ns := int64(0)
	if state == Complete || state == Cut {
		ns = f.durationNs(t)
	}
	if f.place.Windowed {
		s.take(f, ns)
	}
	if state != Complete {
		if state == Cut && !f.uncertain {
			s.Censored.Add(time.Duration(ns))
		}
		return
	}
	if f.uncertain {
		t.uncertain++
		s.Uncertain++
		s.UncertainTime += time.Duration(ns)
	} else {
		s.add(time.Duration(ns))
		s.Subtracted += time.Duration(f.measuredNs(t) - ns)
		s.Exposed += time.Duration(t.exposedNs - f.exposedNs)
	}
	s.Self += time.Duration(f.selfNs(t))
	if f.place.Windowed || f.missedNs != 0 || f.calleesUnknown {
		s.takeSelf(f, ns, f.selfNs(t))
	}
	if check := l.checks[f.fn]; check != nil && check.failed(t, f.node) {
		s.Errors++
	}
}

// leaveWaits counts the waits of a call as count does its time.
func (l *latency) leaveWaits(t *thread, f *frame, outer int32, state State) {
	if n := len(t.frames); n == 0 || f != &t.frames[n-1] { // it was skipped
		return
	}
	inner := t.sched.frames[len(t.sched.frames)-1].inner
	if state == Complete && !f.place.Unfair && l.opts.selects(t, f, state) {
		total, self := t.sched.waits()
		inner = total.within(time.Duration(f.durationNs(t)))
		l.of(t, f.group).SelfWaits.Add(self.within(time.Duration(f.selfNs(t))))
	}
	switch {
	case inner == Waits{}:
	case outer == none:
		l.of(t, f.group).Waits.Add(inner)
	default:
		t.sched.frames[outer].inner.Add(inner)
	}
}
