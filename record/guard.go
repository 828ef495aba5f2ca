//go:build linux

package record

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/dustin/go-humanize/english"

	"utrace/record/internal/procmaps"
)

// guard attaches the probes that break some processes (breaks) only in processes that it has looked at, in each
// by itself. A process is looked at
//
//   - when the recording begins;
//   - while the tracer of a command holds it: when it has been forked, and when it has executed a program. There
//     nothing can be missed, and nothing can break;
//   - when the kernel's record tells that it has been forked or has executed a program, and when it maps other files:
//     its first calls are missing.
//
// It is for whoever holds the lock of the follower.
type guard struct {
	r         *recording
	modules   []*PlannedModule
	files     []*os.File       // of the modules
	processes map[int]*guarded // by PID: those with probes, or without them because they would break
	late      processCount     // were running when they got the probes
	refused   processCount     // would break
	err       error            // the first
}

// guarded is a process that the guard has dealt with.
type guarded struct {
	started  string // tells it from another that has got its PID
	attached map[*PlannedModule]bool
	refused  bool
}

// processCount counts processes, and describes the first.
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

func newGuard(r *recording) *guard {
	return &guard{r: r, processes: map[int]*guarded{}}
}

// add has a module attached from now on. Its file stays open: the path may lead through a process that ends.
func (g *guard) add(m *PlannedModule) error {
	file, err := os.Open(m.image.open)
	if err != nil {
		return fmt.Errorf("attach to %s: %w", m.Path, err)
	}
	g.files = append(g.files, file)
	m.image.open = fmt.Sprintf("/proc/self/fd/%d", file.Fd())
	g.modules = append(g.modules, m)
	return nil
}

// start looks at the processes of the plan. Those without any are all; a command is held.
func (g *guard) start(pids []int, command int) error {
	if len(pids) == 0 && command == 0 {
		pids = processes()
	}
	for _, pid := range pids {
		g.look(pid, nil, false)
	}
	if command == 0 || len(g.modules) == 0 {
		return g.err
	}
	files := newImages()
	defer files.close()
	sc, err := files.execScope(command, func(*image, []string) bool { return false })
	if err != nil {
		return err
	}
	g.look(command, sc.keys(), false)
	return g.err
}

// look attaches in a process what may be attached there, and detaches it where it may no more. loads are
// files that the process is going to map; running says that it is not held.
func (g *guard) look(pid int, loads []fileKey, running bool) {
	if len(g.modules) == 0 {
		return
	}
	p := g.processes[pid]
	started := startTime(pid)
	if p != nil && p.started != started {
		g.forget(pid)
		p = nil
	}
	mapped := mappedKeys(pid)
	wanted := slices.DeleteFunc(slices.Clone(g.modules), func(m *PlannedModule) bool {
		return !slices.Contains(mapped, m.image.key) && !slices.Contains(loads, m.image.key)
	})
	if started == "" || p == nil && len(wanted) == 0 {
		return
	}
	if p == nil {
		p = &guarded{started: started, attached: map[*PlannedModule]bool{}}
		g.processes[pid] = p
	}
	if why := processInvocation(pid).notUTF8(); why != "" {
		if len(wanted) > 0 && !p.refused {
			p.refused = true
			g.refused.add(fmt.Sprintf("%s of process %d", why, pid))
		}
		if len(p.attached) > 0 {
			clear(p.attached)
			g.fail(g.r.probes.removeIn(pid))
		}
		return
	}
	for _, m := range wanted {
		if p.attached[m] {
			continue
		}
		if _, err := g.r.attachModule(m, []int{pid}); err != nil {
			if !hasEnded(pid) {
				g.fail(err)
			}
			return
		}
		p.attached[m] = true
		if running {
			g.late.add(fmt.Sprintf("%s in process %d", m.Path, pid))
		}
	}
}

// replaced takes note that not the first thread of a process has executed a program: it takes the place of the first, with
// its ID and start time, and the kernel's links stay with the one that is gone.
func (g *guard) replaced(pid int) {
	if p := g.processes[pid]; p != nil {
		clear(p.attached)
		g.r.probes.forgetIn(pid)
	}
}

// fail keeps the first error: what ails one process, such as the limit of open files, ails more.
func (g *guard) fail(err error) {
	if g.err == nil {
		g.err = err
	}
}

// forgetEnded detaches from the processes that have ended.
func (g *guard) forgetEnded() {
	for pid, p := range g.processes {
		if startTime(pid) != p.started {
			g.forget(pid)
		}
	}
}

func (g *guard) forget(pid int) {
	delete(g.processes, pid)
	g.r.probes.forgetIn(pid)
}

// warnings tells what is not recorded.
func (g *guard) warnings() (list []string) {
	others := func(c processCount) string {
		if c.count == 1 {
			return ""
		}
		return fmt.Sprintf(", and so in %s", english.Plural(c.count-1, "other process", "other processes"))
	}
	if g.refused.count > 0 {
		list = append(list, fmt.Sprintf("the functions and imports of Python were not recorded where %s is not UTF-8, which breaks CPython%s", g.refused.first, others(g.refused)))
	}
	if g.late.count > 0 {
		list = append(list, fmt.Sprintf("the functions and imports of Python were attached to %s when it was found running%s: its calls before that are missing", g.late.first, others(g.late)))
	}
	if g.err != nil {
		list = append(list, fmt.Sprintf("not probed: %v", g.err))
	}
	return list
}

func (g *guard) close() error {
	var errs []error
	for _, file := range g.files {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// startTime tells processes of one PID apart (field 22 of /proc/PID/stat, proc(5)); "" for one that has ended.
func startTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // from field 3
	if len(fields) < 20 {
		return ""
	}
	return string(fields[19])
}

// mappedKeys returns the files that a process has mapped to execute them.
func mappedKeys(pid int) (keys []fileKey) {
	maps, _ := procmaps.Read(pid)
	for _, m := range maps {
		if m.Exec && m.Inode != 0 {
			keys = append(keys, mappedKey(m, m.OpenPath(pid)))
		}
	}
	return keys
}

// keys returns the files of the scope.
func (sc *scope) keys() (keys []fileKey) {
	for _, img := range sc.all() {
		keys = append(keys, img.key)
	}
	return keys
}
