//go:build linux

package record

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dustin/go-humanize/english"

	"utrace/bpf"
	"utrace/record/internal/clock"
	"utrace/record/internal/image"
	"utrace/record/internal/proc"
	"utrace/record/plan"
)

// processes attaches modules process by process, after a look at each process. It looks at a
// process
//
//   - when the recording begins;
//   - while the tracer of a command holds it, after fork and exec: no call is missed;
//   - when the kernel's record says that it was forked or has executed a program, and when it maps
//     other files: its first calls are missing.
//
// The discoverer's lock protects it.
type processes struct {
	objs   *bpf.Objects
	probes *attachedProbes
	// each is set if every module is attached process by process. Otherwise only those are whose
	// probes break some processes (plan.Module.PerProcess).
	each       bool
	splittable bool // it may become so later
	// follow is set if children of the first processes are recorded, too, or those that match a
	// selection.
	follow  bool
	machine bool // all processes are recorded
	selects bool // they are chosen by a selection, each when it begins to match
	// dropReturns notes the functions of a module whose return probes the kernel refuses. It is
	// replaced once the trace has begun.
	dropReturns func(m *module, fns map[int]bool)

	modules   []*module                // attached process by process
	wide      []*module                // attached in all processes at once
	targets   map[int][]*module        // by PID: attached in processes that are not followed
	processes map[int]*attachedProcess // by PID

	late      lateness     // new processes
	lateMaps  lateness     // processes that have mapped another file
	refused   processCount // probes would break them
	leftAlone processCount // they read code
	splitText string       // why and when the links for all processes were replaced, "" if they were not
	err       error        // the first
	failures  int
}

// attachedProcess is a process that was looked at.
type attachedProcess struct {
	started  string // start time in ticks: distinguishes it from most later processes with its PID
	metNs    uint64 // CLOCK_MONOTONIC: when it was first looked at
	attached map[*module]bool
	program  image.Key
	reader   *plan.TextReader // nil if it does not read code
	refused  bool             // it counts as refused
	passed   bool             // it counts as left alone
	late     bool             // it counts as late
	// inherited is set once the process has what its parent had.
	inherited bool
}

// loadedFiles are files that a program loads when it starts.
type loadedFiles struct {
	keys  []image.Key
	paths []string // of the libraries
	// planned is set if the program has been searched for something to probe. Otherwise only
	// processes that are not recorded have run it.
	planned bool
}

// manyProcesses is in how many processes at a time a module can be attached that is attached process
// by process.
const manyProcesses = 64

func newProcesses(objs *bpf.Objects, probes *attachedProbes, follow bool) *processes {
	return &processes{
		objs: objs, probes: probes, follow: follow,
		dropReturns: (*module).dropReturns, targets: map[int][]*module{}, processes: map[int]*attachedProcess{},
		late: lateness{since: "began to run"}, lateMaps: lateness{since: "mapped their file"},
	}
}

// takes reports whether a module is attached process by process.
func (ps *processes) takes(m *module) bool { return ps.each || m.PerProcess }

// add registers a module, whose file must be open.
func (ps *processes) add(m *module) error {
	if err := ps.probes.open(m); err != nil {
		return fmt.Errorf("attach to %s: %w", m.Path, err)
	}
	ps.modules = append(ps.modules, m)
	return nil
}

// start attaches all modules in the initial processes, and in a command that is held. Without any,
// it looks at all processes.
func (ps *processes) start(pids []int, command int) error {
	if command != 0 {
		ps.meet(command, plan.RunningTextReader) // it is held, also if there is nothing to attach yet
	}
	if len(ps.modules) == 0 {
		return nil
	}
	if command != 0 {
		pids = append([]int{command}, pids...)
	}
	if len(pids) == 0 {
		pids = proc.All()
	}
	for _, pid := range pids {
		p := ps.meet(pid, plan.RunningTextReader)
		if p == nil {
			continue
		}
		wanted := ps.modules
		if !ps.follow || !ps.each || ps.selects {
			wanted = ps.mapped(pid, ps.loads(pid, pid == command))
		}
		ps.attach(pid, p, wanted, 0, &ps.late)
	}
	return ps.err
}

// loads returns the files that a program which is held will load.
func (ps *processes) loads(pid int, held bool) []image.Key {
	if !held {
		return nil
	}
	files := image.NewSet()
	defer files.Close()
	sc, err := plan.ExecScope(&files, pid, func(image.Version, []string) bool { return false })
	if err != nil {
		ps.fail(err)
		return nil
	}
	return sc.Keys()
}

// meet returns what is known of a process, nil if it has ended. look says how a process reads code
// that was not met before.
func (ps *processes) meet(pid int, look func(pid int) *plan.TextReader) *attachedProcess {
	started := proc.StartTime(pid)
	p := ps.processes[pid]
	if p != nil && p.started != started {
		ps.forget(pid)
		p = nil
	}
	if p == nil && started != "" {
		p = &attachedProcess{started: started, metNs: clock.MonotonicNs(), attached: map[*module]bool{}, reader: look(pid)}
		p.program, _ = image.ProgramOf(pid)
		ps.processes[pid] = p
	}
	return p
}

