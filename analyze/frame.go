package analyze

import (
	"utrace/analyze/internal/opencalls"
	"utrace/analyze/internal/windows"
	"utrace/format"
)

// none is the index of no frame, or of no row.
const none = opencalls.None

// State says how a call ended, as far as that was seen.
type State uint8

const (
	// Complete: its own return was seen.
	Complete State = iota
	// Unwound: it is over, but its return was not seen (lost, longjmp, exception).
	Unwound
	// Open: it was still running when the trace, or its thread, ended.
	Open
	// NoReturn: returns of the function are not probed.
	NoReturn
	// Dropped: its return was seen, and it did not meet a condition that is decided at the return.
	// Its figures are among those of the calls that were not recorded (format.Dropped).
	Dropped
	// Replaced: its process executed another program.
	Replaced
	// Cut: the window in which its function was probed ended first.
	Cut
)

// Returned reports whether the return of the call was seen, so that its duration is known.
func (s State) Returned() bool { return s == Complete || s == Dropped }

// maxTimeNs keeps sums of times far from overflow: 36 years.
const maxTimeNs = 1 << 60

// frame is an open call.
type frame struct {
	sp          uint64 // of the frame below it, if its own is unknown
	startNs     int64
	childNs     int64 // spent in direct callees that are complete
	rawNs       int64 // the same as measured
	costNs      int64 // of probes inside it up to now, and of its own
	innerNs     int64 // total of the complete calls of its function inside it, in case it does not complete
	uncertainNs int64 // the uncertain calls' part of innerNs
	exposedNs   int64 // the thread's, when it began
	fn          format.FuncID
	outer       int32  // index of the next outer open frame of the same function, or none
	returns     uint32 // nested return probes up to this frame, its own included
	value       uint32 // see grouping, as is the next
	group       uint32
	node        uint32 // of the views, as are the next three
	path        uint32 // see callPaths
	matched     bool   // it, or a frame around it, is of a selected function
	hidden      bool
	noReturn    bool
	tooDeep     bool // the kernel does not see its return: see maxReturnProbes
	hasSP       bool // its own stack pointer is known
	// uncertain, once it has ended: events were lost meanwhile, perhaps its return and the entry of
	// another call.
	uncertain bool
	// cut, once it has ended: it lasted longer than its duration, see Cut.
	cut   bool
	place windows.Place
	// missedNs is the time of callees that were not recorded, as estimated from those that were: see
	// pairer.addMissed. calleesUnknown says that it lacks some.
	missedNs       int64
	calleesUnknown bool
}

// durationNs is how long a call that now returns has lasted: less the cost of probes, but not less
// than its callees. For a call that is cut, it is the time up to that.
func (f *frame) durationNs(t *thread) int64 {
	if f.cut {
		return max(f.measuredNs(t)-f.costNs, 0)
	}
	return max(f.measuredNs(t)-f.costNs, f.childNs)
}

// measuredNs is the same with the cost of probes.
func (f *frame) measuredNs(t *thread) int64 {
	if f.cut {
		return f.place.OffNs - f.startNs
	}
	return t.nowNs - f.startNs
}

// selfNs is durationNs without the direct callees that are complete.
func (f *frame) selfNs(t *thread) int64 { return f.durationNs(t) - f.childNs }

// callerKnown reports whether the caller of a call is known, if it is traced: its function, or all
// functions of the module, were probed at that time.
func (f *frame) callerKnown() bool { return !f.place.Windowed || f.place.Whole }

// estimatedSelfNs is selfNs for the sum of the calls of a function that was probed all the time. Its
// callees may not have been: missedNs may be more than the duration of a single call.
func (f *frame) estimatedSelfNs(t *thread) int64 {
	if f.place.Windowed {
		return max(0, f.selfNs(t))
	}
	return f.selfNs(t) - f.missedNs
}

