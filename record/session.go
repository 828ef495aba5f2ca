//go:build linux

package record

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/command"
	"utrace/record/internal/linker"
	"utrace/record/internal/live"
	"utrace/record/internal/openfiles"
	"utrace/record/internal/output"
	"utrace/record/internal/proc"
	"utrace/record/internal/survey"
	"utrace/record/internal/untraceable"
	"utrace/record/plan"
)

// Run records until the duration is over, ctx is done, the targets have ended or the file is full.
// The end of ctx is a regular end. If an error cuts the recording short, the trace is complete up
// to that moment.
func Run(ctx context.Context, cfg Config) (sum *Summary, err error) {
	if err := openfiles.ReserveStart(); err != nil {
		return nil, err
	}
	cfg.Probes = cfg.withRules()
	restore := func() {}
	if len(cfg.Command) == 0 { // otherwise nothing runs that could be slowed down
		restore = lowerPriority()
	}
	planned, err := plan.New(cfg.Config)
	restore()
	if err != nil {
		return nil, err
	}
	defer planned.Close()
	children := cfg.Follow
	cfg.PIDs, cfg.Follow = planned.PIDs, planned.Follow()
	s := &session{cfg: cfg, children: children, plan: planned, modules: newModules(planned.Modules), free: untraceable.New()}
	for _, text := range planned.Choices() {
		s.notice("%s", text)
	}
	return s.run(ctx)
}

// session is a recording from its preparation to its end.
type session struct {
	cfg      Config // Follow is set for a selection as well
	plan     *plan.Plan
	modules  []*module // of the plan
	method   bpf.Method
	children bool  // of recorded processes are recorded: Config.Follow as it was given
	targets  []int // processes to begin with; none: see machine

	readingLines sync.WaitGroup

	output      *output.File     // nil with Config.Flight or Config.Observer
	flight      *flightRecorder  // nil without Config.Flight
	live        *live.Sink       // nil without Config.Observer
	command     *command.Command // nil without one
	free        *untraceable.Processes
	objs        *bpf.Objects
	holder      *linker.Holder // nil without Config.LinkHolder
	probes      *attachedProbes
	processes   *processes
	text        *textWatch
	traps       trapWatch
	definitions *definitions
	discoverer  *discoverer // nil if no new process, program or library can matter
	costs       costWatch
	survey      *survey.Survey   // nil without an overhead limit
	limitCosts  *Costs           // that the overhead limit uses; nil without one
	sampler     *sampler         // nil without samples
	surveying   atomic.Bool      // the survey has begun
	refused     []format.LeftOut // by the kernel, since then; the drainer\'s
	leaders     leaderWatch
	w           sink
	drainer     *drainer
	start       format.Anchor
}

// run goes through the stages of a recording:
//
//  1. prepare: check the kernel, create the file, start the command, held.
//  2. load the programs; calibrate; attach the probes.
//  3. begin the trace with all that is known.
//  4. activate: turn the probes on, let the command run.
//  5. loop: drain until the end.
//  6. finish: turn the probes off, drain what is left, complete the file, detach.
func (s *session) run(ctx context.Context) (sum *Summary, err error) {
	defer func() {
		if cerr := s.close(); err == nil {
			err = cerr
		}
	}()
	// Whatever goes wrong before its release, the command has not run yet.
	defer func() {
		if sum == nil && s.command != nil {
			s.command.Discard()
		}
	}()
	for _, stage := range []func() error{s.prepare, s.load, s.attach, s.begin} {
		if err := stage(); err != nil {
			return nil, err
		}
	}
	ended, err := s.activate()
	if err != nil {
		return nil, err
	}
	reason, loopErr := s.loop(ctx, ended)
	sum, err = s.finish(reason)
	if loopErr == nil && err == nil && s.output != nil {
		err = s.output.Publish() // even without an event
	}
	if sum != nil {
		err = errors.Join(err, s.locate(sum))
	}
	if loopErr != nil { // errors of finish follow from it
		return sum, loopErr
	}
	s.awaitCommand(sum, reason)
	return sum, err
}

// locate notes where the trace is, if it was kept.
func (s *session) locate(sum *Summary) (err error) {
	if s.output == nil || !s.output.Published {
		return nil
	}
	sum.Path, err = s.output.Locate()
	if sum.Path != "" && sum.Path != s.cfg.Output {
		sum.Warnings = append(sum.Warnings, fmt.Sprintf("%s was removed or replaced while recording: the trace is in %s", s.cfg.Output, sum.Path))
	}
	return err
}

// stopWatching releases the traced processes and ends the discoverer. From then on a single
// goroutine works on the recording.
func (s *session) stopWatching() {
	if s.survey != nil {
		s.survey.Stop()
	}
	if s.text != nil {
		s.text.stop()
	}
	if s.command != nil {
		s.command.StopTracing()
	}
	if s.discoverer != nil {
		s.discoverer.close()
	}
}

// attachedModules returns the modules of each recorded process, none for the whole machine.
func (s *session) attachedModules() map[int][]*module {
	if s.discoverer != nil {
		return s.discoverer.attachedModules()
	}
	return s.processes.attachedModules()
}

// awaitCommand waits for a command that outlives an interrupted recording, if the caller asks for
// it.
func (s *session) awaitCommand(sum *Summary, reason string) {
	if s.command == nil || sum == nil || sum.Command != nil || reason != reasonInterrupt || s.cfg.AwaitCommand == nil {
		return
	}
	if ended, err := proc.WatchExit([]int{s.command.PID}); err == nil && s.cfg.AwaitCommand(ended) {
		sum.Command = s.command.Wait(true)
	}
}

// notice reports an event worth knowing while it happens.
func (s *session) notice(text string, args ...any) {
	if s.cfg.Notice != nil {
		s.cfg.Notice(fmt.Sprintf(text, args...))
	}
}

// close releases everything that the session holds, also after an error.
func (s *session) close() error {
	s.readingLines.Wait()
	s.stopWatching()
	errs := []error{s.costs.close()}
	if s.probes != nil {
		errs = append(errs, s.probes.close())
	}
	if s.holder != nil {
		errs = append(errs, s.holder.Close())
	}
	if s.objs != nil {
		errs = append(errs, s.objs.Close())
	}
	if s.drainer != nil && s.drainer.stacks != nil {
		s.drainer.stacks.Close()
	}
	if s.flight != nil {
		errs = append(errs, s.flight.close())
	}
	if s.output != nil {
		errs = append(errs, s.publish(), s.output.Close())
	}
	return errors.Join(errs...)
}
