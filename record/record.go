//go:build linux

package record

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/probe"
	"utrace/record/internal/proc"
	"utrace/record/plan"
)

// Reasons for the end of a recording.
const (
	reasonDuration  = "the duration is over"
	reasonInterrupt = "interrupted"
	reasonTargets   = "the recorded processes have ended"
	reasonCommand   = "the command has ended"
	reasonError     = "the trace could not be written"
	reasonSize      = "the file has reached its maximum size"
)

// flushEvery is the longest that an event stays out of the file.
const flushEvery = 500 * time.Millisecond

// progressEvery is how often Progress is called.
const progressEvery = 250 * time.Millisecond

// drainNice is the priority of the thread that empties the rings: it must get
// a CPU even if the traced threads want them all, for what does not fit is lost.
const drainNice = -15

// Run records until the duration is over, the context is done, the targets
// have ended or the file is full. The context's end is a regular one. When an
// error cuts the recording short, the trace up to there is complete on disk.
func Run(ctx context.Context, cfg Config) (sum *Summary, err error) {
	planned, err := plan.New(cfg.Config)
	if err != nil {
		return nil, err
	}
	defer planned.Close()
	cfg.PIDs = planned.PIDs
	if cfg.Notice != nil {
		for _, text := range planned.Choices() {
			cfg.Notice(text)
		}
	}
	return record(ctx, planned, cfg)
}

// recording is what is open while recording.
type recording struct {
	cfg     Config
	plan    *plan.Plan
	modules []*module // of the plan
	objs    *bpf.Objects
	method  bpf.Method
	targets []int // processes to begin with; empty: all
	halved  []int // those of which only the beginning is recorded, see halve
	command *command
	probes  attachedProbes
	limiter *limiter // nil without a limit
	costs   *Costs   // with a limit
	watch   costWatch
	file    *os.File
	begun   bool // the file has its name
	w       *format.Writer
	drainer *drainer
	start   format.Anchor

	uncountedDrops uint64

	follower *follower // nil if nothing can appear that probes speak of
}

// record goes through the stages of a recording:
//
//  1. prepare: check the kernel, create the file, start the command, stopped.
//  2. load the programs, attach the probes, write what is known to the file.
//  3. activate: note the time, turn the probes on, let the command run.
//  4. drain until the end; turn the probes off; drain what is left.
//  5. complete the file and detach.
func record(ctx context.Context, p *plan.Plan, cfg Config) (sum *Summary, err error) {
	r := &recording{cfg: cfg, plan: p, modules: newModules(p.Modules)}
	defer func() {
		if cerr := r.close(); err == nil && cerr != nil {
			err = cerr
		}
	}()
	if r.method, err = cfg.Attach.Choose(len(cfg.PIDs)+len(cfg.Command) > 0 || p.NeedsPerProcess()); err != nil {
		return nil, err
	}
	if err := checkPIDNamespace(); err != nil {
		return nil, err
	}
	p.ReadLines()
	if r.file, err = createOutput(cfg.Output, cfg.Force); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	defer func() {
		if !r.begun {
			err = errors.Join(err, os.Remove(r.file.Name()))
		}
	}()
	if len(cfg.Command) > 0 {
		if r.command, err = startCommand(cfg.Command); err != nil {
			return nil, err
		}
		// Whatever goes wrong up to its release, it has not run yet.
		defer func() {
			if sum == nil && r.command != nil {
				r.command.discard()
			}
		}()
	}
	if cfg.Started != nil {
		cfg.Started()
	}
	r.targets = cfg.PIDs
	if r.command != nil {
		r.targets = append([]int{r.command.pid}, r.targets...)
	}
	if p.CanGrow() || p.NeedsPerProcess() {
		r.follower = newFollower(r)
	}
	room := p.Funcs()
	if r.follower != nil {
		room += laterFuncs
	}
	sites := p.CountTableSites(r.follower != nil)
	if r.objs, err = bpf.Load(bpf.Options{
		RingBytes: cfg.RingBytes, Funcs: room, TGIDs: r.targets, Follow: cfg.Follow, Method: r.method, Sites: sites, DeferCalls: p.DefersCalls(),
		Conditions: slices.ContainsFunc(p.Probes, func(pr *probe.Probe) bool { return pr.Values.Condition != nil }),
		Limited:    cfg.MaxOverhead > 0, Sched: cfg.Sched, Stacks: cfg.Stacks,
	}); err != nil {
		return nil, err
	}
	if r.objs.DisplacedErr != nil {
		r.notice("for how long the recorder runs in the place of threads is not told: %v", r.objs.DisplacedErr)
	}
	if cfg.Follow {
		if err := r.followNewborn(); err != nil {
			return nil, err
		}
	}
	r.calibrate()
	if err := r.attach(); err != nil {
		return nil, err
	}
	if err := r.begin(); err != nil {
		return nil, err
	}
	var gone <-chan struct{}
	if len(r.targets) > 0 && !cfg.Follow {
		if gone, err = proc.WatchExit(r.targets); err != nil {
			return nil, err
		}
	}
	for _, text := range p.Problems {
		if cfg.Notice != nil {
			cfg.Notice("warning: " + text)
		}
	}
	for _, err := range p.Pending {
		if len(cfg.Probes) > 0 {
			r.notice("%v: looking for it in what is executed and loaded from now on", err)
		}
	}
	if r.costs != nil {
		r.limiter = newLimiter(cfg.MaxOverhead, *r.costs)
	}
	if err := r.objs.Enable(true); err != nil {
		return nil, fmt.Errorf("turn on the probes: %w", err)
	}
	if err := r.release(); err != nil {
		return nil, err
	}
	r.watch.start(r)
	reason, runErr := r.loop(ctx, gone)
	sum, err = r.finish(reason)
	if runErr != nil { // what it led to while finishing is no news
		return sum, runErr
	}
	if r.command != nil && sum != nil && sum.Command == nil && reason == reasonInterrupt && cfg.AwaitCommand != nil {
		if ended, werr := proc.WatchExit([]int{r.command.pid}); werr == nil && cfg.AwaitCommand(ended) {
			sum.Command = r.command.wait(true)
		}
	}
	return sum, err
}

