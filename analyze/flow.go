package analyze

import (
	"math"

	"utrace/format"
)

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
)

// Limits on what a trace may make a pairer keep.
const (
	maxDepth  = 1 << 20 // open frames of a thread
	maxFrames = 1 << 21 // open frames of all threads of a pairer
)

// maxReturnProbes is how many return probes the Linux kernel follows in one
// thread; further nested ones are silently not seen (MAX_URETPROBE_DEPTH in
// include/linux/uprobes.h, since 3.12).
const maxReturnProbes = 64

// maxTimeNs keeps sums of times far from overflow: 36 years.
const maxTimeNs = 1 << 60

// frame is a call that is open.
type frame struct {
	sp       uint64 // of the frame below it, where its own is not known
	startNs  int64
	childNs  int64 // spent in direct callees that are complete
	innerNs  int64 // total of the complete calls of the same function inside, while this one may not complete
	fn       format.FuncID
	outer    int32  // index of the next outer open frame of the same function, or none
	returns  uint32 // return probes that the kernel follows up to this frame, its own included
	node     uint32 // of the views, as are the next two
	matched  bool   // it, or a frame that it is in, is of a function asked for
	hidden   bool
	noReturn bool
	placed   bool // its own stack pointer is known
}

// durationNs is how long a call that ends now, and is complete, has lasted.
func (f *frame) durationNs(t *thread) int64 { return t.nowNs - f.startNs }

// selfNs is that without its direct callees that are complete.
func (f *frame) selfNs(t *thread) int64 { return f.durationNs(t) - f.childNs }

// thread is the state of one traced thread.
type thread struct {
	id      format.ThreadID
	info    format.Thread
	nowNs   int64  // time of the row in hand, since the start of the trace
	stack   uint64 // of the entry in hand, if the columns have it; see format.Stack
	base    uint64 // stack base in force
	frames  []frame
	open    openCalls
	skipped uint64 // calls on top of frames that were too many to keep
	root    uint32 // of the views
}

// view is told what happens in the threads that a pairer serves. Frames are
// only valid during the call.
type view interface {
	// define makes functions known, those that already are included.
	define(funcs []format.Func)
	// enter tells of a call; parent is the frame that it is in, nil if none.
	enter(t *thread, f, parent *frame)
	// leave tells of the end of a call. f is still in place on top of t's frames.
	leave(t *thread, f *frame, state State)
	// hit tells of a passage through a point.
	hit(t *thread, fn format.FuncID)
}

// pairer pairs returns with entries. One pairer serves any number of threads,
// each of which it sees in the order of time. Per thread it keeps the stack of
// open frames; stack pointers never grow from bottom to top:
//
//  1. An entry ends, as unwound, the frames on top that lie deeper in the stack
//     than it does, and those at the same depth, unless it is a tail call, whose
//     caller shares its place and returns after it. A span between static probes shares its place with others
//     that begin in the same call of a function: at its own depth it ends an earlier span of the same probe only, and what
//     is in that.
//  2. A return ends the frames that lie deeper, as unwound. If its function has
//     a frame at its depth, then the frames above that one are unwound and the
//     frame is complete. If not, the return is an orphan: its entry was not seen.
//  3. Without a stack pointer an entry ends nothing, and its frame shares the
//     fate of the one below; a return takes the nearest open call of its function.
//  4. A frame on top without a stack pointer is over once its function was taken off: no return will come.
//  5. What is left at the end of the trace is open.
type pairer struct {
	view     view
	noReturn []bool                  // by function
	static   []uint32                // by function: which static probe begins it, counted from 1; 0 for none
	statics  map[string]uint32       // those numbers
	offNs    map[format.FuncID]int64 // when functions were taken off; empty most often
	offs     int                     // how many definitions of that are in offNs, of how many functions
	offFuncs int
	room     int // frames that may still be allocated

	orphans uint64
	skipped uint64 // calls without a frame because of the limits
}

func newPairer(v view) *pairer { return &pairer{view: v, room: maxFrames} }

// define makes functions known, those that are already included.
func (p *pairer) define(funcs []format.Func) {
	for _, f := range funcs[len(p.noReturn):] {
		p.noReturn = append(p.noReturn, f.NoReturn)
		p.static = append(p.static, p.staticID(f.Static))
	}
	p.view.define(funcs)
}

// takeOff makes functions known that were taken off. Its functions must have been defined.
func (p *pairer) takeOff(list []format.TakenOff, funcs []format.Func) {
	if len(list) == 0 || len(list) == p.offs && len(funcs) == p.offFuncs {
		return
	}
	p.offs, p.offFuncs = len(list), len(funcs)
	p.offNs = map[format.FuncID]int64{}
	offs := newTakenOff(list, funcs)
	for id := range funcs {
		if off := offs.of(format.FuncID(id), &funcs[id]); off != nil {
			p.offNs[format.FuncID(id)] = int64(min(off.TimeNs, maxTimeNs))
		}
	}
}

// dropOff is rule 4.
func (p *pairer) dropOff(t *thread) {
	for len(t.frames) > 0 {
		top := &t.frames[len(t.frames)-1]
		off, ok := p.offNs[top.fn]
		if top.placed || !ok || t.nowNs <= off {
			return
		}
		p.end(t, Unwound)
	}
}

