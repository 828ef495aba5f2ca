//go:build linux

package survey

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// fewShare is what the functions of a window may cost while it is open, as multiple of the limit.
const fewShare = 3

// scanAllot is what it may cost to look at functions, and scanCalls how many of their calls are
// enough: these show all that are called often.
const (
	scanAllot = time.Millisecond
	scanCalls = 60
)

// A window may use up the limit of so much time. Attaching and removing probes takes some
// milliseconds, in which they cost time and record nothing. So few long windows record more than
// many short ones, but figures need many windows.
const (
	fewShareOf = 200 * time.Millisecond
	allShareOf = 300 * time.Millisecond
)

// next opens the next window, if the processes can afford one.
func (sm *surveyedModule) next(now time.Time) {
	sm.openAgain()
	if sm.survey.looking(now) {
		return
	}
	if now.Sub(sm.promotedAt) >= sliceEvery {
		sm.promotedAt = now
		sm.promote(now)
	}
	if sm.credit() < time.Duration((0.5+sm.draw)*float64(sm.allot(fewWindow))) {
		return
	}
	kind, fns := sm.choose(now)
	if len(fns) == 0 {
		return
	}
	sm.draw = rand.Float64()
	sm.slowdown.begin(sm.totals())
	w := sm.open(fns, kind)
	w.allot, w.all = min(sm.allot(kind), sm.enough(kind, fns)), kind == allWindow
	w.most, w.lasts = w.allot, kind.lasts()
	if kind == fewWindow {
		w.most, w.lasts = mostAllots*w.allot, sm.planned(w.allot, fns)
	}
	sm.current = w
}

// mostAllots is how many times its allotment a window with few functions may cost, including its
// wait for open calls.
const mostAllots = 4

// planned is how long a window with few functions lasts, so that it costs about its allotment. If
// that ended it, it would end in bursts of calls, and see too many.
func (sm *surveyedModule) planned(allot time.Duration, fns []int) time.Duration {
	var share float64
	for _, fn := range fns {
		share += sm.funcs[fn].share()
	}
	lasts := float64(allot) / (share * max(sm.perSec(), 0.01)) * (0.5 + rand.Float64())
	return time.Duration(min(max(lasts, float64(leastLasts)), float64(fewLasts)))
}

// allot returns what a window of a kind may cost.
func (sm *surveyedModule) allot(kind windowKind) time.Duration {
	of := fewShareOf
	switch kind {
	case scanWindow:
		return scanAllot
	case allWindow:
		of = allShareOf
	}
	limit := sm.survey.cfg.Limit * sm.perSec() * float64(of)
	return min(max(time.Duration(limit), time.Millisecond), 20*time.Millisecond)
}

// fewCalls is how many calls of each function a window with few functions is to see.
const fewCalls = 150

// enough is what a window of a kind may cost because more would be of little use.
func (sm *surveyedModule) enough(kind windowKind, fns []int) time.Duration {
	if kind == allWindow {
		return time.Second
	}
	var sum, most time.Duration
	for _, fn := range fns {
		cost := sm.funcs[fn].cost
		sum, most = sum+fewCalls*cost, max(most, scanCalls*cost)
	}
	if kind == scanWindow {
		return most
	}
	return sum
}

// allKnown reports whether a window with all hot functions has all functions that are known to be
// called.
func (sm *surveyedModule) allKnown() bool {
	attaching := slices.ContainsFunc(sm.steady, func(w *window) bool { return w.state == opening })
	given := slices.ContainsFunc(sm.funcs, func(f surveyedFunc) bool { return f.state == doneFunc })
	return !given && len(sm.reopen) == 0 && !attaching && !sm.hasSuspects()
}

// awaitClosed is how long a window with all hot functions waits for links that are being closed.
// Closing takes 5 to 60 ms, but one that never ends must not end the survey.
const awaitClosed = 200 * time.Millisecond

// awaits reports whether such a window may still wait.
func (sm *surveyedModule) awaits(now time.Time) bool {
	if sm.awaitedAt.IsZero() {
		sm.awaitedAt = now
	}
	return now.Sub(sm.awaitedAt) < awaitClosed
}

// hot returns how many hot functions there are.
func (sm *surveyedModule) hot() (n int) {
	for i := range sm.funcs {
		if sm.funcs[i].state == hotFunc {
			n++
		}
	}
	return n
}

// hasSuspects reports whether functions are unknown that samples have found.
func (sm *surveyedModule) hasSuspects() bool {
	return slices.ContainsFunc(sm.unknown, func(fn int) bool { return sm.funcs[fn].seen.Any > 0 })
}

