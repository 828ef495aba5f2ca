//go:build linux

package record

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/dustin/go-humanize/english"

	"utrace/record/internal/image"
	"utrace/record/internal/proc"
	"utrace/record/plan"
)

// perProcess attaches modules process by process, after a check: their probes break some processes
// (see plan.Module.PerProcess). It checks a process
//
//   - when the recording begins;
//   - while the tracer of a command holds it, after fork and exec: no call is missed, and nothing
//     breaks;
//   - when the kernel's record says that it was forked or has executed a program, and when it maps
//     other files: its first calls are missing.
//
// The discoverer's lock protects it.
type perProcess struct {
	probes    *attachedProbes
	modules   []*module
	files     []*os.File              // of the modules
	processes map[int]*checkedProcess // by PID: processes with probes, and processes that the probes would break
	late      processCount            // already ran when they got the probes
	refused   processCount            // the probes would break them
	err       error                   // the first
}

// checkedProcess is a process that perProcess has checked.
type checkedProcess struct {
	started  string // start time: distinguishes it from a later process with its PID
	attached map[*module]bool
	refused  bool
}

// processCount counts processes, and describes the first one.
type processCount struct {
	count int
	first string
}

func (c *processCount) add(first string) {
	if c.count == 0 {
		c.first = first
	}
	c.count++
}

func newPerProcess(probes *attachedProbes) *perProcess {
	return &perProcess{probes: probes, processes: map[int]*checkedProcess{}}
}

// add registers a module for attaching. Its file stays open: the path may lead through a process
// that ends.
func (pp *perProcess) add(m *module) error {
	file, err := os.Open(m.Image.OpenPath)
	if err != nil {
		return fmt.Errorf("attach to %s: %w", m.Path, err)
	}
	pp.files = append(pp.files, file)
	m.Image.OpenPath = fmt.Sprintf("/proc/self/fd/%d", file.Fd())
	pp.modules = append(pp.modules, m)
	return nil
}

// start checks the processes of the plan; without any, all processes. A command is held.
func (pp *perProcess) start(pids []int, command int) error {
	if len(pids) == 0 && command == 0 {
		pids = proc.All()
	}
	for _, pid := range pids {
		pp.check(pid, nil, false)
	}
	if command == 0 || len(pp.modules) == 0 {
		return pp.err
	}
	files := image.NewSet()
	defer files.Close()
	sc, err := plan.ExecScope(&files, command, func(*image.Image, []string) bool { return false })
	if err != nil {
		return err
	}
	pp.check(command, sc.Keys(), false)
	return pp.err
}

// check attaches a process's safe modules, and detaches all if the process is unsafe. loads are
// files that it will map. running is set if the tracer does not hold it.
func (pp *perProcess) check(pid int, loads []image.Key, running bool) {
	if len(pp.modules) == 0 {
		return
	}
	p := pp.processes[pid]
	started := proc.StartTime(pid)
	if p != nil && p.started != started {
		pp.forget(pid)
		p = nil
	}
	mapped := image.KeysOf(pid)
	wanted := slices.DeleteFunc(slices.Clone(pp.modules), func(m *module) bool {
		return !slices.Contains(mapped, m.Image.Key) && !slices.Contains(loads, m.Image.Key)
	})
	if started == "" || p == nil && len(wanted) == 0 {
		return
	}
	if p == nil {
		p = &checkedProcess{started: started, attached: map[*module]bool{}}
		pp.processes[pid] = p
	}
	if why := plan.NotUTF8(proc.InvocationOf(pid)); why != "" {
		if len(wanted) > 0 && !p.refused {
			p.refused = true
			pp.refused.add(fmt.Sprintf("%s of process %d", why, pid))
		}
		if len(p.attached) > 0 {
			clear(p.attached)
			pp.fail(pp.probes.removeIn(pid))
		}
		return
	}
	for _, m := range wanted {
		if p.attached[m] {
			continue
		}
		if _, err := pp.probes.attach(m, []int{pid}); err != nil {
			if !proc.HasEnded(pid) {
				pp.fail(err)
			}
			return
		}
		p.attached[m] = true
		if running {
			pp.late.add(fmt.Sprintf("%s in process %d", m.Path, pid))
		}
	}
}

// replaced notes that a thread other than the first has executed a program. That thread gets the ID
// and start time of the first one, but the kernel's links stay with the old one.
func (pp *perProcess) replaced(pid int) {
	if p := pp.processes[pid]; p != nil {
		clear(p.attached)
		pp.probes.forgetIn(pid)
	}
}

// fail keeps the first error: a cause such as the limit of open files affects many processes.
func (pp *perProcess) fail(err error) {
	if pp.err == nil {
		pp.err = err
	}
}

// forgetEnded detaches from the processes that have ended.
func (pp *perProcess) forgetEnded() {
	for pid, p := range pp.processes {
		if proc.StartTime(pid) != p.started {
			pp.forget(pid)
		}
	}
}

func (pp *perProcess) forget(pid int) {
	delete(pp.processes, pid)
	pp.probes.forgetIn(pid)
}

// warnings lists what was not recorded.
func (pp *perProcess) warnings() (list []string) {
	others := func(c processCount) string {
		if c.count == 1 {
			return ""
		}
		return fmt.Sprintf(", also in %s", english.Plural(c.count-1, "other process", "other processes"))
	}
	if pp.refused.count > 0 {
		list = append(list, fmt.Sprintf("the functions and imports of Python were not recorded where %s is not UTF-8, which breaks CPython%s", pp.refused.first, others(pp.refused)))
	}
	if pp.late.count > 0 {
		list = append(list, fmt.Sprintf("the probes of Python functions and imports were attached to %s when it was found running%s: its earlier calls are missing", pp.late.first, others(pp.late)))
	}
	if pp.err != nil {
		list = append(list, fmt.Sprintf("not probed: %v", pp.err))
	}
	return list
}

func (pp *perProcess) close() error {
	var errs []error
	for _, file := range pp.files {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}