// process takes the rows from..to of b, all of which are of thread t and name
// functions that are known.
func (p *pairer) process(t *thread, b *format.Batch, from, to int) {
	deltas := b.DeltaNs[from:to]
	kinds := b.Kind[from:to][:len(deltas)]
	funcs := b.Func[from:to][:len(deltas)]
	depths := b.StackBytes[from:to][:len(deltas)]
	for i, delta := range deltas {
		t.nowNs += int64(delta)
		if len(p.offNs) > 0 {
			p.dropOff(t)
		}
		sp := uint64(0)
		if depths[i] != 0 {
			sp = t.base - uint64(depths[i])
		}
		fn := format.FuncID(funcs[i])
		t.stack = 0
		if len(b.Value) > 0 && format.Kind(kinds[i]).IsEntry() {
			t.stack = b.Value[from+i]
		}
		switch format.Kind(kinds[i]) {
		case format.Entry:
			if p.static[fn] != 0 && sp != 0 {
				p.enterSpan(t, fn, sp)
			} else {
				p.enter(t, fn, sp, sp)
			}
		case format.TailEntry:
			p.enter(t, fn, sp, sp-1)
		case format.Return:
			p.leave(t, fn, sp)
		case format.Hit:
			p.view.hit(t, fn)
		case format.StackBase:
			t.base = b.Value[from+i]
		}
	}
	t.nowNs = min(t.nowNs, maxTimeNs)
}

// staticID numbers the static probes that begin spans.
func (p *pairer) staticID(static string) uint32 {
	if static == "" {
		return 0
	}
	if p.statics == nil {
		p.statics = map[string]uint32{}
	}
	id, ok := p.statics[static]
	if !ok {
		id = uint32(len(p.statics) + 1)
		p.statics[static] = id
	}
	return id
}

// enterSpan is rule 1 for a span.
func (p *pairer) enterSpan(t *thread, fn format.FuncID, sp uint64) {
	for len(t.frames) > 0 && t.frames[len(t.frames)-1].sp < sp {
		p.end(t, Unwound)
	}
	keep := len(t.frames)
	for i := keep - 1; i >= 0 && t.frames[i].sp == sp; i-- {
		if p.static[t.frames[i].fn] == p.static[fn] {
			keep = i
		}
	}
	for len(t.frames) > keep {
		p.end(t, Unwound)
	}
	p.enter(t, fn, sp, sp-1)
}

// enter is rules 1 and 3: frames at gone or deeper are over.
func (p *pairer) enter(t *thread, fn format.FuncID, sp, gone uint64) {
	if sp != 0 {
		for len(t.frames) > 0 && t.frames[len(t.frames)-1].sp <= gone {
			p.end(t, Unwound)
		}
	}
	f := frame{sp: sp, startNs: t.nowNs, fn: fn, placed: sp != 0}
	var parent *frame
	if n := len(t.frames); n > 0 {
		parent = &t.frames[n-1]
		f.returns = parent.returns
		if sp == 0 {
			f.sp = parent.sp
		}
	} else if sp == 0 {
		f.sp = math.MaxUint64
	}
	if p.noReturn[fn] {
		f.noReturn = true
	} else {
		f.returns++
	}
	if len(t.frames) == cap(t.frames) && !p.grow(t) {
		p.skip(t, f, parent)
		return
	}
	slot := t.open.slot(fn)
	f.outer = slot.top
	slot.top = int32(len(t.frames))
	t.frames = append(t.frames, f)
	p.view.enter(t, &t.frames[len(t.frames)-1], parent)
}

// leave is rules 2 and 3.
func (p *pairer) leave(t *thread, fn format.FuncID, sp uint64) {
	if n := len(t.frames); n > 0 && sp != 0 {
		// Nearly always it is the top frame that returns.
		if top := &t.frames[n-1]; top.sp == sp && top.fn == fn && !top.noReturn {
			p.end(t, Complete)
			return
		}
	}
	if sp != 0 {
		for len(t.frames) > 0 && t.frames[len(t.frames)-1].sp < sp {
			p.end(t, Unwound)
		}
	} else if t.skipped > 0 {
		t.skipped--
		p.orphans++
		return
	}
	top := t.open.slot(fn).top
	if top == none || sp != 0 && t.frames[top].sp != sp || p.noReturn[fn] {
		p.orphans++
		return
	}
	for len(t.frames)-1 > int(top) {
		p.end(t, Unwound)
	}
	p.end(t, Complete)
}

// end ends the top frame.
func (p *pairer) end(t *thread, state State) {
	n := len(t.frames) - 1
	f := &t.frames[n]
	if f.noReturn && state == Unwound {
		state = NoReturn
	}
	t.open.slot(f.fn).top = f.outer
	p.view.leave(t, f, state)
	if n > 0 {
		inside := f.childNs
		if state == Complete {
			inside = f.durationNs(t)
		}
		t.frames[n-1].childNs += inside
	}
	t.frames = t.frames[:n]
	t.skipped = 0
}

// finish is rule 5.
func (p *pairer) finish(t *thread) {
	for len(t.frames) > 0 {
		p.end(t, Open)
	}
}

// grow makes room for further frames of t, if the limits allow.
func (p *pairer) grow(t *thread) bool {
	have := cap(t.frames)
	want := max(16, 2*have)
	if want > maxDepth || want-have > p.room {
		return false
	}
	frames := make([]frame, have, want)
	copy(frames, t.frames)
	t.frames = frames
	p.room -= want - have
	return true
}

// skip counts a call for which there is no room, at once.
func (p *pairer) skip(t *thread, f frame, parent *frame) {
	p.skipped++
	t.skipped++
	f.outer = none
	p.view.enter(t, &f, parent)
	state := Unwound
	if f.noReturn {
		state = NoReturn
	}
	p.view.leave(t, &f, state)
}