// choose returns the functions of the next window: of the kind that has had the least so far.
func (sm *surveyedModule) choose(now time.Time) (windowKind, []int) {
	var hot []int
	for fn := range sm.funcs {
		if sm.funcs[fn].state == hotFunc && sm.idle(fn) {
			hot = append(hot, fn)
		}
	}
	kinds := []windowKind{}
	if slices.ContainsFunc(sm.unknown, sm.idle) {
		kinds = append(kinds, scanWindow)
	}
	if len(hot) > 0 {
		kinds = append(kinds, fewWindow)
	}
	if len(kinds) == 0 {
		return scanWindow, nil
	}
	spent := func(k windowKind) time.Duration { return sm.spentOn[k] / k.weight() }
	kind := slices.MinFunc(kinds, func(a, b windowKind) int { return cmp.Compare(spent(a), spent(b)) })
	switch {
	case spent(allWindow) >= spent(kind) || len(hot) == 0:
	case sm.allKnown() && len(hot) == sm.hot():
		kind, sm.awaitedAt = allWindow, time.Time{}
	case sm.allKnown() && sm.awaits(now): // until the links of all hot functions are closed
		return allWindow, nil
	default: // it has no claim to this later
		sm.spentOn[allWindow], sm.awaitedAt = spent(kind)*allWindow.weight(), time.Time{}
	}
	switch kind {
	case scanWindow:
		return kind, sm.takeUnknown()
	case allWindow:
		return kind, hot
	}
	return kind, sm.few(hot)
}

// Functions of a scan that samples have found.
const (
	suspects = 1 // running: they may be called very often
	callers  = 4 // on the stack of others: they are probably called seldom, and last long
)

// takeUnknown takes the next functions to scan: first those that samples have found, last those of
// the runtime. The program's main package comes before others.
func (sm *surveyedModule) takeUnknown() (fns []int) {
	var ofSuspects, ofCallers, ofMain, own, runtime []int
	for _, fn := range sm.unknown {
		switch f := &sm.funcs[fn]; {
		case !sm.idle(fn):
		case f.seen.Leaf > 0 && !f.ofMain:
			ofSuspects = append(ofSuspects, fn)
		case f.seen.Any > 0:
			ofCallers = append(ofCallers, fn)
		case f.ofMain:
			ofMain = append(ofMain, fn)
		case f.ofRuntime:
			runtime = append(runtime, fn)
		default:
			own = append(own, fn)
		}
	}
	own = slices.Concat(ofMain, own, runtime)
	byImportance := func(a, b int) int { return cmp.Compare(sm.importance(b), sm.importance(a)) }
	slices.SortStableFunc(ofCallers, byImportance)
	slices.SortStableFunc(ofSuspects, byImportance)
	groups := [][]int{
		ofCallers[:min(callers, len(ofCallers))],
		ofSuspects[:min(suspects, len(ofSuspects))],
		own[:min(sm.scanSet, len(own), sm.largest())],
	}
	for i := range groups { // in turn
		if fns = groups[(sm.scans+i)%len(groups)]; len(fns) > 0 {
			break
		}
	}
	sm.scans++
	taken := map[int]bool{}
	for _, fn := range fns {
		taken[fn] = true
	}
	sm.unknown = slices.DeleteFunc(sm.unknown, func(fn int) bool { return taken[fn] })
	return fns
}

// largest is how many functions a set may have, given that each needs a breakpoint in each process:
// while these are placed, the first ones cost time already.
func (sm *surveyedModule) largest() int {
	return max(leastScanSet, largestSet/max(1, len(sm.accounts)))
}

// rank takes over what samples have found so far, by function.
func (sm *surveyedModule) rank(seen map[int]Sampled) {
	for fn, n := range seen {
		sm.funcs[fn].seen = n
		sm.samples = max(sm.samples, n.Any)
	}
}

// few chooses hot functions for a window so that they cost little at a time: first those that are
// known least, compared with their importance.
func (sm *surveyedModule) few(hot []int) (fns []int) {
	rand.Shuffle(len(hot), func(i, j int) { hot[i], hot[j] = hot[j], hot[i] })
	known := func(fn int) float64 { return float64(sm.funcs[fn].calls) / sm.importance(fn) }
	slices.SortStableFunc(hot, func(a, b int) int { return cmp.Compare(known(a), known(b)) })
	var sum float64
	for _, fn := range hot {
		share := sm.funcs[fn].share()
		if len(fns) > 0 && sum+share > fewShare*sm.limit() {
			continue
		}
		fns = append(fns, fn)
		sum += share
	}
	return fns
}