// thread is the state of one traced thread.
type thread struct {
	id      format.ThreadID
	info    format.Thread
	process *format.Process // as it was when the thread was first seen
	batch   *format.Batch   // of the current row, nil if there is none
	row     int
	firstNs int64 // time of the first event, since the start of the trace; 0 before it
	nowNs   int64 // time of the current row
	// displacedNs is when the recorder last gave the processor back, see format.Displaced.
	displacedNs int64
	lastReturn  returned
	hitNs       int64   // cost of all hits, displacements and waits, those of open calls excluded
	preemptedNs int64   // the part of hitNs, and of open calls' cost, in displacements
	awaitedNs   int64   // the same in waits: see run.awaited
	awaited     []int64 // of the current run: those that are still to come
	gaps        int     // damaged parts of the trace up to here
	base        uint64  // stack base in force
	frames      []frame
	open        opencalls.Table
	skipped     uint64 // calls on top of frames that were too many to keep
	idleNs      int64  // from its last event before an Exit to the Exit
	sampledNs   int64  // of samples and pauses since the last other row
	sched       *sched // nil if the scheduler was not recorded
	others      others
	parks       bool   // rows say when it waits, though it is a goroutine
	exposedNs   int64  // cost of others' probes while it may have waited for them, see exposure
	root        uint32 // of the views, as is the next
	slot        uint32

	uncertain uint64 // calls
}

// returned is a return that a return probe saw: the latest one since an entry. sp is 0 if there is
// none.
type returned struct {
	sp     uint64
	atNs   int64
	costNs int64 // of its hit
}

// top returns the innermost open call, nil if there is none.
func (t *thread) top() *frame {
	if n := len(t.frames); n > 0 {
		return &t.frames[n-1]
	}
	return nil
}

// returner returns the frame that a return at its depth belongs to. That is the frame at index at,
// or if it is too deep, the next outer open frame of its function and depth that is not. If all are
// too deep, as in a trace with lost returns, it is the outermost.
func (t *thread) returner(at int32) int32 {
	for {
		outer := t.frames[at].outer
		if !t.frames[at].tooDeep || outer == none || t.frames[outer].sp != t.frames[at].sp {
			return at
		}
		at = outer
	}
}

// args returns the JSON array of values in the current row, nil if there are none. It is valid
// during a call of a view. In enter and hit, the row is the call's own. In leave it is so only if
// the call is complete.
func (t *thread) args() []byte {
	if t.batch == nil {
		return nil
	}
	return t.batch.Args(t.row)
}

// value returns the return register in the current row, if the column was asked for.
func (t *thread) value() (uint64, bool) {
	if t.batch == nil || len(t.batch.Value) == 0 {
		return 0, false
	}
	return t.batch.Value[t.row], true
}

// stack returns the number of the stack of the current entry, 0 if there is none; see format.Stack.
func (t *thread) stack() uint64 {
	v, ok := t.value()
	if !ok || !format.Kind(t.batch.Kind[t.row]).IsEntry() {
		return 0
	}
	return v
}

// startRun begins the rows of a run.
func (t *thread) startRun(r *run) { t.awaited, t.others, t.parks = r.awaited, r.others, r.parks }

// mayHaveWaited reports whether the thread may have waited since its last row, as far as no row of
// the kind Wakeup says more.
func (t *thread) mayHaveWaited() bool {
	return t.sched == nil || t.sched.unknown && (t.sched.off || !t.parks)
}

// nextAwaited returns the element of run.awaited for the current row; 0 if it is not set.
func (t *thread) nextAwaited() int64 {
	if len(t.awaited) == 0 {
		return 0
	}
	ns := t.awaited[0]
	t.awaited = t.awaited[1:]
	return ns
}

// cpu returns the processor of the current row, 0 if the column was not asked for.
func (t *thread) cpu() uint16 {
	if t.batch == nil || len(t.batch.CPU) == 0 {
		return 0
	}
	return t.batch.CPU[t.row]
}

// begin notes when the first event of a thread occurs.
func (t *thread) begin(deltas []uint32, kinds []uint8) {
	at := t.nowNs
	for i, delta := range deltas {
		at += int64(delta)
		if format.Kind(kinds[i]).IsEvent() {
			t.firstNs = max(1, min(at, maxTimeNs))
			return
		}
	}
}
