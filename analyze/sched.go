package analyze

import (
	"fmt"
	"slices"
	"time"

	"utrace/format"
)

// Waits is the part of a time in which a thread was not on a processor, as far as that is known.
type Waits struct {
	Runnable time.Duration // it could run, and waited for a processor
	Blocked  time.Duration // it slept, or waited for something else
	Unknown  time.Duration // where it was is unknown: records of the scheduler are missing
}

// Add adds the waits of another time.
func (w *Waits) Add(other Waits) {
	w.Runnable += other.Runnable
	w.Blocked += other.Blocked
	w.Unknown += other.Unknown
}

func (w Waits) minus(other Waits) Waits {
	return Waits{w.Runnable - other.Runnable, w.Blocked - other.Blocked, w.Unknown - other.Unknown}
}

// within cuts waits down to a time from which a cost was subtracted, since the cost may have been
// part of them. Unknown time goes first.
func (w Waits) within(d time.Duration) Waits {
	over := w.sum() - d
	for _, part := range []*time.Duration{&w.Unknown, &w.Runnable, &w.Blocked} {
		less := min(max(0, over), *part)
		*part -= less
		over -= less
	}
	return w
}

// scaled is the estimate of all waits, from those of a sample.
func (w Waits) scaled(by float64) Waits {
	return Waits{nanoseconds(by * float64(w.Runnable)), nanoseconds(by * float64(w.Blocked)), nanoseconds(by * float64(w.Unknown))}
}

func (w Waits) sum() time.Duration { return w.Runnable + w.Blocked + w.Unknown }

// CPU returns the rest of the time, which was spent on a processor.
func (w *Waits) CPU(of time.Duration) time.Duration {
	return max(0, of-w.sum())
}

// OffCPU returns the time that was certainly not spent on a processor.
func (w *Waits) OffCPU() time.Duration { return w.Runnable + w.Blocked }

// Wait is an unbroken time in which a thread was not on a processor.
type Wait struct {
	Waits
	// Probes is further time off the processor: the cost of the probes of the threads that it
	// waited for.
	Probes time.Duration
	Waker  Waker
}

// Waker is who ended the blocking of a thread. The zero value is unknown.
type Waker struct {
	Known     bool
	Interrupt bool // it was an interrupt (of a timer, a device, the network)
	TID       int  // the thread that ran there when the interrupt came; else the waker. 0 is the idle one
}

// String returns it as a note to a wait, "" if it is unknown.
func (w Waker) String() string {
	switch {
	case !w.Known:
		return ""
	case !w.Interrupt:
		return fmt.Sprintf("woken by %d", w.TID)
	case w.TID == 0:
		return "woken by an interrupt"
	}
	return fmt.Sprintf("woken by an interrupt in %d", w.TID)
}

// sched records when a thread runs and waits. Its frames correspond to those of the thread.
//
// It divides time into stretches, each from one row of the thread to the next that matters. A
// stretch is unknown if switches may have been lost in it. It is also unknown if the thread makes a
// call at its end although its return to a processor was not seen. A kernel may leave out switches:
// in a virtual machine with Linux 6.18, one in some thousands was missing, also in the kernel's own
// trace of sched_switch (tracefs).
type sched struct {
	sum     Waits // up to sinceNs
	sinceNs int64
	off     bool  // off the processor, since sinceNs
	blocked bool  // off, and not able to run
	woken   bool  // since it was last seen to run, perhaps before it left its processor
	wokenNs int64 // when, the last time
	waker   uint64
	// blockedProbesNs is what the probes of others cost until the wakeup, runnableProbesNs what
	// they cost after it.
	blockedProbesNs, runnableProbesNs int64
	unknown                           bool         // the kernel does not schedule it: it is a goroutine or a track
	losses                            *lossWindows // of switches
	frames                            []schedFrame
}

// schedFrame is the part of a frame that is about waiting.
type schedFrame struct {
	began    Waits // of the thread so far
	children Waits // of direct callees that are complete
	inner    Waits // see frame.innerNs
	longest  Wait  // the longest time for which it, or a callee, was blocked
}

func newSched(t *format.Thread, losses *lossWindows) *sched {
	return &sched{unknown: t.Goroutine != 0 || t.Track != 0, losses: losses}
}