// notice tells what is good to know.
func (r *recording) notice(text string, args ...any) {
	if r.cfg.Notice != nil {
		r.cfg.Notice(fmt.Sprintf(text, args...))
	}
}

// pids returns the processes to attach a module in; none: in all.
func (r *recording) pids(m *module) []int {
	if r.command == nil {
		return m.PIDs
	}
	return append(slices.Clone(m.PIDs), r.command.pid)
}

// release lets the command run and watches for what appears from now on.
func (r *recording) release() error {
	follow := r.cfg.Follow
	for _, pid := range r.cfg.PIDs {
		if follow && proc.HasEnded(pid) { // perhaps before it was watched
			if err := r.objs.RemoveProcess(pid); err != nil {
				return err
			}
		}
	}
	guarded := r.plan.NeedsPerProcess()
	if r.follower != nil {
		r.follower.watch()
	}
	r.drainer.onTask = func(rec *bpf.Task) {
		r.watchExec(rec)
		if r.follower == nil {
			return
		}
		if rec.Kind == bpf.TaskExec && len(r.targets) > 0 || guarded && (rec.Kind == bpf.TaskExec || rec.Kind == bpf.TaskFork) {
			select {
			case r.follower.tasks <- *rec:
			default: // it will be looked at within a second
			}
		}
	}
	switch {
	case r.command == nil:
		return nil
	case follow && (r.follower != nil || r.cfg.Stacks):
		return r.command.trace(r.tracer())
	}
	return r.command.release()
}

// tracer returns what holds the command and its children where something is to be found out about them.
func (r *recording) tracer() *tracer {
	t := &tracer{}
	if r.follower != nil {
		t.execed = func(pid, tid int) { r.follower.execed(pid, tid, false) }
		if r.plan.NeedsPerProcess() {
			t.forked = func(pid int) { r.follower.forked(pid, false) }
		}
	}
	if s := r.drainer.stacks; s != nil {
		t.exiting = s.code.remember
	}
	return t
}

// stopFollowing leaves the processes alone. What is left of the recording is
// for one goroutine again.
func (r *recording) stopFollowing() {
	if r.command != nil {
		r.command.stopTracing()
	}
	if r.follower != nil {
		r.follower.close()
	}
}

