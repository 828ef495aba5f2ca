package analyze

import (
	"utrace/analyze/internal/windows"
	"utrace/format"
)

// Limits on what a trace may make a pairer keep.
const (
	maxDepth  = 1 << 20 // open frames of a thread
	maxFrames = 1 << 21 // open frames of all threads of a pairer
	maxShared = 64      // frames at the depth of a span that are searched
)

// maxReturnProbes is how many nested return probes the Linux kernel handles in one thread. It
// silently misses further ones (MAX_URETPROBE_DEPTH in include/linux/uprobes.h, since 3.12).
const maxReturnProbes = 64

// view receives what happens in the threads of a pairer. Frames are only valid during the call.
type view interface {
	// define passes all functions, those of earlier calls included.
	define(funcs []format.Func)
	// enter reports a call. parent is the frame around it, nil if there is none.
	enter(t *thread, f, parent *frame)
	// leave reports the end of a call. f is still on top of t's frames.
	leave(t *thread, f *frame, state State)
	// hit reports a hit of a point. f is on no stack.
	hit(t *thread, f *frame)
}

// waiter is a view that also receives waits.
type waiter interface {
	// waited reports that a thread which was off the processor runs again.
	waited(t *thread, w *Wait)
}

// pairer pairs returns with entries. It serves any number of threads, and sees the rows of each in
// order of time. For each thread it keeps the stack of open frames. Stack pointers never grow from
// the bottom frame to the top:
//
//  1. An entry ends, as unwound, the frames on top that lie deeper in the stack than it does. It
//     also ends frames at its own depth, except for a tail call, whose caller has the same depth
//     and returns later. Spans between static probes (USDT) have the same depth if they begin in
//     the same call of a function. At its own depth, a span ends only an earlier span of the same
//     probe, and all inside that.
//  2. A return ends the frames that lie deeper, as unwound. If its function has a frame at its
//     depth, the frames above that one are unwound and the frame is complete. If not, the return is
//     an orphan: its entry was not seen. After tail calls there may be several such frames: the
//     topmost returns, but not one beyond maxReturnProbes if another is within.
//  3. An entry without a stack pointer ends nothing, and its frame ends together with the one
//     below. A return without one takes the nearest open call of its function.
//  4. A frame on top is over once the windows end in which its function was probed: its return
//     cannot be seen. A frame with others on top is still open, since these are inside it.
//  5. Frames that are left at the end of their thread, or of the trace, are open. At a damaged part
//     of the trace, all frames are unwound.
//
// Rules 1 to 3 are in this file, rules 4 and 5 in callend.go.
//
// costs knows the cost of probes: see frame.durationNs and the package's documentation. A complete
// call is uncertain if events were lost between its entry and its return.
type pairer struct {
	view        view
	costs       costs
	raw         bool // subtract nothing
	losses      lossWindows
	waited      func(*thread, *Wait)            // called when a thread runs again; may be nil
	executed    func(t *thread, program string) // called when a process executes one; may be nil
	funcs       []pairedFunc
	usdts       map[string]uint32 // numbers of static probes (USDT), by name
	cover       *windows.Coverage // nil if all functions were probed all the time
	sched       bool              // the scheduler was recorded
	schedLosses lossWindows
	gaps        []int64 // time before each damaged part of the trace
	room        int     // frames that it may still allocate

	orphans uint64
	skipped uint64 // calls without a frame because of the limits
	// insideNs is the time of the outermost complete calls as measured, correctedNs the same less
	// the cost of probes.
	insideNs, correctedNs int64
}

// pairedFunc is what each event of a function needs of it.
type pairedFunc struct {
	class      uint32 // of its cost
	usdt       uint32 // the static probe (USDT) that begins it, from 1; 0 for none
	noReturn   bool
	trampoline bool // its returns are seen by return probes
	used       bool // it has an event
}

func newPairer(v view) *pairer {
	return &pairer{view: v, room: maxFrames, losses: lossWindows{of: ofEvents}, schedLosses: lossWindows{of: ofSwitches}}
}