// reach accounts for the time up to now, when the thread is on a processor. It returns what the
// probes of others cost of that.
func (s *sched) reach(nowNs int64) (probes time.Duration) {
	switch {
	case s.unknown || s.losses.touch(s.sinceNs, nowNs):
		s.sum.Unknown += time.Duration(nowNs - s.sinceNs)
	case s.off:
		if s.blocked && s.woken && s.wokenNs > s.sinceNs {
			blocked := time.Duration(s.wokenNs - s.sinceNs)
			probes = min(time.Duration(s.blockedProbesNs), blocked)
			s.sum.Blocked += blocked - probes
			s.sinceNs = s.wokenNs
		}
		s.sum.Unknown += time.Duration(nowNs - s.sinceNs)
	}
	s.sinceNs, s.off, s.woken = nowNs, false, false
	return probes
}

// row handles a row of the scheduler. It returns a wait that is over, nil if none is.
func (s *sched) row(nowNs int64, kind format.Kind, value uint64) *Wait {
	switch kind {
	case format.SchedOut:
		woken := s.woken && !s.off
		s.reach(nowNs) // the pairer has done so if it was off
		s.off, s.blocked, s.woken = true, value != 0, woken
	case format.Wakeup:
		s.woken, s.wokenNs, s.waker = true, nowNs, value
	case format.SchedIn:
		return s.in(nowNs)
	}
	return nil
}

// displace leaves the recorder's own time out of the current stretch.
func (s *sched) displace(nowNs, ns int64) {
	s.sinceNs = min(s.sinceNs+ns, nowNs)
}

// in ends a wait. Only the last wakeup before it counts: one that came before the thread was off
// may have been for a sleep that it gave up.
func (s *sched) in(nowNs int64) *Wait {
	var w Wait
	off := time.Duration(nowNs - s.sinceNs)
	switch {
	case !s.off || s.unknown || s.losses.touch(s.sinceNs, nowNs):
		w.Unknown = off // its beginning was not seen, or the end of one and the beginning of another
	case !s.blocked:
		w.Runnable = off
	case !s.woken:
		w.Blocked = off
	default:
		w.Blocked = time.Duration(max(0, s.wokenNs-s.sinceNs))
		w.Runnable = off - w.Blocked
		w.Probes = min(time.Duration(s.blockedProbesNs), w.Blocked)
		w.Blocked -= w.Probes
		w.Waker = Waker{Known: true, Interrupt: s.waker&format.WakeupInInterrupt != 0, TID: int(uint32(s.waker))}
	}
	probes := min(time.Duration(s.runnableProbesNs), w.Runnable)
	w.Runnable -= probes
	w.Probes += probes
	s.sum.Add(w.Waits)
	s.sinceNs, s.off, s.woken = nowNs, false, false
	if n := len(s.frames); n > 0 && w.Blocked > s.frames[n-1].longest.Blocked {
		s.frames[n-1].longest = w
	}
	return &w
}

// push begins a frame at the time that reach has accounted for.
func (s *sched) push() {
	s.frames = append(s.frames, schedFrame{began: s.sum})
}

// waits returns the waits of the top frame up to now: all, and those outside its direct callees
// that are complete.
func (s *sched) waits() (total, self Waits) {
	top := &s.frames[len(s.frames)-1]
	total = s.sum.minus(top.began)
	return total, total.minus(top.children)
}

// longest returns the longest time that the top frame was blocked without a break.
func (s *sched) longest() Wait {
	return s.frames[len(s.frames)-1].longest
}

// pop ends the top frame.
func (s *sched) pop(state State) {
	inside, _ := s.waits()
	n := len(s.frames) - 1
	top := &s.frames[n]
	if !state.Returned() {
		inside = top.children
	}
	s.frames = s.frames[:n]
	if n == 0 {
		return
	}
	parent := &s.frames[n-1]
	parent.children.Add(inside)
	if top.longest.Blocked > parent.longest.Blocked {
		parent.longest = top.longest
	}
}

// addSched warns of times that cannot be divided.
func (s *summary) addSched(path string, src *source) {
	if !src.meta.Sched {
		return
	}
	lost := uint64(0)
	for _, l := range src.tables.Losses {
		lost += l.Sched
	}
	if lost > 0 {
		s.warn(path, "%s lost: the states of threads around that time are unknown", Plural(lost, "switch or wakeup of a thread was", "switches and wakeups of threads were"))
	}
	if slices.ContainsFunc(src.tables.Threads, func(t format.Thread) bool { return t.Goroutine != 0 || t.Track != 0 }) {
		s.warn(path, "the time of calls on goroutines, and of spans that may overlap, is not divided: the kernel schedules threads")
	}
}
