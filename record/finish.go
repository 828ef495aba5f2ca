//go:build linux

package record

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/clock"
	"utrace/record/plan"
)

// finish turns the probes off, drains what they left, completes the file and detaches. Detaching
// can take long (perfCloseTime). After a drain error the trace has everything written before the
// error.
func (s *session) finish(reason string) (*Summary, error) {
	if s.survey != nil {
		s.survey.Stop()
	}
	if err := errors.Join(s.objs.Enable(false), s.objs.Sample(false)); err != nil {
		return nil, fmt.Errorf("turn off the probes: %w", err)
	}
	stop := clock.Now()
	if s.survey != nil {
		s.survey.Finish(uint64(stop.MonoNs))
	}
	s.stopWatching()
	s.costs.stop()
	sum := &Summary{Reason: reason, Duration: time.Duration(stop.MonoNs - s.start.MonoNs)}

	uncounted, drainErr, err := s.drainRest(stop, sum)
	if err != nil {
		return nil, err
	}
	for _, pid := range s.leaders.truncated { // the last round may have found some
		sum.Reason += fmt.Sprintf("; process %d was recorded only until its first thread ended", pid)
	}
	stackWarnings, closeErr, err := s.complete(stop, sum, drainErr)
	if err != nil {
		return nil, err
	}
	s.noticeDetach("the trace is complete; detaching")
	if err := s.probes.close(); err != nil {
		return nil, err
	}
	s.summarize(sum, reason == reasonCommand)

	warnings, nothing, err := s.missing(uncounted)
	if text := s.costs.moved(); text != "" {
		warnings = append(warnings, text)
	}
	sum.Warnings = slices.Concat(warnings, stackWarnings, s.skippedDebug())
	return sum, errors.Join(drainErr, closeErr, err, nothing)
}

// skippedDebug names the files that appeared while recording, and whose debug files were therefore
// not downloaded.
func (s *session) skippedDebug() []string {
	const most = 5
	var skipped []string
	if s.cfg.Debuginfod != nil {
		skipped = s.cfg.Debuginfod.Skipped()
	}
	if len(skipped) == 0 {
		return nil
	}
	text := "not downloaded, because they appeared while recording: debug files of " + strings.Join(skipped[:min(len(skipped), most)], ", ")
	if n := len(skipped) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return []string{text}
}

// drainRest drains what the probes left, and decides on deferred calls that are still open.
// uncounted is the number of dropped calls that no count includes. drainErr is an error of
// draining, err one of reading the programs' other counts.
func (s *session) drainRest(stop format.Anchor, sum *Summary) (uncounted uint64, drainErr, err error) {
	drainErr = s.drainer.round()
	var dropped []format.Dropped
	if s.plan.DefersCalls() {
		if dropped, uncounted, err = settleCalls(s.objs, s.drainer, stop); err != nil {
			return 0, nil, err
		}
	}
	if drainErr == nil {
		drainErr = s.drainer.release(untilEnd)
	}
	for _, d := range dropped {
		s.w.AddDropped(d)
		sum.Dropped += d.Complete + d.Incomplete
	}
	return uncounted, drainErr, nil
}

// complete writes the counts and tables that are final only now, and completes the file.
func (s *session) complete(stop format.Anchor, sum *Summary, drainErr error) (stackWarnings []string, closeErr, err error) {
	end := format.End{Stop: stop, Reason: sum.Reason, Lost: s.drainer.lost.entries + s.drainer.lost.returns}
	funcs := s.drainer.catalog.funcs
	if end.FuncLost, err = s.objs.FuncLosses(s.plan.Funcs()); err != nil {
		return nil, nil, err
	}
	for i := range end.FuncLost {
		end.FuncLost[i].Func = funcs[end.FuncLost[i].Func].id
	}
	if end.Unmet, err = s.objs.Unmet(s.plan.Funcs()); err != nil {
		return nil, nil, err
	}
	for i := range end.Unmet {
		u := &end.Unmet[i]
		fn := &funcs[u.Func]
		fn.entries, fn.returns, u.Func = fn.entries+u.Entries, fn.returns+u.Returns, fn.id
	}
	if s.survey != nil {
		sum.Survey = s.survey.Figures()
	}
	if s.flight != nil && drainErr == nil {
		drainErr = s.flight.finish()
	}
	if st := s.drainer.stacks; st != nil && drainErr == nil && s.output != nil {
		stackWarnings = st.Define(s.w, s.drainer.catalog.probed())
	}
	lost, unplaced, err := s.objs.SampleLosses()
	if err != nil {
		return nil, nil, err
	}
	end.LostSamples = lost
	stackWarnings = append(stackWarnings, sampleWarnings(lost, unplaced)...)
	for _, l := range s.text.lost {
		s.w.AddLeftOut(l)
	}
	end.Missing = s.unrecorded()
	closeErr = s.w.Close(end)
	if drainErr != nil {
		closeErr = nil // the same error again
	}
	return stackWarnings, closeErr, s.publish()
}