// forked attaches in a new process what its parent has. sinceNs is when it began to run, 0 if it is
// held. It may be continued later, or have executed a program already.
func (ps *processes) forked(pid, parent int, sinceNs uint64) {
	from := ps.processes[parent]
	if from == nil {
		ps.look(pid, sinceNs, &ps.late)
		return
	}
	wanted := slices.DeleteFunc(slices.Clone(ps.modules), func(m *module) bool { return !from.attached[m] })
	p := ps.meet(pid, func(int) *plan.TextReader { return from.reader })
	switch {
	case p == nil && len(wanted) > 0:
		ps.late.ended++
	case p != nil && !p.inherited:
		p.inherited = true
		ps.attach(pid, p, wanted, sinceNs, &ps.late)
	}
}

// beginExec looks at a process that has executed a program. What would harm it is removed before it
// maps anything more. held is set if the process waits for that.
func (ps *processes) beginExec(pid int, held bool) {
	r := plan.StartedTextReader(pid)
	why := ps.whySplit(pid, r, nil)
	if why == "" && len(ps.modules) == 0 {
		return
	}
	p := ps.meet(pid, plan.StartedTextReader)
	if p == nil {
		return
	}
	p.program, _ = image.ProgramOf(pid)
	p.reader, p.refused, p.passed = r, false, false
	if why != "" {
		ps.split(why)
	}
	var taken links
	for m := range maps.Clone(p.attached) {
		if ps.harms(p, m) || !ps.tolerates(p.reader) && p.reader.ReadsOthers() {
			delete(p.attached, m)
			taken.add(ps.probes.takeFrom(pid, m))
		}
	}
	if held {
		ps.probes.removeNow(taken)
	} else {
		ps.probes.closeLater(taken)
	}
}

// execed attaches in a process that has executed a program what that program maps, and has yet to
// load. What only the earlier program had is removed, unless nobody holds the process at its next
// exec: if it executes the earlier program again, no call is missed.
func (ps *processes) execed(pid int, loads *loadedFiles, sinceNs uint64) {
	r := plan.LibraryTextReader(loads.paths)
	why := ps.whySplit(pid, r, loads.keys)
	if why == "" && len(ps.modules) == 0 {
		return
	}
	p := ps.meet(pid, plan.StartedTextReader)
	if p == nil {
		return
	}
	p.reader = cmp.Or(p.reader, r)
	if why != "" {
		ps.split(why)
	}
	wanted := ps.mapped(pid, loads.keys)
	for m := range maps.Clone(p.attached) {
		if (sinceNs == 0 || !ps.follow) && !slices.Contains(wanted, m) {
			delete(p.attached, m)
			ps.probes.closeLater(ps.probes.takeFrom(pid, m))
		}
	}
	ps.attach(pid, p, wanted, sinceNs, &ps.late)
}

// look attaches in a process what it maps. It may have lacked that since sinceNs, 0 for no time.
func (ps *processes) look(pid int, sinceNs uint64, late *lateness) {
	if len(ps.modules) == 0 {
		return
	}
	wanted := ps.mapped(pid, nil)
	if len(wanted) == 0 && ps.processes[pid] == nil {
		return
	}
	if p := ps.meet(pid, plan.RunningTextReader); p != nil {
		ps.attach(pid, p, wanted, sinceNs, late)
	}
}

// mapped returns the modules for a process: those that it has mapped or will load, and, of a
// recorded process, those that it may map later.
func (ps *processes) mapped(pid int, loads []image.Key) []*module {
	keys := append(image.KeysOf(pid), loads...)
	return slices.DeleteFunc(slices.Clone(ps.modules), func(m *module) bool {
		return !slices.Contains(keys, m.Image.Key) && !(ps.follow && ps.each && m.Anywhere)
	})
}

// attach attaches modules in a process, except those that would harm it.
func (ps *processes) attach(pid int, p *attachedProcess, wanted []*module, sinceNs uint64, late *lateness) {
	fresh := false
	for _, m := range wanted {
		if !ps.permits(pid, p, m) {
			if p.attached[m] {
				delete(p.attached, m)
				ps.probes.removeNow(ps.probes.takeFrom(pid, m))
			}
			continue
		}
		if p.attached[m] {
			continue
		}
		noReturns, err := ps.probes.attach(m, pid)
		if err != nil {
			if !proc.HasEnded(pid) {
				ps.fail(err)
			}
			return
		}
		if len(noReturns) > 0 {
			ps.dropReturns(m, noReturns)
		}
		p.attached[m], fresh = true, true
	}
	if fresh && sinceNs != 0 {
		if !p.late {
			p.late = true
			late.add(describeProcess(pid))
		}
		late.most = max(late.most, time.Duration(clock.MonotonicNs()-sinceNs))
	}
}

