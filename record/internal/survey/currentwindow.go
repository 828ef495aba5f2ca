//go:build linux

package survey

import (
	"time"

	"gonum.org/v1/gonum/stat"
)

// scanned is how many times the cost of a call a window must have seen of useful processor time for
// a function without calls to count as one that costs little: at most 4%, with a probability of
// 95%.
const scanned = 75

// maxLooks is how often a function is scanned for that.
const maxLooks = 3

// endCount ends the counting of a window.
func (sm *surveyedModule) endCount(w *window) {
	w.toNs = sm.now()
	w.used = sm.work().since(w.from)
	spent, _ := sm.spentIn(w)
	w.told, w.rough = w.used.useful, w.used.useful < certainTimes*spent
	w.told = max(w.told, spent/roughTimes)
	if w.kind == allWindow {
		w.told, w.rough = 0, true
		if w.all {
			w.told = sm.usedByRates(w)
		}
	}
	w.state = waiting
}

// certainTimes is how many times what a window has cost it must have seen of useful processor time:
// the cost is an estimate that can be wrong by a fifth.
const certainTimes = 3

// roughTimes is how many times less it has seen at least: if it seems to be still less, the cost is
// wrong.
const roughTimes = 4

// usedByRates returns how much processor time a window has seen, judging by the calls of functions
// whose rates are known: most of the time itself went to the probes, so the rest is too uncertain.
// Each function says something else, because a program that is slowed down handles more work at
// once. The result is their median, where each counts as often as it was called.
func (sm *surveyedModule) usedByRates(w *window) time.Duration {
	var used, calls []float64
	for i, fn := range w.set.fns {
		f := &sm.funcs[fn]
		e, _ := sm.survey.cfg.Objs.Limits.Hits(sm.id(fn))
		if n := float64(e - w.hits[i].entries); n > 0 && f.certain && f.rate > 0 {
			used, calls = append(used, n/f.rate), append(calls, n)
		}
	}
	if len(used) == 0 {
		return 0
	}
	stat.SortWeighted(used, calls)
	return time.Duration(stat.Quantile(0.5, stat.Empirical, used, calls))
}

// spentIn returns what the functions of a window have cost since it began, and how many calls of
// them are open.
func (sm *surveyedModule) spentIn(w *window) (spent time.Duration, openCalls uint64) {
	for i, fn := range w.set.fns {
		f := &sm.funcs[fn]
		e, r := sm.survey.cfg.Objs.Limits.Hits(sm.id(fn))
		e, r = e-w.hits[i].entries, r-w.hits[i].returns
		spent += time.Duration(e)*f.entry + time.Duration(r)*(f.cost-f.entry)
		if f.cost > f.entry && e > r {
			openCalls += e - r
		}
	}
	if w.set.raises {
		spent += time.Duration(raisedShare * float64(sm.useful-w.from.useful))
	}
	return spent, openCalls
}

// follow ends the current window when its time or its allotment is used up. First its calls stop
// counting, then it waits for those that are open.
func (sm *surveyedModule) follow(now time.Time) {
	w := sm.current
	switch w.state {
	case opening:
		if isClosed(w.opened) && w.err != nil {
			sm.giveUp(w)
			sm.slowdown.close(now)
			sm.current = nil
		} else if isClosed(w.opened) {
			sm.turnOn(w)
			w.begun, w.until = now, now.Add(w.lasts)
		}
		return
	case counting:
		spent, _ := sm.spentIn(w)
		if spent < w.most && now.Before(w.until) {
			return
		}
		sm.endCount(w)
		sm.spentOn[w.kind] += spent + w.opening
		sm.learn(w)
		if w.kind == scanWindow && sm.settle(w) {
			sm.slowdown.keep(sm.totals())
			return
		}
		w.begun, w.until = now, now.Add(waitLasts)
	}
	spent, openCalls := sm.spentIn(w)
	if w.kind == fewWindow && openCalls > 0 && spent < w.most && now.Before(w.until) {
		return
	}
	sm.close(w)
	sm.slowdown.close(now)
	sm.current = nil
}

// learn updates the rates of the functions of a window whose counting has ended.
func (sm *surveyedModule) learn(w *window) {
	for i, fn := range w.set.fns {
		f := &sm.funcs[fn]
		e, _ := sm.survey.cfg.Objs.Limits.Hits(sm.id(fn))
		calls := e - w.hits[i].entries
		f.calls += calls
		sm.io.compare(f, calls, w)
		if w.kind != allWindow && w.used.useful > 0 {
			f.see(float64(calls)/float64(w.used.useful), min(1, w.used.useful.Seconds()/0.02), !w.rough)
		}
	}
}

// settle decides on functions that were scanned. It reports whether they stay on.
func (sm *surveyedModule) settle(w *window) (stays bool) {
	limit := sm.survey.cfg.Limit
	spent, _ := sm.spentIn(w)
	if spent < w.allot/2 && w.opening < scanAllot/2 && len(w.set.fns) >= sm.scanSet {
		sm.scanSet = min(2*sm.scanSet, sm.largest())
	} else if (spent >= w.allot || w.opening >= scanAllot) && len(w.set.fns) >= sm.scanSet/2 {
		sm.scanSet = max(sm.scanSet/2, leastScanSet)
	}
	hot := 0
	for _, fn := range w.set.fns {
		f := &sm.funcs[fn]
		switch {
		case f.share() > steadyEach*limit:
			f.state = hotFunc
			hot++
		default:
			f.state = steadyFunc
		}
	}
	if hot == 0 && spent < w.allot {
		w.state, w.kind, w.rough = counting, steadyWindow, false
		sm.steady = append(sm.steady, w)
		sm.current = nil
		for _, fn := range w.set.fns { // its calls so far were counted
			f := &sm.funcs[fn]
			f.entries, f.returns = sm.survey.cfg.Objs.Limits.Hits(sm.id(fn))
		}
		return true
	}
	for _, fn := range w.set.fns {
		f := &sm.funcs[fn]
		if f.state != steadyFunc {
			continue
		}
		if f.rate == 0 && w.used.useful < scanned*f.cost && f.looks < maxLooks {
			f.state, f.looks = unknownFunc, f.looks+1
			sm.unknown = append(sm.unknown, fn)
			continue
		}
		sm.reopen = append(sm.reopen, fn)
	}
	return false
}
