//go:build linux

package record

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"utrace/bpf"
	"utrace/record/internal/clock"
	"utrace/record/internal/image"
	"utrace/record/internal/proc"
	"utrace/record/plan"

	"github.com/dustin/go-humanize/english"
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
	// follow is set if the processes are known: some initial ones and their children. Otherwise
	// they are all processes of the machine.
	follow bool
	// dropReturns notes the functions of a module whose return probes the kernel refuses. It is
	// replaced once the trace has begun.
	dropReturns func(m *module, fns map[int]bool)

	modules   []*module                // attached process by process
	wide      []*module                // attached in all processes at once
	targets   map[int][]*module        // by PID: attached in processes that are not followed
	processes map[int]*attachedProcess // by PID

	late      lateness
	refused   processCount // probes would break them
	leftAlone processCount // they read code
	split     string       // why and when the links for all processes were replaced, "" if they were not
	err       error        // the first
}

// attachedProcess is a process that was looked at.
type attachedProcess struct {
	started  string // start time in ticks: distinguishes it from most later processes with its PID
	beganNs  uint64 // CLOCK_MONOTONIC, 0 if that is not known
	attached map[*module]bool
	program  image.Key
	reader   *plan.TextReader // nil if it does not read code
	refused  bool             // a module that needs UTF-8 was not attached
	passed   bool             // it counts as left alone
}

// loadedFiles are files that a program loads when it starts.
type loadedFiles struct {
	keys  []image.Key
	paths []string // of the libraries
}

// manyProcesses is in how many processes at a time a module can be attached before links for each
// function are shared.
const manyProcesses = 64

func newProcesses(objs *bpf.Objects, probes *attachedProbes, follow bool) *processes {
	return &processes{
		objs: objs, probes: probes, follow: follow,
		dropReturns: (*module).dropReturns, targets: map[int][]*module{}, processes: map[int]*attachedProcess{},
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
		if !ps.follow || !ps.each {
			wanted = ps.mapped(pid, ps.loads(pid, pid == command))
		}
		ps.attach(pid, p, wanted, 0)
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
		p = &attachedProcess{started: started, attached: map[*module]bool{}, reader: look(pid)}
		p.program, _ = image.ProgramOf(pid)
		ps.processes[pid] = p
	}
	return p
}

// forked attaches in a new process what its parent has. sinceNs is when it began to run, 0 if it is
// held.
func (ps *processes) forked(pid, parent int, sinceNs uint64) {
	beganNs := cmp.Or(sinceNs, clock.MonotonicNs())
	from := ps.processes[parent]
	if from == nil {
		ps.look(pid, nil, sinceNs)
		return
	}
	p := ps.meet(pid, func(int) *plan.TextReader { return from.reader })
	if p == nil {
		ps.late.ended++
		return
	}
	p.beganNs = beganNs
	wanted := slices.DeleteFunc(slices.Clone(ps.modules), func(m *module) bool { return !from.attached[m] })
	ps.attach(pid, p, wanted, sinceNs)
}

// beginExec looks at a process that has executed a program. What would harm it is removed before it
// maps anything more. held is set if the process waits for that.
func (ps *processes) beginExec(pid int, held bool) {
	r := plan.StartedTextReader(pid)
	if ps.splits(pid, r, nil) || len(ps.modules) == 0 {
		return
	}
	p := ps.processes[pid]
	if p == nil {
		return
	}
	p.program, _ = image.ProgramOf(pid)
	p.reader, p.refused, p.passed = r, false, false
	if !ps.tolerates(p.reader) && p.reader.ReadsOthers() {
		clear(p.attached)
		if taken := ps.probes.takeIn(pid); held {
			ps.fail(taken.closeTogether())
		} else {
			ps.probes.closeLater(taken)
		}
	}
}

// execed attaches in a process that has executed a program what that program maps, and has yet to
// load. What only the earlier program had is removed.
func (ps *processes) execed(pid int, loads *loadedFiles, sinceNs uint64) {
	r := plan.LibraryTextReader(loads.paths)
	if ps.splits(pid, r, loads.keys) || len(ps.modules) == 0 {
		return
	}
	p := ps.meet(pid, plan.StartedTextReader)
	if p == nil {
		return
	}
	p.reader = cmp.Or(p.reader, r)
	wanted := ps.mapped(pid, loads.keys)
	for m := range maps.Clone(p.attached) {
		if !slices.Contains(wanted, m) {
			delete(p.attached, m)
			ps.probes.closeLater(ps.probes.takeFrom(pid, m))
		}
	}
	ps.attach(pid, p, wanted, sinceNs)
}

// look attaches in a process what it maps. loads are files that it will map.
func (ps *processes) look(pid int, loads []image.Key, sinceNs uint64) {
	if len(ps.modules) == 0 {
		return
	}
	wanted := ps.mapped(pid, loads)
	if len(wanted) == 0 && ps.processes[pid] == nil {
		return
	}
	p := ps.meet(pid, plan.RunningTextReader)
	if p == nil {
		return
	}
	ps.attach(pid, p, wanted, sinceNs)
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
func (ps *processes) attach(pid int, p *attachedProcess, wanted []*module, sinceNs uint64) {
	fresh := false
	for _, m := range wanted {
		if !ps.permits(pid, p, m) {
			if p.attached[m] {
				delete(p.attached, m)
				ps.fail(ps.probes.takeFrom(pid, m).closeTogether())
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
		ps.late.add(describeProcess(pid))
		ps.late.most = max(ps.late.most, time.Duration(clock.MonotonicNs()-sinceNs))
	}
}

// tolerates reports whether a process that may read code is recorded nevertheless: somebody has
// asked for it, and it may do no harm.
func (ps *processes) tolerates(r *plan.TextReader) bool { return r == nil || ps.follow && r.Suspected }

// permits reports whether a module does a process no harm.
func (ps *processes) permits(pid int, p *attachedProcess, m *module) bool {
	if !ps.tolerates(p.reader) && p.reader.Reads(m.Image.Key, p.program) {
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
	if ps.follow {
		return ps.objs.Processes()
	}
	return proc.All(), nil
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
		ps.fail(ps.probes.takeIn(pid).closeTogether()) // which see the new thread once it has breakpoints
	}
}

// fail keeps the first error: a cause such as the limit of open files affects many processes.
func (ps *processes) fail(err error) {
	if ps.err == nil {
		ps.err = err
	}
}

// ended detaches from a process that ended at some time. A later one may have its ID already.
func (ps *processes) ended(pid int, timeNs uint64) {
	if p := ps.processes[pid]; p != nil && p.beganNs < timeNs {
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
	if ps.split != "" {
		list = append(list, ps.split)
	}
	if c := &ps.leftAlone; c.count > 0 {
		list = append(list, fmt.Sprintf("%s%s left alone, because breakpoints would kill it", c.first, c.others("was", "were")))
	}
	if c := &ps.refused; c.count > 0 {
		text := fmt.Sprintf("the functions and imports of Python were not recorded where %s is not UTF-8, which breaks CPython", c.first)
		if c.count > 1 {
			text += ", also in " + english.Plural(c.count-1, "other process", "other processes")
		}
		list = append(list, text)
	}
	list = append(list, ps.late.warnings()...)
	if ps.err != nil {
		list = append(list, fmt.Sprintf("not probed: %v", ps.err))
	}
	return list
}
