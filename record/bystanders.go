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
//   - if a process runs that must not get the breakpoints. One that starts later has the same
//     effect, see splits.
//
// Otherwise links for all processes miss no call of a new process, and cost less: the kernel calls
// the programs of all links of an instruction, whichever process hits it.
func (ps *processes) choose(modules []*module, command, machine bool) (err error) {
	ps.splittable = (ps.follow || machine) && canSplit(ps.probes.method)
	switch {
	case !ps.splittable:
	case command:
		ps.each = true
	default:
		ps.each = slices.ContainsFunc(proc.All(), func(pid int) bool {
			return ps.objection(pid, plan.RunningTextReader(pid), modules, nil) != ""
		})
	}
	if ps.each {
		return ps.objs.ReportForks()
	}
	return ps.objs.ReportExecs(ps.splittable && ps.follow)
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
		if slices.Contains(keys, m.Image.Key) {
			return "is not recorded and runs " + m.Path
		}
	}
	return ""
}

// splits replaces the links for all processes by links for each one, if a process has executed a
// program that must not get breakpoints: it reads code as r says, and will load some files. It
// reports whether it did.
//
// The first step removes the breakpoints, so calls in between are missing.
func (ps *processes) splits(pid int, r *plan.TextReader, loads []image.Key) bool {
	if ps.each || len(ps.wide) == 0 || !ps.splittable {
		return false
	}
	why := ps.objection(pid, r, ps.wide, loads)
	if why == "" {
		return false
	}
	began := clock.MonotonicNs()
	who := describeProcess(pid)
	ps.fail(ps.probes.takeIn(0).closeTogether())
	ps.fail(errors.Join(ps.objs.ReportForks(), ps.objs.ReportExecs(false)))
	ps.each = true
	ps.modules, ps.wide = append(ps.modules, ps.wide...), nil
	recorded, err := ps.recorded()
	ps.fail(err)
	for _, other := range recorded {
		ps.look(other, nil, 0)
	}
	where := "the other processes"
	if ps.follow {
		where = "the recorded processes"
	}
	ps.split = fmt.Sprintf("%s started, which %s: utrace moved its breakpoints to %s, and calls during these %s are missing",
		who, why, where, milliseconds(time.Duration(clock.MonotonicNs()-began)))
	return true
}

// canSplit reports whether links for single processes see all their threads.
func canSplit(method bpf.Method) bool {
	return method == bpf.Multi && bpf.ThreadFilter.Probe() == nil
}
