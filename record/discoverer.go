//go:build linux

package record

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"sync"
	"time"

	"github.com/dustin/go-humanize/english"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/clock"
	"utrace/record/internal/image"
	"utrace/record/internal/proc"
	"utrace/record/internal/procmaps"
	"utrace/record/internal/survey"
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
	survey      *survey.Survey // nil without an overhead limit
	pids        []int          // processes to attach in; none: every process that runs a file
	machine     bool           // the whole machine is recorded
	searches    bool           // processes may map files with something to probe at any time
	newcomers   *newcomers     // nil without a selection
	notice      func(text string, args ...any)
	startNs     uint64 // CLOCK_MONOTONIC of the start; valid after watch
	searchedNs  uint64 // CLOCK_MONOTONIC of the last search

	tasks  []bpf.Task // records of processes that have yet to be handled
	forks  []bpf.Task // processes to be attached in, once it is likely that they execute no program
	quit   chan struct{}
	stop   sync.Once
	closed sync.WaitGroup

	mu        sync.Mutex // protects all below
	plan      *plan.Plan
	err       error
	processes *processes
	held      map[int]uint64                 // by PID: processes that the tracer has held, and when; CLOCK_MONOTONIC
	programs  map[image.Program]*loadedFiles // already resolved
	mappings  map[int]uint64                 // by PID: hash of the executable mappings
	seen      map[image.Mapped]bool          // files that some process has mapped and that were searched
	late      []string
	leftOut   int // how many of the plan's LeftOut are in the trace or queued for it
	hash      maphash.Hash
}

