//go:build linux

package record

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"utrace/bpf"
	"utrace/record/internal/clock"
	"utrace/record/internal/image"
	"utrace/record/internal/proc"
	"utrace/record/plan"
)

// choose decides whether every module is attached process by process:
//
//   - for a command, whose children are held until they have their probes;
//   - for processes that a selection chooses, since others are expected to run the same programs;
//   - if a process runs that must not get the breakpoints. One that starts later has the same
//     effect, see split.
//
// Otherwise links for all processes miss no call of a new process, and cost less: the kernel calls
// the programs of all links of an instruction, whichever process hits it.
func (ps *processes) choose(modules []*module, command, machine, selects bool) (err error) {
	ps.machine = machine
	ps.splittable = (ps.follow || machine) && canSplit(ps.probes.method)
	if ps.follow && !command && (ps.splittable || selects) {
		if err := ps.objs.ReportExecs(true); err != nil { // before the look at those that run already
			return err
		}
	}
	if !ps.splittable {
		return nil
	}
	if ps.selects = selects; selects {
		ps.each = true
		return ps.objs.ReportForks()
	}
	if command || ps.anyObjection(modules) != "" {
		ps.each = true
		return errors.Join(ps.objs.ReportForks(), ps.objs.ReportExecs(false))
	}
	return nil
}

// anyObjection says why breakpoints in all processes that map some modules must not be, because of
// a process that runs already: "" if they may.
func (ps *processes) anyObjection(modules []*module) (why string) {
	for _, pid := range proc.All() {
		if why := ps.objection(pid, plan.RunningTextReader(pid), modules, nil); why != "" {
			return fmt.Sprintf("%s runs, which %s", describeProcess(pid), why)
		}
	}
	return ""
}

// objection says why breakpoints in all processes that map some modules must not reach a process,
// which reads code as r says and will load some files. It is "" if they may. The reason is for
// people.
func (ps *processes) objection(pid int, r *plan.TextReader, modules []*module, loads []image.Key) string {
	program, err := image.ProgramOf(pid)
	if err != nil { // it has ended
		return ""
	}
	if r.ReadsOthers() || slices.ContainsFunc(modules, func(m *module) bool { return r.Reads(m.Image.Key, program) }) {
		return r.Why
	}
	if !ps.follow || ps.objs.HasProcess(pid) {
		return ""
	}
	keys := append(image.KeysOf(pid), loads...)
	for _, m := range modules {
		if slices.Contains(keys, m.Image.Key) && !proc.HasEnded(pid) { // one that ends is not recorded any more
			return "is not recorded and runs " + m.Path
		}
	}
	return ""
}

// whySplit says why the links for all processes must be replaced by links for each one, "" if they
// need not be: a process has executed a program that must not get breakpoints. It reads code as r
// says, and will load some files.
func (ps *processes) whySplit(pid int, r *plan.TextReader, loads []image.Key) string {
	if ps.each || len(ps.wide) == 0 || !ps.splittable {
		return ""
	}
	if why := ps.objection(pid, r, ps.wide, loads); why != "" {
		return fmt.Sprintf("%s started, which %s", describeProcess(pid), why)
	}
	return ""
}

// split replaces the links for all processes by links for each one. why names the process that
// needs it. The first step removes the breakpoints, so calls in between are missing.
func (ps *processes) split(why string) {
	began := clock.MonotonicNs()
	ps.probes.removeNow(ps.probes.takeIn(0))
	ps.fail(errors.Join(ps.objs.ReportForks(), ps.objs.ReportExecs(false)))
	ps.each = true
	ps.modules, ps.wide = append(ps.modules, ps.wide...), nil
	recorded, err := ps.recorded()
	ps.fail(err)
	for _, other := range recorded {
		ps.look(other, 0, &ps.lateMaps)
	}
	where := "the other processes"
	if ps.follow {
		where = "the recorded processes"
	}
	ps.splitText = fmt.Sprintf("%s: utrace moved its breakpoints to %s, and calls during these %s are missing",
		why, where, milliseconds(time.Duration(clock.MonotonicNs()-began)))
}

// canSplit reports whether links for single processes see all their threads.
func canSplit(method bpf.Method) bool {
	return method == bpf.Multi && bpf.ThreadFilter.Probe() == nil
}
