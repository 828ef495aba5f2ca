//go:build linux

package record

import (
	"fmt"
	"os"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/clock"
	"utrace/record/internal/command"
	"utrace/record/internal/linker"
	"utrace/record/internal/live"
	"utrace/record/internal/output"
	"utrace/record/internal/probe"
	"utrace/record/internal/proc"
	"utrace/record/internal/stacks"
	"utrace/record/internal/survey"
	"utrace/record/plan"
)

// prepare checks what the kernel allows, creates the file and starts the command, held.
func (s *session) prepare() (err error) {
	single := !s.machine()
	if s.method, err = s.cfg.Attach.Choose(single || s.plan.NeedsPerProcess()); err != nil {
		return err
	}
	if err := proc.CheckPIDNamespace(); err != nil {
		return err
	}
	s.readingLines.Go(s.plan.ReadLines)
	if err := s.createOutput(); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	s.targets = s.cfg.PIDs
	if len(s.cfg.Command) > 0 {
		if s.command, err = command.Start(s.cfg.Command); err != nil {
			return err
		}
		s.targets = append([]int{s.command.PID}, s.targets...)
	}
	if s.cfg.Started != nil {
		s.cfg.Started()
	}
	return nil
}

// machine reports whether all processes of the machine are recorded.
func (s *session) machine() bool {
	return len(s.cfg.PIDs)+len(s.cfg.Command) == 0 && s.plan.Selector == nil
}

// createOutput creates the file, unless there will be none. A flight recorder only finds out whether
// it could.
func (s *session) createOutput() (err error) {
	switch {
	case s.cfg.Observer != nil:
		return nil
	case s.cfg.Flight == nil:
		s.output, err = output.Create(s.cfg.Output, s.cfg.Force)
		return err
	}
	first, err := output.Create(flightPath(s.cfg.Output, s.cfg.Flight.Times, 1), s.cfg.Force)
	if err != nil {
		return err
	}
	return first.Close()
}

// load loads the BPF programs, and creates what depends on them. Source lines, which take as much
// processor time, are read at the same time.
func (s *session) load() (err error) {
	defer s.readingLines.Wait()
	grows := s.plan.CanGrow() || s.plan.NeedsPerProcess() || s.plan.ChoosesBusy()
	funcs := s.plan.Funcs()
	conditions := slices.ContainsFunc(s.plan.Probes, func(p *probe.Probe) bool { return p.Values.Condition != nil })
	if grows {
		funcs += maxDiscoveredFuncs
	}
	s.objs, err = bpf.Load(bpf.Options{
		RingBytes: s.cfg.RingBytes, Funcs: funcs, Sites: s.plan.CountTableSites(grows), TGIDs: s.targets, Method: s.method,
		Follow: s.cfg.Follow, DeferCalls: s.plan.DefersCalls(), Limited: s.cfg.MaxOverhead > 0, Sched: s.cfg.Sched, Stacks: s.cfg.Stacks, Samples: s.takesSamples(),
		Conditions: conditions, Sessions: conditions && !s.plan.DefersCalls() && s.method == bpf.Multi && bpf.Sessions.Probe() == nil,
	})
	if err != nil {
		return err
	}
	if s.objs.DisplacedErr != nil {
		s.notice("the time for which the recorder pre-empts threads is not recorded: %v", s.objs.DisplacedErr)
	}
	if s.takesSamples() {
		s.sampler = newSampler(s.objs, s.cfg.Samples, s.notice)
	}
	if s.children {
		if err := s.addNewChildren(); err != nil {
			return err
		}
	}
	links, err := s.newLinker()
	if err != nil {
		return err
	}
	s.probes = newAttachedProbes(s.objs, links, s.method, s.leaveOut)
	s.definitions = &definitions{}
	attachIn := s.targets
	if s.cfg.Follow {
		attachIn = nil
	}
	machine, selects := s.machine(), s.plan.Selector != nil
	s.processes = newProcesses(s.objs, s.probes, s.cfg.Follow)
	if err := s.processes.choose(s.modules, s.command != nil, machine, selects); err != nil {
		return err
	}
	s.leaders = leaderWatch{pids: attachIn, perf: s.method == bpf.Perf, notice: s.notice}
	if grows || machine || s.cfg.Follow {
		s.discoverer = newDiscoverer(s.plan, s.processes, s.definitions, machine, attachIn)
		s.discoverer.notice = s.notice
		if selects {
			s.discoverer.newcomers = newNewcomers(s.plan, s.children)
		}
	}
	return nil
}

