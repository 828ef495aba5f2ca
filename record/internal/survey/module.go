//go:build linux

package survey

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"utrace/format"
	"utrace/record/internal/clock"
)

// Sizes of sets.
const (
	singleFuncs    = 64   // functions of a module up to this number have sets of their own
	calledSet      = 16   // functions of a set that are called
	firstScanSet   = 8    // functions of the first set that is scanned
	leastScanSet   = 2    // and of the smallest
	largestSet     = 1024 // functions of a set that are never called
	setsOfHeld     = 3    // sets of these: each child process waits for all
	fewFuncs       = 8    // functions of a module that always have sets of their own
	firstOfHeld    = 2000 // breakpoints of a program that does not run yet: so many are attached at first
	firstOfRunning = 128  // functions of one that runs
)

// surveyedModule is a module whose functions are probed within the overhead limit.
type surveyedModule struct {
	Module
	survey   *Survey
	accounts map[*account]*member
	funcs    []surveyedFunc
	busy     map[int]<-chan struct{} // functions whose links are being closed

	unknown []int // functions to scan, in this order
	reopen  []int // steady functions that are not attached at present
	scanSet int   // size of the next set to scan
	scans   int   // so far
	samples int   // the most that are in a function, or in what it called
	steady  []*window
	ready   bool    // it is attached where it is wanted
	current *window // of the other kinds

	useful, spent time.Duration // of its processes since the start
	estimated     time.Duration // spent, by the costs of hits alone
	io            ioMeasure
	slowdown      slowdown
	judged        mark // when the steady functions were last judged
	judgedAt      time.Time
	alarmedAt     time.Time // when the costs of steady functions were last looked at
	costs         []costly  // scratch
	slicedAt      time.Time
	slices        int
	promotedAt    time.Time
	startedAt     time.Time
	awaitedAt     time.Time // since then a window with all functions waits; zero if none does
	spentOn       [windowKinds]time.Duration
	draw          float64 // random: when the next window opens
}

// manySlices is after how many slices the next ones are twice as long: so a trace of many hours does
// not have too many.
const manySlices = 128

// member is a process of a module.
type member struct {
	useful, spent time.Duration // of the account, when last looked at
	estimated     time.Duration // the same
	fileCalls     uint64        // the same
	sockCalls     uint64        // the same
	part          float64       // of the module's costs, of late
}

// newMember returns a member whose past does not count.
func newMember(a *account) member {
	return member{
		useful: a.useful, spent: a.spent, estimated: a.estimated,
		fileCalls: a.fileCalls.calls, sockCalls: a.sockCalls.calls,
	}
}

// newSurveyedModule returns nil if there is no room for so many functions.
func newSurveyedModule(s *Survey, m Module) *surveyedModule {
	if n := len(m.Funcs); n > 0 && !s.cfg.Objs.Limits.Has(m.First+format.FuncID(n-1)) {
		s.fail(fmt.Errorf("%s: too many functions", m.Path))
		return nil
	}
	sm := &surveyedModule{
		Module: m, survey: s, accounts: map[*account]*member{}, funcs: make([]surveyedFunc, len(m.Funcs)),
		busy: map[int]<-chan struct{}{}, scanSet: firstScanSet, draw: rand.Float64(), startedAt: time.Now(),
	}
	for i := range m.Funcs {
		fn := &m.Funcs[i]
		sm.io.preferred = sm.io.preferred || strings.HasPrefix(fn.USDT, slowedDownMost)
		sm.funcs[i] = surveyedFunc{raises: len(fn.Raised) > 0, ofRuntime: fn.OfRuntime(), ofMain: fn.OfMain()}
		s.cfg.Objs.Limits.Turn(sm.id(i), false)
	}
	sm.setCosts()
	return sm
}