// tolerates reports whether a process that may read code is recorded nevertheless: somebody has
// asked for it, and it may do no harm.
func (ps *processes) tolerates(r *plan.TextReader) bool { return r == nil || ps.follow && r.Suspected }

// harms reports whether a process reads the code of a module.
func (ps *processes) harms(p *attachedProcess, m *module) bool {
	return !ps.tolerates(p.reader) && p.reader.Reads(m.Image.Key, p.program)
}

// permits reports whether a module does a process no harm.
func (ps *processes) permits(pid int, p *attachedProcess, m *module) bool {
	if !ps.follow && len(m.PIDs) > 0 && !slices.Contains(m.PIDs, pid) { // it may load other code than these
		return false
	}
	if ps.harms(p, m) {
		if !p.passed {
			p.passed = true
			ps.leftAlone.add(fmt.Sprintf("%s, which %s", describeProcess(pid), p.reader.Why))
		}
		return false
	}
	if !m.PerProcess {
		return true
	}
	why := plan.NotUTF8(proc.InvocationOf(pid))
	if why != "" && !p.refused {
		p.refused = true
		ps.refused.add(fmt.Sprintf("%s of process %d", why, pid))
	}
	return why == ""
}

// describeProcess names a process.
func describeProcess(pid int) string { return fmt.Sprintf("process %d (%s)", pid, proc.Comm(pid)) }

// recorded returns all recorded processes.
func (ps *processes) recorded() ([]int, error) {
	if ps.machine {
		return proc.All(), nil
	}
	return ps.objs.Processes()
}

// noteTarget notes a module that is attached in a process that is not followed, or (PID 0) in all.
func (ps *processes) noteTarget(pid int, m *module) {
	if pid == 0 {
		ps.wide = append(ps.wide, m)
	} else {
		ps.targets[pid] = append(ps.targets[pid], m)
	}
}

// attachedModules returns the modules of each recorded process, none for the whole machine.
func (ps *processes) attachedModules() map[int][]*module {
	list := maps.Clone(ps.targets)
	if !ps.follow {
		return list
	}
	pids, _ := ps.objs.Processes()
	for _, pid := range pids {
		list[pid] = ps.modulesIn(pid)
	}
	return list
}

// modulesIn returns the modules of a followed process.
func (ps *processes) modulesIn(pid int) []*module {
	list := slices.Clone(ps.wide)
	if p := ps.processes[pid]; p != nil {
		list = slices.AppendSeq(list, maps.Keys(p.attached))
	}
	return list
}

// replaced notes that a thread other than the first has executed a program. That thread gets the ID
// and start time of the first one, but the kernel's links stay with the old one.
func (ps *processes) replaced(pid int) {
	if p := ps.processes[pid]; p != nil {
		clear(p.attached)
		ps.probes.removeNow(ps.probes.takeIn(pid)) // which see the new thread once it has breakpoints
	}
}

// fail keeps the first error, and counts them: a cause such as the limit of open files affects many
// processes.
func (ps *processes) fail(err error) {
	if err == nil {
		return
	}
	ps.err = cmp.Or(ps.err, err)
	ps.failures++
}

// ended detaches from a process that ended at some time. A later one may have its ID already.
func (ps *processes) ended(pid int, timeNs uint64) {
	if p := ps.processes[pid]; p != nil && p.metNs < timeNs {
		ps.forget(pid)
	}
}

// forgetEnded detaches from the processes that have ended.
func (ps *processes) forgetEnded() {
	for pid, p := range ps.processes {
		if proc.StartTime(pid) != p.started {
			ps.forget(pid)
		}
	}
}

func (ps *processes) forget(pid int) {
	delete(ps.processes, pid)
	ps.probes.forgetIn(pid)
}

// warnings lists what was not recorded.
func (ps *processes) warnings() (list []string) {
	if ps.splitText != "" {
		list = append(list, ps.splitText)
	}
	if c := &ps.leftAlone; c.count > 0 {
		text := "left alone, because breakpoints would kill it: " + c.first
		if c.count > 1 {
			text += ", and " + english.Plural(c.count-1, "other process", "other processes")
		}
		list = append(list, text)
	}
	if c := &ps.refused; c.count > 0 {
		text := fmt.Sprintf("the functions and imports of Python were not recorded where %s is not UTF-8, which breaks CPython", c.first)
		if c.count > 1 {
			text += ", also in " + english.Plural(c.count-1, "other process", "other processes")
		}
		list = append(list, text)
	}
	list = slices.Concat(list, ps.late.warnings(), ps.lateMaps.warnings())
	if ps.err != nil {
		text := fmt.Sprintf("not probed: %v", ps.err)
		if ps.failures > 1 {
			text += fmt.Sprintf(" (%d times)", ps.failures)
		}
		list = append(list, text)
	}
	return list
}