// leaveOut notes a function that the kernel refuses to probe. A survey finds some at any time.
func (s *session) leaveOut(l format.LeftOut) {
	if !s.surveying.Load() {
		s.plan.LeftOut = append(s.plan.LeftOut, l)
		return
	}
	s.definitions.add(func(c *catalog) {
		c.w.AddLeftOut(l)
		s.refused = append(s.refused, l)
	})
}

// newLinker starts the process that will hold the links. It starts while costs are measured.
func (s *session) newLinker() (_ linker.Linker, err error) {
	if len(s.cfg.LinkHolder) == 0 {
		return linker.Local(s.method), nil
	}
	if s.holder, err = linker.NewHolder(s.cfg.LinkHolder, s.method, s.objs.OnInstruction, s.objs.OnReturn, s.objs.OnSite, s.objs.OnCall); err != nil {
		return nil, fmt.Errorf("start the process that holds the probes: %w", err)
	}
	return s.holder, s.objs.SetHolder(s.holder.PID())
}

// addNewChildren adds the children that the processes forked after they were listed. It ends,
// because the kernel adds the children of every process on its list from bpf.Load on. Their
// programs are found like those of others.
func (s *session) addNewChildren() error {
	for {
		fresh := slices.DeleteFunc(proc.WithDescendants(s.cfg.PIDs), func(pid int) bool { return slices.Contains(s.cfg.PIDs, pid) })
		if len(fresh) == 0 {
			return nil
		}
		for _, pid := range fresh {
			if err := s.objs.AddProcess(pid); err != nil {
				return err
			}
		}
		s.cfg.PIDs = slices.Concat(s.cfg.PIDs, fresh)
		s.targets = slices.Concat(s.targets, fresh)
	}
}

// attach measures the cost of hits, and attaches the modules of the plan.
func (s *session) attach() error {
	if err := s.calibrate(); err != nil {
		return err
	}
	if err := s.probes.reserveFiles(s.modules, s.countProcesses); err != nil {
		return err
	}
	first := format.FuncID(0)
	for _, m := range s.modules {
		m.first = first
		first += format.FuncID(len(m.Funcs))
		if s.survey != nil {
			m.joinSurvey(s.survey, s.probes, s.definitions, s.command != nil)
		}
		if err := s.attachModule(m); err != nil {
			return err
		}
	}
	command := 0
	if s.command != nil {
		command = s.command.PID
	}
	if err := s.processes.start(s.cfg.PIDs, command); err != nil {
		return err
	}
	if s.discoverer != nil {
		s.discoverer.survey = s.survey
		s.processes.dropReturns = s.discoverer.dropReturns
	}
	s.noticeDetach("when the recording ends, detaching")
	if s.survey == nil && s.probes.count() == 0 && len(s.plan.Pending) == 0 && len(s.plan.LeftOut) > 0 && !s.plan.NeedsPerProcess() && (s.cfg.Follow || !s.processes.each) {
		return fmt.Errorf("%w: the kernel refused all probes, such as %s: %s", plan.ErrNothing, s.plan.LeftOut[0].Name, s.plan.LeftOut[0].Reason)
	}
	return nil
}

func (s *session) attachModule(m *module) error {
	if s.processes.takes(m) {
		return s.processes.add(m)
	}
	pids := s.pidsOf(m)
	if len(pids) == 0 {
		pids = []int{0}
	}
	for _, pid := range pids {
		noReturns, err := s.probes.attach(m, pid)
		if err != nil {
			return err
		}
		m.dropReturns(noReturns)
		s.processes.noteTarget(pid, m)
	}
	return nil
}

// pidsOf returns the processes in which to attach a module; none: all.
func (s *session) pidsOf(m *module) []int {
	switch {
	case s.cfg.Follow: // the programs in the kernel choose the recorded ones
		return nil
	case s.command == nil:
		return m.PIDs
	}
	return append(slices.Clone(m.PIDs), s.command.PID)
}

// countProcesses returns in how many processes a module is attached.
func (s *session) countProcesses(m *module) int {
	if s.processes.takes(m) || s.processes.splittable {
		return max(manyProcesses, 2*len(s.targets))
	}
	return max(1, len(s.pidsOf(m)))
}

