package analyze

import (
	"math"

	"utrace/format"
)

// open makes f the frame of a call inside parent, which may be nil.
func (p *pairer) open(f *frame, t *thread, parent *frame, fn format.FuncID, sp uint64) {
	of := &p.funcs[fn]
	of.used = true
	*f = frame{} // a literal with values would be made elsewhere, and copied
	f.sp, f.hasSP = sp, sp != 0
	f.startNs, f.exposedNs, f.costNs = t.nowNs, t.exposedNs, int64(p.costs.list[of.class].inside)
	f.fn, f.outer = fn, none
	f.place.OffNs = math.MaxInt64
	if p.cover != nil {
		f.place = p.cover.Place(fn, t.nowNs)
	}
	switch {
	case parent != nil:
		f.returns = parent.returns
		if sp == 0 {
			f.sp = parent.sp
		}
	case sp == 0:
		f.sp = math.MaxUint64
	}
	f.noReturn = of.noReturn
	if of.trampoline {
		f.returns++
		f.tooDeep = f.returns > maxReturnProbes
	}
}

// grow makes room for more frames of t if the limits allow.
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

// skip counts a call that has no room for a frame, as if it ended at once.
func (p *pairer) skip(t *thread, fn format.FuncID, sp uint64) {
	p.skipped++
	t.skipped++
	parent, f := t.top(), new(frame)
	p.open(f, t, parent, fn, sp)
	p.view.enter(t, f, parent)
	state := Unwound
	if f.noReturn {
		state = NoReturn
	}
	p.view.leave(t, f, state)
	p.spend(t, p.costs.of(f.fn).hit())
}