// setCosts sets what hits of the functions cost now.
func (sm *surveyedModule) setCosts() {
	scaled := func(cost time.Duration) time.Duration {
		if cost == 0 {
			return 0
		}
		return time.Duration(sm.survey.scale*float64(cost)) + indirect
	}
	for i := range sm.funcs {
		entry, ret := sm.survey.cfg.Hits(&sm.Funcs[i])
		f := &sm.funcs[i]
		f.entry = max(indirect, scaled(entry))
		f.cost = f.entry + scaled(ret)
		sm.survey.cfg.Objs.Limits.SetCost(sm.id(i), f.entry, f.cost-f.entry)
	}
}

func (sm *surveyedModule) id(fn int) format.FuncID { return sm.First + format.FuncID(fn) }

// begin chooses what is probed at first: of a program that does not run yet its largest functions,
// which do most and are called least, and of one that runs nothing if it has many.
func (sm *surveyedModule) begin(held bool) {
	n := len(sm.funcs)
	first := make([]int, n)
	for i := range first {
		first[i] = i
	}
	slices.SortStableFunc(first, func(a, b int) int { return cmp.Compare(sm.Funcs[b].Size, sm.Funcs[a].Size) })
	size := calledSet
	switch {
	case !sm.survey.windows || n <= fewFuncs || !held && n <= singleFuncs:
		size = 1
	case held:
		n := sm.fits(first, firstOfHeld)
		first, sm.unknown = first[:n], first[n:]
		size = max(1, (len(first)+setsOfHeld-1)/setsOfHeld)
	case n > firstOfRunning:
		first, sm.unknown = nil, first
	}
	for fns := range slices.Chunk(first, size) {
		sm.openSteady(fns)
	}
	for _, w := range sm.steady {
		<-w.opened // the module is attached nowhere yet
	}
}

// fits returns how many of the first functions have at most so many breakpoints.
func (sm *surveyedModule) fits(fns []int, breakpoints int) (n int) {
	for n < len(fns) {
		fn := &sm.Funcs[fns[n]]
		if breakpoints -= 1 + len(fn.Returns) + len(fn.TailCalls); breakpoints < 0 {
			break
		}
		n++
	}
	return n
}

// reset forgets what the processes have done before the start.
func (sm *surveyedModule) reset() {
	sm.useful, sm.spent, sm.judged = 0, 0, mark{}
	for a, m := range sm.accounts {
		*m = newMember(a)
	}
}

// leave forgets the processes that have the module no longer.
func (sm *surveyedModule) leave(pids []int) {
	maps.DeleteFunc(sm.accounts, func(a *account, _ *member) bool {
		if slices.Contains(pids, a.pid) {
			return false
		}
		sm.io.leave()
		return true
	})
}

// backlog adds what a process has done before anybody knew of it. That was before the current window.
func (sm *surveyedModule) backlog(a *account) {
	sm.useful += a.useful
	sm.spent += a.spent
	if w := sm.current; w != nil && w.state == counting {
		w.from.useful += a.useful
		w.from.spent += a.spent
	}
}

// open begins to attach a set.
func (sm *surveyedModule) open(fns []int, kind windowKind) *window {
	w := &window{set: newSet(sm.Module, fns), kind: kind, opened: make(chan struct{})}
	sm.chargeAttaching(w)
	w.opening = sm.spent
	sm.survey.closed.Go(func() {
		w.err = sm.Probes.Open(w.set)
		sm.survey.fail(w.err)
		close(w.opened)
		select {
		case sm.survey.opened <- struct{}{}:
		default: // it will look anyway
		}
	})
	return w
}

// giveUp removes a set that could not be attached everywhere.
func (sm *surveyedModule) giveUp(w *window) {
	sm.close(w)
	for _, fn := range w.set.fns {
		sm.funcs[fn].state = doneFunc
	}
}

// What attaching and removing a set costs a process: pages of its code are copied and mapped anew.
const (
	setCost  = 100 * time.Microsecond
	siteCost = 4 * time.Microsecond
)

func (sm *surveyedModule) chargeAttaching(w *window) {
	for a := range sm.accounts {
		a.extra += attachingCost(len(w.set.fns))
	}
}

func attachingCost(funcs int) time.Duration { return setCost + time.Duration(funcs)*siteCost }

// join notes a process with the module.
func (sm *surveyedModule) join(a *account) {
	if sm.accounts[a] == nil {
		m := newMember(a)
		sm.accounts[a] = &m
	}
}

