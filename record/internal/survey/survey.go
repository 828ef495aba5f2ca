//go:build linux

package survey

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/clock"
	"utrace/record/internal/image"
	"utrace/record/internal/proc"
	"utrace/record/plan"
)

// Intervals of a survey's work.
const (
	leastTick   = time.Millisecond       // while a window has just begun, or a command has
	openTick    = 5 * time.Millisecond   // while a window is open, at most
	idleTick    = 10 * time.Millisecond  // otherwise
	sliceEvery  = 500 * time.Millisecond // the trace learns how far steady sets have come
	updateEvery = 10 * time.Millisecond  // the accounts are brought up to date, and when windows begin or end
	listEvery   = 250 * time.Millisecond // the processes of modules are listed, at first ten times as often
)

// What the probes may cost beyond the limit, in all processes together: so a short command is
// recorded from its beginning to its end.
const (
	graceOfCommand = 100 * time.Millisecond
	graceOfRunning = 10 * time.Millisecond
)

// Survey decides when functions are probed, so that the probes of a process stay within the
// overhead limit. See the package's documentation.
type Survey struct {
	cfg     Config
	windows bool          // functions can be attached again: bpf.Perf takes too long
	warmer  *warmer       // nil without windows
	grace   time.Duration // how much the probes may still cost beyond the limit
	scale   float64       // how many times as much as at first hits cost

	// lookFor is how long samples are taken before functions are scanned; 0 without samples.
	lookFor     time.Duration
	startNs     uint64       // CLOCK_MONOTONIC of the trace's time 0
	usedAtStart map[int]used // by processes that were running

	mu              sync.Mutex // protects all below
	modules         []*surveyedModule
	accounts        map[int]*account
	pass            int                 // how often processes were listed
	mapped          map[int]mappedFiles // by PID
	listed, updated time.Time
	begun           time.Time
	stopped         bool // nothing is attached any more

	errMu sync.Mutex // protects err
	err   error      // the first

	opened   chan struct{} // the breakpoints of some set are there
	quit     chan struct{}
	stopOnce sync.Once
	closed   sync.WaitGroup
}

// mappedFiles are the files that a process had mapped when it was looked at.
type mappedFiles struct {
	started string
	pass    int // of list
	keys    map[image.Key]bool
}

// New returns a survey without modules. It reads how much CPU time each process has used so far.
// Stop releases what it holds.
func New(cfg Config) (s *Survey, err error) {
	s = &Survey{
		cfg: cfg, grace: graceOfRunning, scale: 1,
		usedAtStart: map[int]used{}, accounts: map[int]*account{}, mapped: map[int]mappedFiles{},
		opened: make(chan struct{}, 1), quit: make(chan struct{}),
	}
	for _, pid := range proc.All() {
		if cpu, ok := proc.CPUTime(uint32(pid)); ok {
			calls, _ := proc.IOCalls(pid)
			s.usedAtStart[pid] = used{cpu, calls}
		}
	}
	if cfg.Command {
		s.grace = graceOfCommand
	} else if cfg.Samples {
		s.lookFor = maxLook
		if cfg.Duration > 0 {
			s.lookFor = min(maxLook, cfg.Duration/10)
		}
	}
	if cfg.Method == bpf.Perf {
		return s, nil
	}
	s.windows = true
	if s.warmer, err = newWarmer(cfg.Linker, cfg.Objs.OnInstruction); err != nil {
		return nil, err
	}
	return s, nil
}

// Add takes over a module before it is attached. held says that its program does not run yet. Its
// first sets are attached with it.
func (s *Survey) Add(m Module, held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sm := newSurveyedModule(s, m)
	if sm == nil || s.stopped { // then nothing of it is attached
		return
	}
	s.modules = append(s.modules, sm)
	sm.begin(held)
}

// Attached turns on a module that was added after the start, and has been attached since.
func (s *Survey) Attached(m *plan.Module) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sm := range s.modules {
		if sm.Module.Module == m {
			sm.ready = true
			for _, w := range sm.steady {
				sm.turnOn(w)
			}
		}
	}
}

