//go:build linux

package record

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize/english"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/clock"
	"utrace/record/internal/image"
	"utrace/record/internal/proc"
	"utrace/record/internal/procmaps"
	"utrace/record/plan"
)

// Processes are searched for newly loaded libraries once a second, and more often while a probe
// still matches nothing. Searching takes at most a tenth of the time: the pause is searchPause
// times as long as the search.
const (
	searchEvery        = time.Second
	searchEveryPending = 50 * time.Millisecond
	searchPause        = 10
)

// maxDiscoveredFuncs limits how many functions can be added while recording.
const maxDiscoveredFuncs = 1 << 18

// discoverer finds programs and libraries that appear while recording, and probes them. It learns
// of an executed program
//
//   - from the tracer of a command, which holds the process meanwhile, so that no call is lost;
//   - from the kernel's record, when the program is already running.
//
// It finds libraries in the mappings of each process, once a second.
type discoverer struct {
	objs        *bpf.Objects
	probes      *attachedProbes
	definitions *definitions
	pids        []int  // processes to attach in; none: every process that runs a file
	machine     bool   // the whole machine is recorded
	startNs     uint64 // CLOCK_MONOTONIC of the start; valid after watch

	tasks  chan bpf.Task // of the kinds TaskFork and TaskExec
	quit   chan struct{}
	stop   sync.Once
	closed sync.WaitGroup

	mu         sync.Mutex // protects all below
	plan       *plan.Plan
	err        error
	perProcess *perProcess
	programs   map[programKey][]image.Key // already resolved, with their libraries
	mappings   map[int]uint64             // by PID: hash of the executable mappings
	seen       map[image.Mapped]bool      // files that some process has mapped and that were searched
	late       []string
	leftOut    int // how many of the plan's LeftOut are in the trace or queued for it
	hash       maphash.Hash
}

// programKey is everything that determines which libraries a program loads.
type programKey struct {
	file   image.Version
	linker string // variables of the dynamic linker
}

// newDiscoverer returns a discoverer for a plan. A plan for the whole machine has already searched
// its files.
func newDiscoverer(p *plan.Plan, objs *bpf.Objects, probes *attachedProbes, defs *definitions, machine bool, pids []int) *discoverer {
	d := &discoverer{
		objs: objs, probes: probes, definitions: defs, pids: pids, machine: machine,
		tasks: make(chan bpf.Task, 1024), quit: make(chan struct{}), plan: p,
		perProcess: newPerProcess(probes), programs: map[programKey][]image.Key{}, mappings: map[int]uint64{}, seen: map[image.Mapped]bool{},
	}
	if machine {
		for img := range p.Images.All() {
			d.seen[image.Mapped{Key: img.Key, Path: img.Path}] = true
		}
	}
	return d
}

// watch searches the processes until close. The trace begins at startNs and already has everything
// left out so far.
func (d *discoverer) watch(startNs uint64) {
	d.startNs, d.leftOut = startNs, len(d.plan.LeftOut)
	d.closed.Go(func() {
		next := time.NewTimer(searchEveryPending)
		defer next.Stop()
		for {
			select {
			case <-d.quit:
				return
			case task := <-d.tasks:
				pid := int(task.PID)
				switch traced, _ := tracedByUs(pid); {
				case traced: // the tracer calls execed and forked
				case task.Kind == bpf.TaskFork:
					d.forked(pid, true)
				default:
					d.execed(pid, int(task.Other), true)
				}
			case <-next.C:
				start := time.Now()
				every := searchEvery
				if d.searchAll() {
					every = searchEveryPending
				}
				next.Reset(max(every, searchPause*time.Since(start)))
			}
		}
	})
}

// close returns once the last search has ended.
func (d *discoverer) close() {
	d.stop.Do(func() { close(d.quit) })
	d.closed.Wait()
}

// tracedByUs reports whether a thread of this process traces another process, and whether it holds
// it. After fork and exec a process is held until it has been searched.
func tracedByUs(pid int) (traced, held bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false, false
	}
	_, rest, _ := bytes.Cut(text, []byte("\nTracerPid:\t"))
	tid, _, _ := bytes.Cut(rest, []byte("\n"))
	if _, err := os.Stat("/proc/self/task/" + string(tid)); err != nil || string(tid) == "0" {
		return false, false
	}
	return true, bytes.Contains(text, []byte("\nState:\tt"))
}

// execed probes the program that a thread of a process has just executed, and the libraries that
// this program will load. running is set if the process was not held.
func (d *discoverer) execed(pid, tid int, running bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.defineLeftOut()
	if tid != pid {
		d.perProcess.replaced(pid)
	}
	if d.machine {
		d.perProcess.check(pid, nil, running)
		return
	}
	files := image.NewSet()
	defer files.Close()
	var key programKey
	sc, err := plan.ExecScope(&files, pid, func(program *image.Image, env []string) (seen bool) {
		key = programKey{file: program.Version}
		for _, kv := range env {
			if strings.HasPrefix(kv, "LD_") {
				key.linker += kv + "\x00"
			}
		}
		_, seen = d.programs[key]
		return seen
	})
	if err == nil && sc != nil { // otherwise it has ended, is no ELF file, or was seen before
		d.programs[key] = sc.Keys()
		d.extend(&files, sc, running, nil)
	}
	d.perProcess.check(pid, d.programs[key], running)
}