// update adds up what the module's processes have done.
func (sm *surveyedModule) update() {
	raises := slices.ContainsFunc(sm.steady, func(w *window) bool { return w.set.raises }) || sm.current != nil && sm.current.set.raises
	var spent time.Duration
	for a, m := range sm.accounts {
		sm.useful += a.useful - m.useful
		sm.estimated += a.estimated - m.estimated
		spent += a.spent - m.spent
		a.raised, a.factor = a.raised || raises, max(a.factor, sm.costFactor())
	}
	sm.spent += spent
	for a, m := range sm.accounts {
		if spent > 0 {
			weight := min(1, spent.Seconds()/0.02)
			m.part += weight * ((a.spent-m.spent).Seconds()/spent.Seconds() - m.part)
		}
		m.useful, m.spent, m.estimated = a.useful, a.spent, a.estimated
		if a.hasEnded {
			sm.addSocketCalls(a, m)
			delete(sm.accounts, a)
			sm.io.leave()
		}
	}
}

// costFactor is how many times its estimate the cost of hits is.
func (sm *surveyedModule) costFactor() float64 {
	if !sm.io.isBetter() {
		return 1
	}
	return sm.slowdown.factor()
}

// limit is the overhead limit in terms of estimated costs.
func (sm *surveyedModule) limit() float64 { return sm.survey.cfg.Limit / sm.costFactor() }

// totals returns what the module's processes have done up to now.
func (sm *surveyedModule) totals() totals {
	sm.now()
	return totals{sm.useful + sm.spent, sm.estimated, sm.io.calls}
}

// perSec is the processor time per second of the module's processes. If most of its costs are in a
// few processes, the others have no say: see shared.
func (sm *surveyedModule) perSec() float64 {
	return sm.shared(func(a *account) float64 { return a.perSec })
}

// credit is what the module may spend now.
func (sm *surveyedModule) credit() time.Duration {
	return time.Duration(sm.shared(func(a *account) float64 { return float64(a.credit) }))
}

// shared adds up something of the module's processes, but at most so much that none of them has too
// large a part of it, if costs are distributed as they have been.
func (sm *surveyedModule) shared(of func(*account) float64) float64 {
	sum, least := 0.0, math.Inf(1)
	for a, m := range sm.accounts {
		sum += of(a)
		if m.part > 0.05 {
			least = min(least, of(a)/m.part)
		}
	}
	return min(sum, least)
}

// step does whatever is due, and returns when to look again.
func (sm *surveyedModule) step(now time.Time) (next time.Duration) {
	for fn, done := range sm.busy {
		select {
		case <-done:
			delete(sm.busy, fn)
		default:
		}
	}
	if !sm.ready {
		return idleTick
	}
	for _, w := range slices.Clone(sm.steady) {
		switch {
		case w.state != opening || !isClosed(w.opened):
		case w.err != nil:
			sm.giveUp(w)
			sm.steady = slices.DeleteFunc(sm.steady, func(other *window) bool { return other == w })
		default:
			sm.turnOn(w)
		}
	}
	sm.judge(now)
	if now.Sub(sm.slicedAt) >= sliceEvery<<min(sm.slices/manySlices, 10) {
		sm.slicedAt = now
		sm.slices++
		sm.report(sm.slice())
	}
	if sm.current != nil {
		sm.follow(now)
	}
	if sm.slowdown.hasClosed(now) {
		sm.slowdown.end(sm.totals())
	}
	if sm.current == nil && sm.survey.windows {
		sm.next(now)
	}
	return sm.tick(now)
}

// startLasts is how long a command needs a close look at its functions.
const startLasts = time.Second