// newDiscoverer returns a discoverer for a plan. A plan for the whole machine has already searched
// its files.
func newDiscoverer(p *plan.Plan, procs *processes, defs *definitions, machine bool, pids []int) *discoverer {
	d := &discoverer{
		objs: procs.objs, probes: procs.probes, definitions: defs, pids: pids, machine: machine,
		searches: p.CanGrow() || p.NeedsPerProcess(),
		quit:     make(chan struct{}), plan: p,
		processes: procs, programs: map[image.Program]*loadedFiles{}, mappings: map[int]uint64{}, held: map[int]uint64{}, seen: map[image.Mapped]bool{},
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
	d.startNs, d.searchedNs, d.leftOut = startNs, startNs, len(d.plan.LeftOut)
	d.closed.Go(func() {
		defer changePriority(drainNice)() // a new process runs without probes meanwhile
		for next := time.Now().Add(searchEveryPending); ; {
			d.await(min(time.Until(next), awaitTimeout))
			if d.isClosed() {
				return
			}
			if start := time.Now(); start.After(next) {
				every := searchEvery
				if d.selects() {
					d.joinMatching()
				}
				if d.searchAll() {
					every = searchEveryPending
				}
				next = time.Now().Add(max(every, searchPause*time.Since(start)))
			}
		}
	})
}

// watchBusy probes the functions of programs that become busy, until close.
//
// Reading a program takes some tenths of a second of processor time, for which it gets no priority.
// Probing it does, because the discoverer's other work waits for that.
func (d *discoverer) watchBusy() {
	if !d.plan.ChoosesBusy() || d.survey == nil {
		return
	}
	busy := d.plan.WatchBusy()
	d.closed.Go(func() {
		for d.plan.ChoosesBusy() {
			select {
			case <-d.quit:
				return
			case <-time.After(busyEvery):
			}
			restore := changePriority(0)
			found := busy.Look(d.quit)
			restore()
			if found != nil {
				d.addBusy(found)
			}
		}
	})
}

// busyEvery is how often busy programs are looked for.
const busyEvery = time.Second

// addBusy probes the functions of programs that have become busy.
func (d *discoverer) addBusy(found *plan.LaterBusy) {
	defer changePriority(drainNice)()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.isClosed() {
		return
	}
	defer d.defineLeftOut()
	funcs := d.plan.Funcs()
	modules, texts := d.plan.ExtendBusy(found, d.quit)
	for _, m := range d.add(newModules(modules), funcs, false) {
		d.survey.Attached(m.Module)
	}
	for _, text := range texts {
		d.notice("%s, %s", text, d.afterStart())
	}
}

// close returns once the last search has ended.
func (d *discoverer) close() {
	d.stop.Do(func() { close(d.quit) })
	if d.survey != nil {
		setPriority(drainNice) // watchBusy may be reading a program
	}
	d.closed.Wait()
}

// execed probes the program that a thread of a process has just executed, and the libraries that
// this program will load. sinceNs is when the program began to run, 0 if it is held.
func (d *discoverer) execed(pid, tid int, sinceNs uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.defineLeftOut()
	if tid != pid {
		d.processes.replaced(pid)
	}
	if sinceNs == 0 { // otherwise it was looked at when its record was read
		d.held[pid] = clock.MonotonicNs()
		d.processes.beginExec(pid, true)
	}
	d.processes.execed(pid, d.loadedBy(pid, sinceNs), sinceNs)
}

// bystander looks at a process that has executed a program and is not recorded.
func (d *discoverer) bystander(pid int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	loads := d.loadedBy(pid, 0)
	if why := d.processes.whySplit(pid, plan.LibraryTextReader(loads.paths), loads.keys); why != "" {
		d.processes.split(why)
	}
}

// loadedBy returns the files that the program of a process loads when it starts. If the process is
// recorded, it probes them the first time.
func (d *discoverer) loadedBy(pid int, sinceNs uint64) *loadedFiles {
	recorded := d.machine || d.objs.HasProcess(pid)
	files := d.plan.Files.NewSet()
	defer files.Close()
	var key image.Program
	sc, err := plan.ExecScope(&files, pid, func(program image.Version, env []string) (seen bool) {
		key = image.NewProgram(program, env)
		loads := d.programs[key]
		return loads != nil && (loads.planned || !recorded)
	})
	if err == nil && sc != nil { // otherwise it has ended, is no ELF file, or was seen before
		d.programs[key] = &loadedFiles{keys: sc.Keys(), paths: sc.LibPaths(), planned: recorded}
		if recorded && !d.machine { // a plan for the machine looks in files that have been mapped
			d.extend(&files, sc, sinceNs != 0 && !d.processes.each, nil) // processes counts how late each is
		}
	}
	if loads := d.programs[key]; loads != nil {
		return loads
	}
	return &loadedFiles{}
}

// forked attaches in a new child what its parent has. sinceNs is when it began to run, 0 if it is
// held.
func (d *discoverer) forked(pid, parent int, sinceNs uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if sinceNs == 0 {
		d.held[pid] = clock.MonotonicNs()
	}
	d.processes.forked(pid, parent, sinceNs)
	d.defineLeftOut()
}

// searchAll searches all recorded processes. It reports whether some probe still matches nothing.
func (d *discoverer) searchAll() (pending bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.processes.forgetEnded()
	if !d.searches && !d.processes.each {
		return false
	}
	pids, err := d.processes.recorded()
	if err != nil {
		return false
	}
	mappings := make(map[int]uint64, len(pids))
	for _, pid := range pids {
		mappings[pid] = d.search(pid)
	}
	d.mappings = mappings
	d.searchedNs = clock.MonotonicNs()
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
	traced, held := tracedByUs(pid)
	if traced && d.processes.each && d.processes.processes[pid] == nil {
		return 0 // new: the tracer holds it before its first instruction
	}
	if !d.addSeen(pid) {
		d.processes.look(pid, d.sinceNs(held), &d.processes.lateMaps)
		return sum
	}
	files := d.plan.Files.NewSet()
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
	d.processes.look(pid, d.sinceNs(held), &d.processes.lateMaps)
	return sum
}

// sinceNs returns since when a process may have run without probes that a search finds now.
func (d *discoverer) sinceNs(held bool) uint64 {
	if held {
		return 0
	}
	return d.searchedNs
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
	funcs := d.plan.Funcs()
	added := d.add(newModules(d.plan.Extend(files, sc)), funcs, held != nil || !late)
	fresh := false
	for _, m := range added {
		fresh = fresh || d.processes.takes(m)
		if d.survey != nil {
			defer d.survey.Attached(m.Module) // once it is attached in all processes
		}
		if late && m.Image != held {
			d.late = append(d.late, fmt.Sprintf("%s: %s attached %s, when it was found in process %d: its earlier calls are missing",
				m.Path, english.Plural(len(m.Funcs), "function", ""), d.afterStart(), sc.PID))
		}
	}
	if fresh {
		d.lookAtOthers(sc.PID)
	}
}

// afterStart says when something happens now.
func (d *discoverer) afterStart() string {
	return fmt.Sprintf("%.1f s after the start", time.Duration(clock.MonotonicNs()-d.startNs).Seconds())
}

// add defines new modules, whose functions have numbers from first on, and attaches those that are
// not attached process by process. It returns those that could be. held is set if their program
// does not run yet.
func (d *discoverer) add(modules []*module, first int, held bool) (added []*module) {
	for _, m := range modules {
		m.ReadLines()
		m.first = format.FuncID(first)
		first += len(m.Funcs)
		d.definitions.add(func(c *catalog) { c.add(m) })
		if d.survey != nil {
			m.joinSurvey(d.survey, d.probes, d.definitions, held)
		}
		d.splitFor(m)
		attach := d.attach
		if d.processes.takes(m) {
			attach = d.processes.add
		}
		if err := attach(m); err != nil {
			d.err = errors.Join(d.err, err)
			continue
		}
		added = append(added, m)
	}
	return added
}

// attachedModules returns the modules of each recorded process, none for the whole machine.
func (d *discoverer) attachedModules() map[int][]*module {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.processes.attachedModules()
}

// modulesIn returns the modules of a recorded process.
func (d *discoverer) modulesIn(pid int) []*module {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.processes.modulesIn(pid)
}

// splitFor replaces the links for all processes, if a process runs that must not get the
// breakpoints of a new module.
func (d *discoverer) splitFor(m *module) {
	ps := d.processes
	if ps.takes(m) || len(d.pids) > 0 || !ps.splittable {
		return
	}
	if why := ps.anyObjection([]*module{m}); why != "" {
		ps.split(why)
	}
}

// attach attaches a new module in all recorded processes that have not ended. Only the drainer
// changes the module, because it may already know it.
func (d *discoverer) attach(m *module) error {
	pids := d.pids
	if d.machine {
		pids = m.PIDs
	}
	if len(pids) == 0 {
		pids = []int{0} // every process
	}
	for _, pid := range pids {
		if pid != 0 && proc.HasEnded(pid) {
			continue
		}
		noReturns, err := d.probes.attach(m, pid)
		switch {
		case err != nil && pid != 0 && proc.HasEnded(pid):
			continue
		case err != nil:
			return err
		}
		d.dropReturns(m, noReturns)
		d.processes.noteTarget(pid, m)
	}
	return nil
}

// dropReturns queues that the kernel refuses the return probes of some functions.
func (d *discoverer) dropReturns(m *module, noReturns map[int]bool) {
	if len(noReturns) > 0 {
		d.definitions.add(func(*catalog) { m.dropReturns(noReturns) })
	}
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

// reaped notes that a thread has ended, whose ID can be used again from now on.
func (d *discoverer) reaped(pid int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.processes.ended(pid, clock.MonotonicNs())
}

// lookAtOthers attaches a new module in the processes that mapped it earlier. The one in which it
// was found follows.
func (d *discoverer) lookAtOthers(found int) {
	pids, err := d.processes.recorded()
	if err != nil {
		d.err = errors.Join(d.err, err)
		return
	}
	for _, pid := range pids {
		if pid != found {
			_, held := tracedByUs(pid)
			d.processes.look(pid, d.sinceNs(held), &d.processes.lateMaps)
		}
	}
}
