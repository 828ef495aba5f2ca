//go:build linux

package survey

import (
	"cmp"
	"slices"
	"time"

	"utrace/record/internal/clock"
)

// Shares of the limit.
const (
	steadyMost = 0.6  // functions that are always probed cost more: some get windows
	steadyFill = 0.45 // functions get on again up to this
	steadyEach = 0.02 // a function that costs less is always probed without a further look
)

// openSteady attaches functions that are always probed.
func (sm *surveyedModule) openSteady(fns []int) {
	for _, fn := range fns {
		sm.funcs[fn].state = steadyFunc
	}
	w := sm.open(fns, steadyWindow)
	sm.steady = append(sm.steady, w)
}

// Steady functions are judged after judgeEvery and judgeUsed of processor time. If a process is
// overdrawn, and they have cost alarmShare of the limit of a second, they are judged at once.
const (
	judgeEvery = 100 * time.Millisecond
	judgeUsed  = 20 * time.Millisecond
	alarmShare = 0.1
	alarmEvery = 10 * time.Millisecond
)

// costly is what a steady function has cost since it was last judged.
type costly struct {
	fn    int
	used  time.Duration // useful processor time meanwhile
	calls uint64
	spent time.Duration
}

// steadyCosts returns what the steady functions have cost since they were last judged.
func (sm *surveyedModule) steadyCosts(used time.Duration) (list []costly, sum time.Duration) {
	list = sm.costs[:0]
	for _, w := range sm.steady {
		if w.state == opening {
			continue
		}
		for _, fn := range w.set.fns {
			f := &sm.funcs[fn]
			e, r := sm.survey.cfg.Objs.Limits.Hits(sm.id(fn))
			c := costly{fn: fn, calls: e - f.entries, spent: time.Duration(e-f.entries)*f.entry + time.Duration(r-f.returns)*(f.cost-f.entry)}
			if f.raises {
				c.spent += time.Duration(raisedShare * float64(used))
			}
			c.used = sm.useful - max(sm.judged.useful, w.on)
			list = append(list, c)
			sum += c.spent
		}
	}
	sm.costs = list
	return list, sum
}

// A new set is on probation for some time, in which it may cost so much.
const (
	probation     = 300 * time.Millisecond
	probationCost = 1500 * time.Microsecond
)

// surprised reports whether a new set has cost more than expected.
func (sm *surveyedModule) surprised() bool {
	for _, w := range sm.steady {
		if w.state == opening || time.Duration(clock.MonotonicNs()-w.sinceNs) > probation || sm.survey.grace > 0 {
			continue
		}
		if spent, _ := sm.spentIn(w); spent > probationCost {
			w.sinceNs = 0
			return true
		}
	}
	return false
}

// judge compares what the steady functions cost with the limit, and gives the costliest windows
// instead until the others fit.
func (sm *surveyedModule) judge(now time.Time) {
	used := sm.useful - sm.judged.useful
	due := now.Sub(sm.judgedAt) >= judgeEvery && used >= judgeUsed
	surprised := sm.surprised()
	if !due && !surprised && (sm.credit() >= 0 || now.Sub(sm.alarmedAt) < alarmEvery) {
		return
	}
	sm.alarmedAt = now
	list, sum := sm.steadyCosts(used)
	alarm := sum > time.Duration(alarmShare*sm.survey.cfg.Limit*max(sm.perSec(), 0.1)*float64(time.Second))
	if !due && !alarm && !surprised {
		return
	}
	before := sm.judged
	sm.judgedAt = now
	sm.updateIO()
	sm.judged = mark{clock.MonotonicNs(), sm.work()}
	for _, c := range list {
		f := &sm.funcs[c.fn]
		f.entries, f.returns = sm.survey.cfg.Objs.Limits.Hits(sm.id(c.fn))
		f.calls += c.calls
		if c.used > 0 {
			f.see(float64(c.calls)/float64(c.used), min(1, c.used.Seconds()/0.5), used > certainTimes*sum)
		}
	}
	most := sm.limit() * sm.part() * float64(max(used, judgeUsed))
	if sm.survey.grace > 0 || float64(sum) <= steadyMost*most {
		return
	}
	dear := func(c costly) float64 { return float64(c.spent) / sm.importance(c.fn) }
	slices.SortFunc(list, func(a, b costly) int { return cmp.Or(cmp.Compare(dear(b), dear(a)), cmp.Compare(a.fn, b.fn)) })
	off := map[int]bool{}
	for _, c := range list {
		if float64(sum) <= steadyFill*most {
			break
		}
		off[c.fn] = true
		sum -= c.spent
	}
	sm.takeOff(off, before)
}