// Begin turns on what is attached. The trace begins at startNs (CLOCK_MONOTONIC).
func (s *Survey) Begin(startNs uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.startNs, s.begun = startNs, now
	s.update(now)
	for _, a := range s.accounts { // the time before the start does not count
		a.useful, a.spent = 0, 0
		a.updateFileCalls()
		a.fileCalls.calls, a.sockCalls.calls = 0, 0
	}
	for _, sm := range s.modules {
		sm.reset()
		sm.ready = true
		for _, w := range sm.steady {
			sm.turnOn(w)
			w.fromNs, w.from = startNs, work{ioCalls: w.from.ioCalls}
		}
	}
}

// Scale sets how many times as much as at first hits cost.
func (s *Survey) Scale(factor float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scale = factor
	for _, sm := range s.modules {
		sm.setCosts()
	}
}

// Watch attaches and removes probes in a goroutine of its own, until Stop.
func (s *Survey) Watch() {
	s.closed.Go(func() {
		tick := time.NewTimer(leastTick)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-s.opened:
			case <-s.quit:
				return
			}
			tick.Reset(s.step())
		}
	})
}

// Stop ends all changes.
func (s *Survey) Stop() {
	s.stopOnce.Do(func() { close(s.quit) })
	s.mu.Lock() // whoever adds a module has started its goroutines
	s.stopped = true
	s.mu.Unlock()
	s.closed.Wait()
	if s.warmer != nil {
		s.fail(s.warmer.close())
		s.warmer = nil
	}
}

// Finish writes the last windows: all probes are off since stopNs (CLOCK_MONOTONIC).
func (s *Survey) Finish(stopNs uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sm := range s.modules {
		sm.finish(stopNs)
		sm.report(stopNs)
	}
}

// step does whatever is due, and returns when to look again.
func (s *Survey) step() (next time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.updated) >= updateEvery {
		s.update(now)
	}
	next = idleTick
	for _, sm := range s.modules {
		next = min(next, sm.step(now))
		switch w := sm.current; {
		case w == nil || s.warmer == nil:
		case w.state == opening:
			s.warmer.last = now // this changes breakpoints, too
		case w.endsWithin(warmAhead, now):
			s.warmer.warm(now)
		}
	}
	return next
}

// maxLook is how long a survey looks at samples before it scans functions.
const maxLook = 500 * time.Millisecond

// looking reports whether samples are still awaited.
func (s *Survey) looking(now time.Time) bool { return now.Sub(s.begun) < s.lookFor }

// Rank tells a survey what samples have found so far. seen returns it for a module, by the index of
// the function. Modules whose functions are all probed always need no samples.
func (s *Survey) Rank(seen func(*plan.Module) map[int]Sampled) {
	s.mu.Lock()
	wanting := slices.DeleteFunc(slices.Clone(s.modules), func(sm *surveyedModule) bool { return len(sm.unknown) == 0 && !sm.hasHot() })
	s.mu.Unlock()
	for _, sm := range wanting {
		found := seen(sm.Module.Module)
		s.mu.Lock()
		sm.rank(found)
		s.mu.Unlock()
	}
}

// update brings all accounts up to date.
func (s *Survey) update(now time.Time) {
	s.updated = now
	every := listEvery
	if now.Sub(s.begun) < listEvery {
		every /= 10
	}
	if now.Sub(s.listed) >= every {
		s.listed = now
		s.list(now)
	}
	for pid, a := range s.accounts {
		s.fail(a.update(now))
		a.raised, a.factor = false, 1 // sm.update
		if a.hasEnded {
			delete(s.accounts, pid)
			s.fail(s.cfg.Objs.ForgetCost(pid))
		}
	}
	for _, sm := range s.modules {
		sm.update()
	}
}