// forked attaches in a new child the modules that are attached process by process. running is set
// if the child was not held.
func (d *discoverer) forked(pid int, running bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.perProcess.check(pid, nil, running)
	d.defineLeftOut()
}

// recorded returns all recorded processes.
func (d *discoverer) recorded() ([]int, error) {
	if d.machine {
		return proc.All(), nil
	}
	return d.objs.Processes()
}

// searchAll searches all recorded processes. It reports whether some probe still matches nothing.
func (d *discoverer) searchAll() (pending bool) {
	pids, err := d.recorded()
	if err != nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	mappings := make(map[int]uint64, len(pids))
	for _, pid := range pids {
		mappings[pid] = d.search(pid)
	}
	d.mappings = mappings
	d.perProcess.forgetEnded()
	d.defineLeftOut()
	return len(d.plan.Pending) > 0
}

// search probes the files that a process has mapped since the last search. It returns the hash of
// the executable mappings.
func (d *discoverer) search(pid int) uint64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0
	}
	d.hash.Reset()
	for line := range bytes.Lines(text) {
		if _, perm, ok := bytes.Cut(line, []byte(" ")); ok && len(perm) > 2 && perm[2] == 'x' {
			d.hash.Write(line)
		}
	}
	sum := d.hash.Sum64()
	if sum == d.mappings[pid] {
		return sum
	}
	_, held := tracedByUs(pid)
	d.perProcess.check(pid, nil, !held)
	if !d.addSeen(pid) {
		return sum
	}
	files := image.NewSet()
	defer files.Close()
	sc, err := plan.ProcessScope(&files, pid)
	if err != nil {
		return 0
	}
	var program *image.Image
	if held { // at exec: the tracer waits until its program has been examined
		program = sc.Program
	}
	d.extend(&files, sc, true, program)
	return sum
}

// addSeen reports whether a process has mapped a file that no process had mapped before.
func (d *discoverer) addSeen(pid int) (fresh bool) {
	maps, err := procmaps.Read(pid)
	if err != nil {
		return false
	}
	for _, m := range maps {
		if !m.Exec || m.Inode == 0 {
			continue
		}
		// The inode number of a deleted file can soon belong to another file.
		key := image.Mapped{Key: image.Key{Dev: m.Dev, Ino: m.Inode}, Path: m.Path}
		fresh = fresh || m.Deleted || !d.seen[key] && !d.plan.Images.Failed[key.Key]
		d.seen[key] = true
	}
	return fresh
}

// extend plans, defines and attaches the new modules of a scope. late is set if the process is
// running. held is its program if the process is held, so that this program has not run yet.
//
// Definitions precede the first event. So it is too late to define a function without its return
// when the kernel refuses its return instruction.
func (d *discoverer) extend(files *image.Set, sc *plan.Scope, late bool, held *image.Image) {
	d.late = append(d.late, d.plan.AddProblems(sc, true)...)
	funcs, perProcess := d.plan.Funcs(), false
	for _, m := range newModules(d.plan.Extend(files, sc)) {
		m.ReadLines()
		m.first = format.FuncID(funcs)
		funcs += len(m.Funcs)
		if err := d.probes.shareLinks([]*module{m}, func(*module) []int { return d.pids }, true); err != nil {
			d.err = errors.Join(d.err, err)
		}
		d.definitions.add(func(c *catalog) { c.add(m) })
		if m.PerProcess {
			d.err = errors.Join(d.err, d.perProcess.add(m))
			perProcess = true
			continue
		}
		if err := d.attach(m); err != nil {
			d.err = errors.Join(d.err, err)
			continue
		}
		if late && m.Image != held {
			d.late = append(d.late, fmt.Sprintf("%s: %s attached %.1f s after the start, when it was found in process %d: its earlier calls are missing",
				m.Path, english.Plural(len(m.Funcs), "function", ""), time.Duration(clock.MonotonicNs()-d.startNs).Seconds(), sc.PID))
		}
	}
	if perProcess {
		d.checkAll()
	}
}

// attach attaches a new module in all recorded processes that have not ended. Only the drainer
// changes the module, because it may already know it.
func (d *discoverer) attach(m *module) error {
	pids := d.pids
	if len(pids) == 0 {
		pids = []int{0} // every process
	}
	noReturn := map[int]bool{}
	for _, pid := range pids {
		if pid != 0 && proc.HasEnded(pid) {
			continue
		}
		more, err := d.probes.attach(m, []int{pid})
		if err != nil && (pid == 0 || !proc.HasEnded(pid)) {
			return err
		}
		maps.Copy(noReturn, more)
	}
	if len(noReturn) > 0 {
		d.definitions.add(func(*catalog) { m.dropReturns(noReturn) })
	}
	return nil
}

// defineLeftOut queues everything that was left out since the last time.
func (d *discoverer) defineLeftOut() {
	fresh := d.plan.LeftOut[d.leftOut:]
	d.leftOut += len(fresh)
	if len(fresh) == 0 {
		return
	}
	d.definitions.add(func(c *catalog) {
		for _, l := range fresh {
			c.w.AddLeftOut(l)
		}
	})
}

// checkAll attaches a new per-process module in the processes that mapped it earlier.
func (d *discoverer) checkAll() {
	pids, err := d.recorded()
	if err != nil {
		d.err = errors.Join(d.err, err)
		return
	}
	for _, pid := range pids {
		_, held := tracedByUs(pid)
		d.perProcess.check(pid, nil, !held)
	}
}