// tick returns when to look again. Each look wakes up several threads of the recorder, and a busy
// machine has no processor to spare.
func (sm *surveyedModule) tick(now time.Time) time.Duration {
	if sm.survey.cfg.Command && now.Sub(sm.startedAt) < startLasts {
		return leastTick
	}
	if w := sm.current; w != nil && w.state != opening {
		return w.tick(now)
	}
	return idleTick
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// turnOn begins to record the functions of a set.
func (sm *surveyedModule) turnOn(w *window) {
	for _, fn := range w.set.fns {
		sm.survey.cfg.Objs.Limits.Turn(sm.id(fn), true)
	}
	w.fromNs = sm.now()
	w.from = sm.work()
	w.sinceNs, w.on, w.opening = w.fromNs, sm.useful, sm.spent-w.opening
	w.state = counting
	w.hits = make([]hits, len(w.set.fns))
	for i, fn := range w.set.fns {
		e, r := sm.survey.cfg.Objs.Limits.Hits(sm.id(fn))
		w.hits[i] = hits{e, r}
		sm.funcs[fn].entries, sm.funcs[fn].returns = e, r
	}
}

// Reading the accounts takes less than stampTime, unless another thread runs meanwhile. Then the
// time and the accounts do not belong together, and both are read again, at most stampTries times.
const (
	stampTime  = 200 * time.Microsecond
	stampTries = 3
)

// work is what the processes have done up to the last update.
func (sm *surveyedModule) work() work { return work{sm.useful, sm.spent, sm.io.calls} }

// now brings the work up to date, and returns the time (CLOCK_MONOTONIC).
func (sm *surveyedModule) now() (nowNs uint64) {
	for range stampTries {
		nowNs = clock.MonotonicNs()
		for a := range sm.accounts {
			sm.survey.fail(a.update(time.Now()))
		}
		sm.update()
		sm.updateIO()
		if clock.MonotonicNs()-nowNs < uint64(stampTime) {
			break
		}
	}
	return nowNs
}

// close ends a window, whose counting has ended, and removes its set.
func (sm *surveyedModule) close(w *window) {
	for _, fn := range w.set.fns {
		sm.survey.cfg.Objs.Limits.Turn(sm.id(fn), false)
	}
	offNs := clock.MonotonicNs()
	if w.state != opening {
		sm.survey.write(w, w.toNs, offNs, w.told, w.used)
	}
	done := sm.Probes.Close(w.set)
	sm.chargeAttaching(w)
	for _, fn := range w.set.fns {
		sm.busy[fn] = done
	}
}

// hasHot reports whether some functions are not probed always, because they cost too much.
func (sm *surveyedModule) hasHot() bool {
	return slices.ContainsFunc(sm.funcs, func(f surveyedFunc) bool { return f.state == hotFunc || f.state == doneFunc })
}

// finish ends all windows.
func (sm *surveyedModule) finish(stopNs uint64) {
	sm.now()
	for _, w := range sm.steady {
		if w.state != opening && w.fromNs < stopNs {
			done := sm.work().since(w.from)
			sm.survey.write(w, stopNs, stopNs, done.useful, done)
		}
	}
	if w := sm.current; w != nil && w.state != opening && w.fromNs < stopNs {
		if w.state == counting {
			sm.endCount(w)
			w.toNs = min(w.toNs, stopNs)
		}
		sm.survey.write(w, w.toNs, stopNs, w.told, w.used)
	}
}

// report queues the module's counters for the trace.
func (sm *surveyedModule) report(nowNs uint64) {
	if len(sm.funcs) == 0 {
		return
	}
	sm.survey.cfg.Trace.AddSurvey(sm.Module, format.Survey{
		TimeNs: sm.survey.sinceStart(nowNs), Funcs: len(sm.funcs), CPUNs: uint64(max(0, sm.useful)), CostNs: uint64(max(0, sm.spent)),
		IOCalls: sm.io.calls, ByIO: sm.io.isBetter(),
	})
}

// idle reports whether the last links of a function are closed.
func (sm *surveyedModule) idle(fn int) bool {
	_, busy := sm.busy[fn]
	return !busy
}

// count adds the functions to figures.
func (sm *surveyedModule) count(f *Figures) {
	for i := range sm.funcs {
		switch sm.funcs[i].state {
		case steadyFunc:
			f.Always++
		case unknownFunc:
			f.Skipped++
		default:
			f.Windows++
		}
	}
}