// list finds out which processes have which module.
func (s *Survey) list(now time.Time) {
	s.pass++
	charged, err := s.cfg.Objs.ChargedProcesses()
	s.fail(err)
	var recorded []int
	if s.cfg.Recorded != nil {
		recorded, err = s.cfg.Recorded()
		s.fail(err)
	}
	running := s.byProgram()
	for _, sm := range s.modules {
		pids := sm.Probes.Processes()
		if slices.Contains(pids, 0) { // links for all processes
			pids = slices.DeleteFunc(pids, func(pid int) bool { return pid == 0 })
			candidates := slices.Concat(sm.PIDs, charged, running[sm.Image.Key])
			if s.cfg.Recorded != nil {
				candidates = recorded
			}
			for _, pid := range candidates {
				if !slices.Contains(pids, pid) && s.maps(pid, sm.Image.Key) {
					pids = append(pids, pid)
				}
			}
		}
		sm.leave(pids)
		for _, pid := range pids {
			a := s.accounts[pid]
			if a == nil {
				a = newAccount(pid, s.cfg.Limit, s.cfg.Objs, s.usedAtStart[pid], &s.grace, now)
				s.accounts[pid] = a
				s.fail(s.cfg.Objs.CountSockets(pid))
				s.fail(a.update(now))
				sm.backlog(a)
			}
			sm.join(a)
		}
	}
	for _, pid := range charged {
		if s.accounts[pid] == nil && !proc.Exists(pid) {
			s.fail(s.cfg.Objs.ForgetCost(pid))
		}
	}
	maps.DeleteFunc(s.mapped, func(pid int, f mappedFiles) bool { return proc.StartTime(pid) != f.started })
}

// byProgram returns the processes that run each program, if the whole machine is recorded.
func (s *Survey) byProgram() map[image.Key][]int {
	if !s.cfg.Machine {
		return nil
	}
	list := map[image.Key][]int{}
	for _, pid := range proc.All() {
		if key, err := image.ProgramOf(pid); err == nil {
			list[key] = append(list[key], pid)
		}
	}
	return list
}

// maps reports whether a process has mapped a file.
func (s *Survey) maps(pid int, key image.Key) bool {
	started := proc.StartTime(pid)
	f, ok := s.mapped[pid]
	if !ok || f.started != started || !f.keys[key] && f.pass != s.pass {
		f = mappedFiles{started, s.pass, map[image.Key]bool{}}
		for _, k := range image.KeysOf(pid) {
			f.keys[k] = true
		}
		s.mapped[pid] = f
	}
	return f.keys[key]
}

// sinceStart returns a time (CLOCK_MONOTONIC) as the trace has it.
func (s *Survey) sinceStart(ns uint64) uint64 { return clock.SinceStart(ns, s.startNs) }

// write queues a window for the trace. told is the useful processor time in it, done all that the
// processes did.
func (s *Survey) write(w *window, toNs, offNs uint64, told time.Duration, done work) {
	s.cfg.Trace.AddWindow(w.set, format.Window{
		FromNs: s.sinceStart(w.fromNs), ToNs: s.sinceStart(toNs), OffNs: s.sinceStart(offNs),
		CPUNs: uint64(max(0, told)), CostNs: uint64(max(0, done.spent)), IOCalls: done.ioCalls,
		Rough: w.rough || w.set.raises, All: w.all,
	})
}

// fail keeps the first error. A survey goes on with what it can probe.
func (s *Survey) fail(err error) {
	if err == nil {
		return
	}
	s.errMu.Lock()
	defer s.errMu.Unlock()
	s.err = cmp.Or(s.err, err)
}

// Figures says what the survey did.
func (s *Survey) Figures() *Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &Figures{Limit: s.cfg.Limit}
	var useful, spent time.Duration
	for _, sm := range s.modules {
		useful, spent = useful+sm.useful, spent+sm.spent
		sm.count(f)
	}
	if spent > 0 { // which is an estimate
		f.Used = spent.Seconds() / (max(0, useful) + spent).Seconds()
	}
	return f
}

// Warnings says what went wrong, and which figures are wrong.
func (s *Survey) Warnings() (list []string) {
	s.errMu.Lock()
	defer s.errMu.Unlock()
	if s.err != nil {
		list = append(list, fmt.Sprintf("not all functions could be probed within the overhead limit: %v", s.err))
	}
	raises := func(f surveyedFunc) bool { return f.raises }
	if slices.ContainsFunc(s.modules, func(sm *surveyedModule) bool { return slices.ContainsFunc(sm.funcs, raises) }) {
		list = append(list, "the times of Python's functions are too long: CPython runs up to 4 times as slowly while they are probed")
	}
	return list
}