// process handles the rows from..to of b. All must be of thread t, and of functions that were
// defined.
func (p *pairer) process(t *thread, b *format.Batch, from, to int) {
	deltas := b.DeltaNs[from:to]
	kinds := b.Kind[from:to][:len(deltas)]
	funcs := b.Func[from:to][:len(deltas)]
	depths := b.StackBytes[from:to][:len(deltas)]
	p.cross(t)
	if p.sched && t.sched == nil {
		t.sched = newSched(&t.info, &p.schedLosses)
	}
	t.batch = b
	if t.firstNs == 0 {
		t.begin(deltas, kinds)
	}
	for i, delta := range deltas {
		t.row = from + i
		t.nowNs += int64(delta)
		kind := format.Kind(kinds[i])
		if delta > minAwaitNs && kind != format.Wakeup && t.mayHaveWaited() {
			t.expose(int64(delta) - p.costs.of(format.FuncID(funcs[i])).call())
		}
		if p.cover != nil && !kind.IsSched() {
			p.cut(t)
		}
		sp := uint64(0)
		if depths[i] != 0 {
			sp = t.base - uint64(depths[i])
		}
		fn := format.FuncID(funcs[i])
		switch kind {
		case format.Entry:
			if sp != 0 && p.funcs[fn].usdt != 0 {
				p.enterSpan(t, fn, sp)
			} else {
				p.enter(t, fn, sp, sp)
			}
		case format.TailEntry:
			p.enter(t, fn, sp, sp-1)
		case format.Return:
			p.leave(t, fn, sp, Complete)
		case format.DroppedReturn:
			p.leave(t, fn, sp, Dropped)
		case format.Hit:
			p.funcs[fn].used = true
			p.view.hit(t, &frame{fn: fn, startNs: t.nowNs, place: p.cover.Place(fn, t.nowNs)})
			p.spend(t, p.costs.of(fn).hit())
		case format.StackBase:
			t.base = b.Value[from+i]
		case format.Displaced:
			p.displace(t, b.Value[from+i])
		case format.Exit:
			t.idleNs += int64(delta) + t.sampledNs
			p.exit(t, b.Value[from+i] != 0)
		case format.SchedOut, format.SchedIn, format.Wakeup:
			p.switched(t, kind, b.Value[from+i])
		}
		if kind == format.Sample || kind == format.Pause {
			t.sampledNs += int64(delta)
		} else {
			t.sampledNs = 0
		}
	}
	t.batch = nil
	t.nowNs = min(t.nowNs, maxTimeNs)
}

// usdtID numbers the static probes (USDT) that begin spans.
func (p *pairer) usdtID(name string) uint32 {
	if name == "" {
		return 0
	}
	if p.usdts == nil {
		p.usdts = map[string]uint32{}
	}
	id, ok := p.usdts[name]
	if !ok {
		id = uint32(len(p.usdts) + 1)
		p.usdts[name] = id
	}
	return id
}

// enterSpan is rule 1 for a span.
func (p *pairer) enterSpan(t *thread, fn format.FuncID, sp uint64) {
	for len(t.frames) > 0 && t.frames[len(t.frames)-1].sp < sp {
		p.end(t, Unwound)
	}
	n := len(t.frames)
	keep := n
	for i := n - 1; i >= max(0, n-maxShared) && t.frames[i].sp == sp; i-- {
		if p.funcs[t.frames[i].fn].usdt == p.funcs[fn].usdt {
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
	t.lastReturn.sp = 0
	if t.sched != nil {
		p.reach(t)
	}
	n := len(t.frames)
	if n == cap(t.frames) && !p.grow(t) {
		p.skip(t, fn, sp)
		return
	}
	parent := t.top()
	top := t.open.Top(fn)
	t.frames = t.frames[:n+1]
	f := &t.frames[n]
	p.open(f, t, parent, fn, sp)
	f.outer = *top
	*top = int32(n)
	if t.sched != nil {
		t.sched.push()
	}
	p.view.enter(t, f, parent)
}

// leave is rules 2 and 3; state is Complete or Dropped.
func (p *pairer) leave(t *thread, fn format.FuncID, sp uint64, state State) {
	of := &p.funcs[fn]
	if of.trampoline {
		p.returning(t, fn, sp)
	}
	if n := len(t.frames); n > 0 && sp != 0 {
		// Nearly always the top frame returns.
		if top := &t.frames[n-1]; top.sp == sp && top.fn == fn && !top.noReturn && !top.tooDeep {
			p.end(t, state)
			return
		}
	}
	if sp != 0 {
		for len(t.frames) > 0 && t.frames[len(t.frames)-1].sp < sp {
			p.end(t, Unwound)
		}
	} else if t.skipped > 0 {
		t.skipped--
		p.orphan(t, fn)
		return
	}
	open := *t.open.Top(fn)
	if open == none || sp != 0 && t.frames[open].sp != sp || of.noReturn {
		p.orphan(t, fn)
		return
	}
	if sp != 0 {
		open = t.returner(open)
	}
	for len(t.frames)-1 > int(open) {
		p.end(t, Unwound)
	}
	p.end(t, state)
}

// orphan counts a return whose entry was not seen. After the beginning of a window there are many.
func (p *pairer) orphan(t *thread, fn format.FuncID) {
	if p.cover.Of(fn) == nil {
		p.orphans++
	}
	p.funcs[fn].used = true
	p.spend(t, int64(p.costs.of(fn).orphan))
}