// calibrate starts to measure the cost of hits, and chooses the costs that the overhead limit uses.
func (s *session) calibrate() error {
	limited := s.cfg.MaxOverhead > 0
	first, used := calibrationTestsFor(s.plan, s.discoverer != nil, limited)
	s.costs = costWatch{objs: s.objs, definitions: s.definitions, notice: s.notice}
	costs := s.costs.begin(calibratorConfig{
		command: s.cfg.Calibrator, method: s.method, targets: s.targets, filter: s.cfg.Follow || len(s.targets) > 1, limited: limited, tests: first,
	}, used)
	if !limited {
		return nil
	}
	return s.newSurvey(costs)
}

// newSurvey makes the survey of a recording with an overhead limit.
func (s *session) newSurvey(costs Costs) (err error) {
	cfg := survey.Config{
		Limit: s.cfg.MaxOverhead, Objs: s.objs, Method: s.method, Linker: s.probes.linker, Trace: s.definitions, Hits: costs.Hits,
		Machine: s.machine(), Command: s.command != nil, Samples: s.sampler != nil, Duration: s.cfg.Duration,
	}
	if s.cfg.Follow {
		cfg.Recorded = s.objs.Processes
	}
	s.limitCosts = &costs
	s.survey, err = survey.New(cfg)
	return err
}

// begin writes the definitions known before the first event. The file gets its name if that
// replaces no trace: scripts wait for the file, to know that the probes are attached.
func (s *session) begin() (err error) {
	s.start = clock.Now()
	startNs := uint64(s.start.MonoNs)
	if err := s.newSink(); err != nil {
		return err
	}
	s.drainer = newDrainer(s.objs, s.w, s.definitions, startNs)
	for _, pid := range s.cfg.PIDs {
		s.drainer.threads.DefineProcess(uint32(pid))
	}
	if s.plan.DefersCalls() { // see keepOpen
		s.drainer.threads.EndedNs = map[uint32]uint64{}
	}
	if s.cfg.Stacks || s.sampler != nil {
		s.drainer.stacks, s.drainer.callers = stacks.NewSet(s.plan.Files, s.cfg.Stacks), s.cfg.Stacks
	}
	if s.sampler != nil {
		s.drainer.sampler, s.sampler.stacks = s.sampler, s.drainer.stacks
	}
	for _, m := range s.modules {
		s.drainer.catalog.add(m)
	}
	for _, l := range s.plan.LeftOut {
		s.w.AddLeftOut(l)
	}
	for _, cal := range s.costs.list {
		s.w.AddCalibration(cal)
	}
	if err := s.w.Flush(); err != nil {
		return err
	}
	if s.output == nil {
		return nil
	}
	return s.output.PublishNew()
}

// newSink creates what takes the definitions and events.
func (s *session) newSink() (err error) {
	if s.cfg.Observer != nil {
		s.live = live.NewSink(s.cfg.Observer)
		s.w = s.live
		return nil
	}
	if s.cfg.Flight != nil {
		if s.flight, err = newFlightRecorder(s); err == nil {
			s.w = s.flight.memory
		}
		return err
	}
	w, err := format.NewWriter(s.output.File, s.meta())
	if err == nil {
		s.w = w
	}
	return err
}

