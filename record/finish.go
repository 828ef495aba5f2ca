//go:build linux

package record

import (
	"errors"
	"fmt"
	"time"

	"utrace/bpf"
	"utrace/format"
)

// finish turns the probes off, drains what they left, completes the file and
// detaches them, which can take long (perfCloseTime).
func (r *recording) finish(reason string) (*Summary, error) {
	if err := r.objs.Enable(false); err != nil {
		return nil, fmt.Errorf("turn off the probes: %w", err)
	}
	stop := now()
	r.stopFollowing()
	r.watch.stop(r)
	drainErr := r.drainer.round()
	dropped, err := r.settleCalls(stop)
	if err != nil {
		return nil, err
	}
	if drainErr == nil {
		drainErr = r.drainer.release(untilEnd)
	}
	for _, d := range dropped {
		r.w.AddDropped(d)
	}
	funcLost, err := r.objs.FuncLosses(r.plan.Funcs())
	if err != nil {
		return nil, err
	}
	for i := range funcLost {
		funcLost[i].Func = r.drainer.catalog.funcs[funcLost[i].Func].id
	}
	unmet, err := r.objs.Unmet(r.plan.Funcs())
	if err != nil {
		return nil, err
	}
	for i := range unmet {
		u := &unmet[i]
		fn := &r.drainer.catalog.funcs[u.Func]
		fn.entries, fn.returns, u.Func = fn.entries+u.Entries, fn.returns+u.Returns, fn.id
	}
	lost := r.drainer.lost
	ended := reason
	for _, pid := range r.halved {
		ended += fmt.Sprintf("; process %d was recorded only until its first thread ended", pid)
	}
	off, err := r.takenOff()
	if err != nil {
		return nil, err
	}
	var stackWarnings []string
	if s := r.drainer.stacks; s != nil && drainErr == nil {
		stackWarnings = s.define(r.w, r.drainer.catalog)
	}
	closeErr := r.w.Close(format.End{Stop: stop, Reason: ended, Lost: lost.entries + lost.returns, FuncLost: funcLost, Unmet: unmet})
	if drainErr != nil {
		closeErr = nil // the same error once more
	}
	r.noticeDetach("the trace is complete; detaching")
	if err := r.detach(); err != nil {
		return nil, err
	}
	events, calls := r.w.Events()
	sched := r.w.Sched()
	var notKept uint64
	for i := range dropped {
		notKept += dropped[i].Complete + dropped[i].Incomplete
	}
	sum := &Summary{
		Reason: ended, Duration: time.Duration(stop.MonoNs - r.start.MonoNs), Events: events, Calls: calls, Dropped: notKept, Sched: sched, LostSched: lost.sched, Overhead: r.spent(),
		LostEntries: lost.entries, LostReturns: lost.returns, Bytes: r.w.Size(),
		Modules: len(r.plan.Modules), Funcs: r.plan.Funcs(), LeftOut: r.plan.LeftOut, TakenOff: off,
	}
	if r.command != nil {
		sum.CommandPID = r.command.pid
		sum.Command = r.command.wait(reason == reasonCommand)
	}
	warnings, missing, err := r.missing()
	if text := r.watch.moved(); text != "" {
		warnings = append(warnings, text)
	}
	sum.Warnings = append(warnings, stackWarnings...)
	return sum, errors.Join(drainErr, closeErr, err, missing)
}

// missing tells what the trace lacks of what was asked for. If it lacks
// everything, that is an error.
func (r *recording) missing() (warnings []string, nothing, err error) {
	unfollowed, records, err := r.objs.TaskLosses()
	if err != nil {
		return nil, nil, err
	}
	if unfollowed > 0 {
		warnings = append(warnings, fmt.Sprintf("%d child processes were not followed: there were too many at a time", unfollowed))
	}
	if records > 0 {
		warnings = append(warnings, fmt.Sprintf("%d notices of the kernel of processes that began or ended were lost: threads may be mixed up or named wrongly", records))
	}
	if uncounted, err := r.objs.Uncounted(); err != nil {
		return nil, nil, err
	} else if uncounted > 0 {
		warnings = append(warnings, fmt.Sprintf("%d hits were not held against the limit of overhead: there were too many processes and functions", uncounted))
	}
	if r.uncountedDrops > 0 {
		warnings = append(warnings, fmt.Sprintf("%d calls that were not kept are not in the numbers and times of their functions, either: there were too many functions and processes, or the names of their functions were lost", r.uncountedDrops))
	}
	if r.follower != nil {
		warnings = append(warnings, r.follower.late...)
		warnings = append(warnings, r.follower.guard.warnings()...)
		if err := r.follower.err; err != nil {
			warnings = append(warnings, fmt.Sprintf("not probed: %v", err))
		}
	}
	if len(r.plan.Modules) == 0 {
		return warnings, errors.Join(r.plan.Pending...), nil
	}
	since := ""
	if r.follower != nil {
		since = ", nor in anything executed or loaded since"
	}
	for _, err := range r.plan.Pending {
		warnings = append(warnings, err.Error()+since)
	}
	return warnings, nil, nil
}

// noticeDetach tells that detaching takes a while, if it does.
func (r *recording) noticeDetach(what string) {
	lasts := time.Duration(r.probes.count()) * perfCloseTime
	if r.method == bpf.Perf && lasts > 5*time.Second {
		r.notice("%s %d probes from perf events can take %s", what, r.probes.count(), lasts.Round(time.Second))
	}
}