// begin writes what is known before the first event, and gives the file its name.
func (r *recording) begin() (err error) {
	var uts unix.Utsname
	unix.Uname(&uts)
	host, _ := os.Hostname()
	r.start = now()
	r.w, err = format.NewWriter(r.file, format.Meta{
		Recorder: r.cfg.Version, Host: host, Kernel: unix.ByteSliceToString(uts.Release[:]), Arch: runtime.GOARCH,
		Args: r.cfg.Args, Command: r.cfg.Command, PIDs: r.cfg.PIDs, Probes: probeTexts(r.cfg.Probes), Presets: r.plan.PresetNames(r.cfg.Config),
		CPUs: runtime.NumCPU(), RingBytes: r.cfg.RingBytes, Start: r.start, Stacks: r.cfg.Stacks,
		Sched: r.cfg.Sched, SlowerThanNs: int64(r.cfg.SlowerThan), MaxOverheadPercent: 100 * r.cfg.MaxOverhead, Costs: r.costs.describe(),
	})
	if err != nil {
		return err
	}
	r.drainer = newDrainer(r.objs, r.w, uint64(r.start.MonoNs))
	if r.plan.DefersCalls() { // see keepOpen
		r.drainer.threads.endsNs = map[uint32]uint64{}
	}
	if r.cfg.Stacks {
		r.drainer.stacks = newStacks()
	}
	for _, m := range r.modules {
		r.drainer.catalog.add(m)
	}
	for _, l := range r.plan.LeftOut {
		r.w.AddLeftOut(l)
	}
	for _, cal := range r.watch.list {
		r.w.AddCalibration(cal)
	}
	if err := r.w.Flush(); err != nil {
		return err
	}
	err = os.Rename(r.file.Name(), r.cfg.Output)
	r.begun = err == nil
	return err
}

// loop drains the rings until there is a reason to stop.
func (r *recording) loop(ctx context.Context, gone <-chan struct{}) (reason string, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tid := unix.Gettid()
	if old, err := unix.Getpriority(unix.PRIO_PROCESS, tid); err == nil {
		if unix.Setpriority(unix.PRIO_PROCESS, tid, drainNice) == nil {
			defer unix.Setpriority(unix.PRIO_PROCESS, tid, 20-old) // the system call returns 20 - nice
		}
	}

	started := time.Now()
	ended := reasonTargets
	if r.command != nil {
		ended = reasonCommand
	}
	var end <-chan time.Time
	if r.cfg.Duration > 0 {
		timer := time.NewTimer(r.cfg.Duration)
		defer timer.Stop()
		end = timer.C
	}
	tick := time.NewTimer(0)
	defer tick.Stop()
	flushed, shown, counted := started, started, started
	for {
		select {
		case <-ctx.Done():
			return reasonInterrupt, nil
		case <-end:
			return reasonDuration, nil
		case <-gone:
			return ended, nil
		case now := <-tick.C:
			if err := r.drainer.round(); err != nil {
				return reasonError, err
			}
			if err := r.limit(now); err != nil {
				return reasonError, err
			}
			if now.Sub(flushed) >= flushEvery {
				if err := r.w.Flush(); err != nil {
					return reasonError, err
				}
				flushed = now
				r.watchLeaders()
			}
			if r.cfg.Progress != nil && now.Sub(shown) >= progressEvery {
				shown = now
				events, _ := r.w.Events()
				lost := r.drainer.lost
				r.cfg.Progress(Progress{Elapsed: now.Sub(started), Events: events, Lost: lost.entries + lost.returns, Bytes: r.w.Size()})
			}
			if r.cfg.Follow && (r.drainer.processEnded || now.Sub(counted) >= time.Second) {
				r.drainer.processEnded, counted = false, now
				switch left, err := r.objs.AnyProcess(); {
				case err != nil:
					return "", err
				case !left:
					return ended, nil
				}
			}
			if r.cfg.MaxBytes > 0 && r.w.Size() >= r.cfg.MaxBytes {
				return reasonSize, nil
			}
			tick.Reset(r.drainer.interval)
		}
	}
}

func (r *recording) detach() error {
	if err := r.probes.close(); err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	return nil
}

func (r *recording) close() error {
	r.stopFollowing()
	errs := []error{r.watch.close(), r.detach()}
	if r.follower != nil {
		errs = append(errs, r.follower.guard.close())
	}
	if r.objs != nil {
		errs = append(errs, r.objs.Close())
	}
	if r.drainer != nil && r.drainer.stacks != nil {
		r.drainer.stacks.close()
	}
	if r.file != nil {
		errs = append(errs, r.file.Close())
	}
	return errors.Join(errs...)
}

// probeTexts returns probes as they were typed.
func probeTexts(probes []*Probe) (texts []string) {
	for _, p := range probes {
		texts = append(texts, p.Text)
	}
	return texts
}

// now reads both clocks.
func now() format.Anchor {
	return format.Anchor{MonoNs: int64(monotonicNs()), WallNs: time.Now().UnixNano()}
}