// publish gives the file its name once an event has been written.
func (s *session) publish() error {
	if s.output == nil || s.output.Published || s.w == nil {
		return nil
	}
	if events, _ := s.w.Events(); events+s.w.Sched() == 0 || !s.output.HoldsEvent(s.w.Size()) {
		return nil
	}
	if err := s.output.Publish(); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

// meta describes the recording for the trace.
func (s *session) meta() format.Meta {
	var uts unix.Utsname
	unix.Uname(&uts)
	host, _ := os.Hostname()
	m := format.Meta{
		Recorder: s.cfg.Version, Host: host, Kernel: unix.ByteSliceToString(uts.Release[:]), Arch: runtime.GOARCH,
		Args: s.cfg.Args, Command: s.cfg.Command, PIDs: s.cfg.PIDs, Presets: s.plan.PresetNames(s.cfg.Config),
		CPUs: runtime.NumCPU(), RingBytes: s.cfg.RingBytes, Start: s.start, Stacks: s.cfg.Stacks,
		Chosen: !s.cfg.NamesProbes(), Follow: s.children, DurationNs: int64(s.cfg.Duration), MaxBytes: s.cfg.MaxBytes,
		Labels: s.cfg.Labels, Sched: s.cfg.Sched, SlowerThanNs: int64(s.cfg.SlowerThan), MaxOverheadPercent: 100 * s.cfg.MaxOverhead, Costs: s.limitCosts.describe(),
	}
	for _, p := range s.cfg.Probes {
		m.Probes = append(m.Probes, p.Text)
	}
	if s.sampler != nil {
		m.SampleHz = s.cfg.Samples
	}
	return m
}

// activate turns the probes on and lets the command run. ended is closed when all targets have
// ended; it is nil with Config.Follow, where the kernel's list of processes shows that.
func (s *session) activate() (ended <-chan struct{}, err error) {
	if len(s.targets) > 0 && !s.cfg.Follow {
		if ended, err = proc.WatchExit(s.targets); err != nil {
			return nil, err
		}
	}
	if s.flight != nil {
		if err := s.flight.memory.Check(); err != nil {
			return nil, err
		}
	}
	for _, text := range s.plan.Problems {
		s.notice("warning: %s", text)
	}
	if err := s.plan.Nobody(); err != nil {
		s.notice("%v yet: waiting for one that starts", err)
	} else {
		for _, err := range s.plan.Pending {
			s.notice("%v: waiting for programs and libraries that appear later", err)
		}
	}
	if s.survey != nil {
		s.survey.Begin(uint64(s.start.MonoNs))
		s.surveying.Store(true)
	}
	if s.sampler != nil {
		if err := s.objs.Sample(true); err != nil {
			return nil, fmt.Errorf("turn on samples: %w", err)
		}
	}
	if err := s.objs.Enable(true); err != nil {
		return nil, fmt.Errorf("turn on the probes: %w", err)
	}
	if err := s.release(); err != nil {
		return nil, err
	}
	if s.survey != nil {
		// While a survey changes breakpoints, each thread of ours that has to wait for a processor costs
		// the traced program hits.
		setPriority(drainNice)
		s.costs.scale = s.survey.Scale
		s.survey.Watch()
		if s.discoverer != nil {
			s.discoverer.watchBusy()
		}
	}
	s.costs.watch(uint64(s.start.MonoNs))
	return ended, nil
}

// release lets the command run, and starts to watch for new programs and libraries.
func (s *session) release() error {
	for _, pid := range s.cfg.PIDs {
		if s.cfg.Follow && proc.HasEnded(pid) { // perhaps before its end was watched
			if err := s.objs.RemoveProcess(pid); err != nil {
				return err
			}
		}
	}
	if s.discoverer != nil {
		if s.discoverer.selects() {
			s.discoverer.newcomers.ended = s.drainer.endRecorded
		}
		s.discoverer.watch(uint64(s.start.MonoNs))
	}
	s.drainer.onTask = s.onTask
	if s.flight != nil {
		s.flight.announce()
	}
	s.text = newTextWatch(s.probes, s.attachedModules)
	s.text.watch(uint64(s.start.MonoNs), s.cfg.Follow)
	switch {
	case s.command == nil:
		return nil
	case s.cfg.Follow:
		return s.command.Trace(s.tracer())
	}
	return s.command.Release()
}

// onTask passes on the start or end of a task to those who need it.
func (s *session) onTask(rec *bpf.Task) {
	s.leaders.task(rec)
	s.traps.task(rec)
	if s.flight != nil {
		s.flight.onTask(rec)
	}
	switch rec.Kind {
	case bpf.TaskExec:
		s.free.Ran(int(rec.PID), rec.TimeNs)
	case bpf.TaskFork:
		s.free.Forked(int(rec.Other), int(rec.PID))
	}
}

// tracer returns a tracer that holds the command and its children where they get probes.
func (s *session) tracer() *command.Tracer {
	return &command.Tracer{
		Free:   s.free,
		Execed: func(pid, tid int) { s.discoverer.execed(pid, tid, 0) },
		Forked: func(pid int) { s.discoverer.forked(pid, proc.Parent(pid), 0) },
		Reaped: s.discoverer.reaped,
		Exiting: func(pid int) {
			if st := s.drainer.stacks; st != nil {
				st.Code.Remember(pid)
			}
			s.text.look(pid, s.discoverer.modulesIn(pid))
		},
	}
}
