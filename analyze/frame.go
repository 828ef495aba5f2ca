package analyze

import "utrace/format"

// State says what is known about the end of a call.
type State uint8

const (
	// Complete: its own return was seen.
	Complete State = iota
	// Unwound: it is over, and its return was not seen (lost, longjmp, exception).
	Unwound
	// Open: it was still running when the trace ended.
	Open
	// NoReturn: returns of the function are not probed.
	NoReturn
	// Dropped: its return was seen, and it did not meet a condition that is decided then. Its figures are with those of
	// the calls of which nothing was recorded (format.Dropped).
	Dropped
)

// Returned reports whether the return of the call was seen, so that its duration is known.
func (s State) Returned() bool { return s == Complete || s == Dropped }

// maxTimeNs keeps sums of times far from overflow: 36 years.
const maxTimeNs = 1 << 60

// frame is a call that is open.
type frame struct {
	sp          uint64 // of the frame below it, where its own is not known
	startNs     int64
	childNs     int64 // spent in direct callees that are complete
	rawNs       int64 // the same as measured
	costNs      int64 // what probes took in it up to now, its own included
	innerNs     int64 // total of the complete calls of the same function inside, while this one may not complete
	uncertainNs int64 // that part of innerNs that is of uncertain calls
	fn          format.FuncID
	outer       int32  // index of the next outer open frame of the same function, or none
	returns     uint32 // return probes that the kernel follows up to this frame, its own included
	value       uint32 // see grouping, as is the next
	group       uint32
	node        uint32 // of the views, as are the next two
	matched     bool   // it, or a frame that it is in, is of a function asked for
	hidden      bool
	noReturn    bool
	placed      bool // its own stack pointer is known
	// uncertain, once it has ended: events were lost meanwhile, perhaps its return and the entry of another call.
	uncertain bool
}

// durationNs is how long a call that ends now, and is complete, has lasted, without what the probes took in
// it, and not less than its callees.
func (f *frame) durationNs(t *thread) int64 { return max(f.measuredNs(t)-f.costNs, f.childNs) }

// measuredNs is the same with what the probes took.
func (f *frame) measuredNs(t *thread) int64 { return t.nowNs - f.startNs }

// selfNs is that without its direct callees that are complete.
func (f *frame) selfNs(t *thread) int64 { return f.durationNs(t) - f.childNs }

// thread is the state of one traced thread.
type thread struct {
	id      format.ThreadID
	info    format.Thread
	process string        // name of the program that its process ran when the thread was first seen
	batch   *format.Batch // that the row in hand is in, nil if there is none
	row     int
	firstNs int64 // time of the first event, since the start of the trace; 0: there was none yet
	nowNs   int64 // time of the row in hand
	// displacedNs is when the recorder has last left its place, see format.Displaced.
	displacedNs int64
	stack       uint64 // of the entry in hand, if the columns have it; see format.Stack
	base        uint64 // stack base in force
	frames      []frame
	open        openCalls
	skipped     uint64 // calls on top of frames that were too many to keep
	sched       *sched // nil where the scheduler was not recorded
	root        uint32 // of the views

	uncertain uint64 // calls
}

// top returns the innermost open call, nil if there is none.
func (t *thread) top() *frame {
	if n := len(t.frames); n > 0 {
		return &t.frames[n-1]
	}
	return nil
}

// args returns the JSON array of what the row in hand carries, nil for nothing. It is valid during
// a call of a view. The row is that of the call in enter and hit, and in leave if the call is complete.
func (t *thread) args() []byte {
	if t.batch == nil {
		return nil
	}
	return t.batch.Args(t.row)
}

// value returns the return register of the row in hand, if the column was asked for.
func (t *thread) value() (uint64, bool) {
	if t.batch == nil || len(t.batch.Value) == 0 {
		return 0, false
	}
	return t.batch.Value[t.row], true
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
