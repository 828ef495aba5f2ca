package analyze

import (
	"math"
)

// cut is rule 4.
func (p *pairer) cut(t *thread) {
	for len(t.frames) > 0 && t.frames[len(t.frames)-1].place.OffNs < t.nowNs {
		p.end(t, Cut)
	}
}

// cross is rule 5 for damaged parts of the trace that t has not seen. The stack base is probably
// the same after them.
func (p *pairer) cross(t *thread) {
	for ; t.gaps < len(p.gaps); t.gaps++ {
		for len(t.frames) > 0 {
			p.end(t, Unwound)
		}
		t.nowNs = max(t.nowNs, p.gaps[t.gaps])
		t.lastReturn.sp, t.sched = 0, nil
	}
}

// end ends the top frame.
func (p *pairer) end(t *thread, state State) {
	n := len(t.frames) - 1
	f := &t.frames[n]
	switch {
	case f.noReturn && (state == Unwound || state == Replaced || state == Cut):
		state = NoReturn
	case f.place.OffNs < t.nowNs:
		state = Cut
	}
	f.cut = state == Cut
	*t.open.Top(f.fn) = f.outer
	if t.sched != nil {
		p.reach(t)
	}
	cost := &p.costs.list[p.funcs[f.fn].class]
	inside, raw, spent := f.childNs, f.rawNs, f.costNs+int64(cost.gone)
	if state.Returned() || f.cut {
		inside, raw = f.durationNs(t), f.measuredNs(t)
		if p.losses.list != nil && p.losses.touch(f.startNs, min(t.nowNs, f.place.OffNs)) {
			f.uncertain = true
		}
	}
	if state.Returned() {
		spent = f.costNs + int64(cost.complete)
	}
	p.view.leave(t, f, state)
	if t.sched != nil {
		t.sched.pop(state)
	}
	if n > 0 {
		parent := &t.frames[n-1]
		parent.childNs += inside
		if p.cover != nil {
			p.addMissed(parent, f, state, inside)
		}
		parent.rawNs += raw
		parent.costNs += spent
	} else {
		p.correctedNs += inside
		p.insideNs += raw
		t.hitNs += spent
	}
	t.frames = t.frames[:n]
	t.skipped = 0
}

// addMissed adds what a call says about those of its function that were not recorded. ns is the
// time of the call. If the function was not probed all the time, only its calls in whole windows
// count, each for as many as it stands for. Without such windows this is unknown.
func (p *pairer) addMissed(caller, f *frame, state State, ns int64) {
	weight := p.cover.Weight(f.fn)
	switch {
	case !state.Returned() && state != Cut:
		caller.missedNs += f.missedNs
		caller.calleesUnknown = caller.calleesUnknown || f.calleesUnknown
	case !f.place.Windowed:
	case f.place.Whole:
		caller.missedNs += int64(nanoseconds(float64(ns)*weight)) - ns
	case weight > 0:
		caller.missedNs -= ns
	default:
		caller.calleesUnknown = true
	}
}

// finish is rule 5. Until the end of its windows, the return of a call would have been seen.
func (p *pairer) finish(t *thread) {
	for len(t.frames) > 0 {
		state := Open
		if t.top().place.Windowed && t.top().place.OffNs != math.MaxInt64 {
			state = Cut
		}
		p.end(t, state)
	}
}

// exit ends a thread. replaced says that its process executes another program.
func (p *pairer) exit(t *thread, replaced bool) {
	state := Open
	if replaced {
		state = Replaced
	}
	if program, ok := element(t.args(), 0); ok && p.executed != nil {
		name, _ := plainValue(program).(string)
		p.executed(t, name)
	}
	for len(t.frames) > 0 {
		p.end(t, state)
	}
}