// part is the module's part of the limit for steady functions: it shares it with other modules of
// its processes.
func (sm *surveyedModule) part() float64 {
	sharing := 1
	for _, other := range sm.survey.modules {
		if other == sm || len(other.steady) == 0 {
			continue
		}
		for a := range sm.accounts {
			if other.accounts[a] != nil {
				sharing++
				break
			}
		}
	}
	return 1 / float64(sharing)
}

// mark is a moment, CLOCK_MONOTONIC, with the work up to then.
type mark struct {
	ns uint64
	work
}

// pauseAfter is how long a function has windows at least once it has become too expensive, doubled
// each time.
const pauseAfter = time.Second

// takeOff gives steady functions windows instead. Other functions of their sets are attached anew.
// Since the moment before, the functions have been called more often, so the trace gets that time
// as an interval of its own.
func (sm *surveyedModule) takeOff(off map[int]bool, before mark) {
	keep := sm.steady[:0]
	if sm.current != nil {
		sm.current.all = false
	}
	for _, w := range sm.steady {
		w.all = false
		if w.state == opening || !slices.ContainsFunc(w.set.fns, func(fn int) bool { return off[fn] }) {
			keep = append(keep, w)
			continue
		}
		sm.endCount(w)
		if w.fromNs < before.ns {
			done := before.since(w.from)
			sm.survey.write(w, before.ns, before.ns, done.useful, done)
			w.fromNs, w.told, w.used = before.ns, max(0, w.told-done.useful), w.used.since(done)
		}
		sm.close(w)
		for _, fn := range w.set.fns {
			switch {
			case !off[fn]:
				sm.reopen = append(sm.reopen, fn)
			case sm.survey.windows:
				f := &sm.funcs[fn]
				f.state, f.until = hotFunc, time.Now().Add(pauseAfter<<min(f.failures, 4))
				f.failures++
			default:
				sm.funcs[fn].state = doneFunc
			}
		}
	}
	sm.steady = keep
}

// slice ends the intervals of steady sets in the trace, and begins the next: so the trace knows how
// much processor time was used when.
func (sm *surveyedModule) slice() (nowNs uint64) {
	nowNs = sm.now()
	all := sm.current == nil && sm.hot() == 0 && sm.allKnown()
	for _, w := range sm.steady {
		if w.state == opening || w.fromNs == nowNs {
			continue
		}
		w.all = w.all && all // at its beginning and at its end
		done := sm.work().since(w.from)
		sm.survey.write(w, nowNs, nowNs, done.useful, done)
		w.fromNs, w.from, w.all = nowNs, sm.work(), all
	}
	return nowNs
}

// openAgain attaches steady functions whose former set was removed.
func (sm *surveyedModule) openAgain() {
	var called, uncalled, rest []int
	for _, fn := range sm.reopen {
		switch {
		case !sm.idle(fn):
			rest = append(rest, fn)
		case sm.funcs[fn].calls > 0:
			called = append(called, fn)
		default:
			uncalled = append(uncalled, fn)
		}
	}
	if len(called)+len(uncalled) == 0 {
		return
	}
	sm.reopen = rest
	slices.SortFunc(called, func(a, b int) int { return cmp.Or(cmp.Compare(sm.funcs[a].rate, sm.funcs[b].rate), cmp.Compare(a, b)) })
	chunks := slices.Concat(slices.Collect(slices.Chunk(called, max(calledSet, len(called)/setsOfHeld))), slices.Collect(slices.Chunk(uncalled, sm.largest())))
	most := time.Duration(sm.shared(func(a *account) float64 { return float64(a.most()) }))
	for _, fns := range chunks {
		if cost := attachingCost(len(fns)); sm.survey.windows && sm.credit() < min(cost, most/2) { // later, unless the program ends
			sm.reopen = append(sm.reopen, fns...)
			continue
		}
		sm.openSteady(fns)
	}
}

// promote lets hot functions be probed always, as far as they fit: the cheapest and most important
// first.
func (sm *surveyedModule) promote(now time.Time) {
	var sum float64
	var hot []int
	for fn := range sm.funcs {
		switch f := &sm.funcs[fn]; {
		case f.state == steadyFunc:
			sum += f.share()
		case f.state == hotFunc && f.certain && now.After(f.until) && sm.idle(fn):
			hot = append(hot, fn)
		}
	}
	dear := func(fn int) float64 { return sm.funcs[fn].share() / sm.importance(fn) }
	slices.SortFunc(hot, func(a, b int) int { return cmp.Or(cmp.Compare(dear(a), dear(b)), cmp.Compare(a, b)) })
	part := sm.part()
	var fns []int
	for _, fn := range hot {
		if share := sm.funcs[fn].share(); sum+share <= steadyFill*sm.limit()*part {
			sum += share
			fns = append(fns, fn)
		}
	}
	for chunk := range slices.Chunk(fns, calledSet) {
		sm.openSteady(chunk)
	}
}