// summarize adds the counts to the summary, and how the command ended. With commandEnded it waits
// for that end.
func (s *session) summarize(sum *Summary, commandEnded bool) {
	lost := s.drainer.lost
	sum.Events, sum.Calls = s.w.Events()
	sum.Sched, sum.LostSched = s.w.Sched(), lost.sched
	sum.LostEntries, sum.LostReturns = lost.entries, lost.returns
	sum.Overhead = spent(s.drainer.catalog, s.costs.list)
	sum.Threads = s.w.Threads()
	sum.Bytes = s.w.Size()
	if s.flight != nil {
		sum.Flight, sum.Bytes = s.flight.figures(), s.flight.bytes
	}
	sum.Modules, sum.Funcs, sum.LeftOut = len(s.plan.Modules), s.plan.Funcs(), slices.Concat(s.plan.LeftOut, s.refused)
	if s.command != nil {
		sum.CommandPID = s.command.PID
		sum.Command = s.command.Wait(commandEnded)
	}
}

// missing lists what was asked for and is not in the trace. nothing is an error if the trace has
// none of it. uncounted is the number of dropped calls that no count includes.
func (s *session) missing(uncounted uint64) (warnings []string, nothing, err error) {
	unfollowed, records, arrivals, err := s.objs.TaskLosses()
	if err != nil {
		return nil, nil, err
	}
	if unfollowed > 0 {
		warnings = append(warnings, fmt.Sprintf("%d child processes were not followed: too many at the same time", unfollowed))
	}
	if records > 0 {
		warnings = append(warnings, fmt.Sprintf("%d kernel records about the start or end of processes were lost: threads may be mixed up or have wrong names", records))
	}
	if arrivals > 0 && s.discoverer != nil {
		warnings = append(warnings, fmt.Sprintf("%d kernel records about processes were lost: some processes may have got their probes late, or not at all", arrivals))
	}
	if hits, err := s.objs.Uncounted(); err != nil {
		return nil, nil, err
	} else if hits > 0 {
		warnings = append(warnings, fmt.Sprintf("%d hits were not counted for the overhead limit: too many processes and functions", hits))
	}
	if uncounted > 0 {
		warnings = append(warnings, fmt.Sprintf("%d dropped calls are missing from the counts and times of their functions: too many functions and processes, or the names of the functions were lost", uncounted))
	}
	warnings = append(warnings, s.unrecorded()...)
	absent := s.plan.Absent() // activate has said why
	switch nobody := s.plan.Nobody(); {
	case len(absent) == 0:
	case len(s.plan.Modules) == 0 && nobody != nil:
		nothing = fmt.Errorf("%w: %v, or none with functions to probe", plan.ErrNothing, nobody)
	case len(s.plan.Modules) == 0:
		nothing = fmt.Errorf("%w: no program or library that appeared later has %s", plan.ErrNothing, strings.Join(absent, ", "))
	default:
		warnings = append(warnings, "no program or library that appeared later has "+strings.Join(absent, ", "))
	}
	return warnings, nothing, nil
}

// unrecorded lists the calls that could not be recorded.
func (s *session) unrecorded() []string {
	list := slices.Concat(s.plan.Missing, s.text.warnings(), s.traps.warnings())
	if s.survey != nil {
		list = append(list, s.survey.Warnings()...)
	}
	if d := s.discoverer; d != nil {
		list = slices.Concat(list, d.late, d.processes.warnings(), s.free.Warnings())
		if d.err != nil {
			list = append(list, fmt.Sprintf("not probed: %v", d.err))
		}
	}
	return list
}

// noticeDetach warns if detaching will take a while.
func (s *session) noticeDetach(what string) {
	lasts := time.Duration(s.probes.count()) * perfCloseTime
	if s.method == bpf.Perf && lasts > 5*time.Second {
		s.notice("%s %d probes from perf events can take %s", what, s.probes.count(), lasts.Round(time.Second))
	}
}
