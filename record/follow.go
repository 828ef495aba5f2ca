//go:build linux

package record

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize/english"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/image"
	"utrace/record/internal/proc"
	"utrace/record/internal/procmaps"
	"utrace/record/plan"
)

// Processes are looked at for libraries that they have loaded meanwhile: once a second, and
// more often as long as a probe names nothing yet; but for a tenth of the time at most.
const (
	lookEvery        = time.Second
	lookEveryPending = 50 * time.Millisecond
	lookShare        = 10
)

// laterFuncs is how many functions there is room for that are found while recording.
const laterFuncs = 1 << 18

// follower finds what appears while recording, and has it probed: the programs that processes
// execute, and the libraries that they load. It learns of a program
//
//   - from the tracer of a command, which holds the process meanwhile: no call is lost;
//   - from the kernel's record, when the program is already running;
//
// and of a library by looking at the mappings of each process once a second.
type follower struct {
	r      *recording
	tasks  chan bpf.Task // of the kinds TaskFork and TaskExec
	quit   chan struct{}
	stop   sync.Once
	closed sync.WaitGroup

	mu       sync.Mutex // for all below, and for the plan and the links of the recording
	err      error
	guard    *guard
	programs map[programKey][]image.Key // that have been resolved, with their libraries
	looked   map[int]uint64             // by PID: hash of the executable mappings
	known    map[image.Mapped]bool      // that have been looked at in some process
	late     []string
	leftOut  int // how many of the plan have been told to the drainer
	hash     maphash.Hash
}

// programKey is what the libraries of a program depend on.
type programKey struct {
	file   image.Version
	linker string // variables of the dynamic linker
}

func newFollower(r *recording) *follower {
	f := &follower{
		r: r, tasks: make(chan bpf.Task, 1024), quit: make(chan struct{}),
		guard: newGuard(r), programs: map[programKey][]image.Key{}, looked: map[int]uint64{}, known: map[image.Mapped]bool{},
	}
	if len(r.targets) == 0 { // the plan is for all of them
		for img := range r.plan.Images.All() {
			f.known[image.Mapped{Key: img.Key, Path: img.Path}] = true
		}
	}
	return f
}

// watch looks at the processes until close. What is left out up to now has been told.
func (f *follower) watch() {
	f.leftOut = len(f.r.plan.LeftOut)
	f.closed.Go(func() {
		next := time.NewTimer(lookEveryPending)
		defer next.Stop()
		for {
			select {
			case <-f.quit:
				return
			case task := <-f.tasks:
				pid := int(task.PID)
				switch traced, _ := tracedByUs(pid); {
				case traced: // the tracer calls execed and forked
				case task.Kind == bpf.TaskFork:
					f.forked(pid, true)
				default:
					f.execed(pid, int(task.Other), true)
				}
			case <-next.C:
				start := time.Now()
				every := lookEvery
				if f.lookAll() {
					every = lookEveryPending
				}
				next.Reset(max(every, lookShare*time.Since(start)))
			}
		}
	})
}

// close returns when nothing is being looked at any more.
func (f *follower) close() {
	f.stop.Do(func() { close(f.quit) })
	f.closed.Wait()
}

// tracedByUs reports whether a thread of this process traces the process, and holds it, as it does with one that has
// been forked or has executed a program until that has been looked at.
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

// execed finds the probes in the program that a thread of a process has just executed, and
// in the libraries that it will load. running says that it has not been held.
func (f *follower) execed(pid, tid int, running bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.tellLeftOut()
	if tid != pid {
		f.guard.replaced(pid)
	}
	if len(f.r.targets) == 0 {
		f.guard.look(pid, nil, running)
		return
	}
	files := image.NewSet()
	defer files.Close()
	var key programKey
	sc, err := plan.ExecScope(&files, pid, func(program *image.Image, env []string) (known bool) {
		key = programKey{file: program.Version}
		for _, kv := range env {
			if strings.HasPrefix(kv, "LD_") {
				key.linker += kv + "\x00"
			}
		}
		_, known = f.programs[key]
		return known
	})
	if err == nil && sc != nil { // else it has ended, is no ELF file, or is known
		f.programs[key] = sc.Keys()
		f.extend(&files, sc, running, nil)
	}
	f.guard.look(pid, f.programs[key], running)
}

// forked has the guard look at a process that has been forked. running says that it has not been held.
func (f *follower) forked(pid int, running bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.guard.look(pid, nil, running)
	f.tellLeftOut()
}

// pids returns all processes that are being recorded.
func (f *follower) pids() ([]int, error) {
	if len(f.r.targets) == 0 {
		return proc.All(), nil
	}
	return f.r.objs.Processes()
}

// lookAll looks at all processes that are being recorded. It reports whether some probe
// still names nothing.
func (f *follower) lookAll() (pending bool) {
	pids, err := f.pids()
	if err != nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	looked := make(map[int]uint64, len(pids))
	for _, pid := range pids {
		looked[pid] = f.look(pid)
	}
	f.looked = looked
	f.guard.forgetEnded()
	f.tellLeftOut()
	return len(f.r.plan.Pending) > 0
}

// look finds the probes in what a process has mapped since the last look, and
// returns the hash of its executable mappings.
func (f *follower) look(pid int) uint64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0
	}
	f.hash.Reset()
	for line := range bytes.Lines(text) {
		if _, perm, ok := bytes.Cut(line, []byte(" ")); ok && len(perm) > 2 && perm[2] == 'x' {
			f.hash.Write(line)
		}
	}
	sum := f.hash.Sum64()
	if sum == f.looked[pid] {
		return sum
	}
	_, held := tracedByUs(pid)
	f.guard.look(pid, nil, !held)
	if !f.addKnown(pid) {
		return sum
	}
	files := image.NewSet()
	defer files.Close()
	sc, err := plan.ProcessScope(&files, pid)
	if err != nil {
		return 0
	}
	var program *image.Image
	if held { // it is just executing its program: the tracer waits to have it looked at
		program = sc.Program
	}
	f.extend(&files, sc, true, program)
	return sum
}

// addKnown reports whether a process has mapped a file that had not been looked at in any.
func (f *follower) addKnown(pid int) (fresh bool) {
	maps, err := procmaps.Read(pid)
	if err != nil {
		return false
	}
	for _, m := range maps {
		if !m.Exec || m.Inode == 0 {
			continue
		}
		// The inode number of a file that is deleted can soon be that of another.
		key := image.Mapped{Key: image.Key{Dev: m.Dev, Ino: m.Inode}, Path: m.Path}
		fresh = fresh || m.Deleted || !f.known[key] && !f.r.plan.Images.Failed[key.Key]
		f.known[key] = true
	}
	return fresh
}

// extend plans, defines and attaches what is new in a scope. Definitions go ahead of
// the first event, so a return instruction that the kernel refuses is found out
// too late to be told in them. late says that the process runs, but for a program that is held.
func (f *follower) extend(files *image.Set, sc *plan.Scope, late bool, held *image.Image) {
	r := f.r
	f.late = append(f.late, r.plan.AddProblems(sc, true)...)
	funcs, guarded := r.plan.Funcs(), false
	for _, m := range newModules(r.plan.Extend(files, sc)) {
		m.ReadLines()
		m.first = format.FuncID(funcs)
		funcs += len(m.Funcs)
		if err := r.shareLinks([]*module{m}); err != nil {
			f.err = errors.Join(f.err, err)
		}
		r.drainer.definitions.add(func(c *catalog) { c.add(m) })
		if m.PerProcess {
			f.err = errors.Join(f.err, f.guard.add(m))
			guarded = true
			continue
		}
		if err := r.attachLater(m); err != nil {
			f.err = errors.Join(f.err, err)
			continue
		}
		if late && m.Image != held {
			f.late = append(f.late, fmt.Sprintf("%s: %s attached %.1f s after the start, when it was found in process %d: its calls before that are missing",
				m.Path, english.Plural(len(m.Funcs), "function", ""), time.Duration(monotonicNs()-uint64(r.start.MonoNs)).Seconds(), sc.PID))
		}
	}
	if guarded {
		f.guardAll()
	}
}

// tellLeftOut tells the drainer of what has been left out since the last time.
func (f *follower) tellLeftOut() {
	fresh := f.r.plan.LeftOut[f.leftOut:]
	f.leftOut += len(fresh)
	if len(fresh) == 0 {
		return
	}
	f.r.drainer.definitions.add(func(c *catalog) {
		for _, l := range fresh {
			c.w.AddLeftOut(l)
		}
	})
}

// guardAll has the guard look at the processes for something new that they may have mapped before.
func (f *follower) guardAll() {
	pids, err := f.pids()
	if err != nil {
		f.err = errors.Join(f.err, err)
		return
	}
	for _, pid := range pids {
		_, held := tracedByUs(pid)
		f.guard.look(pid, nil, !held)
	}
}

// followNewborn adds the children that processes have forked since they were listed. From bpf.Load on the kernel adds those of each process that
// is on its list, so this ends. Their programs are found like those of others.
func (r *recording) followNewborn() error {
	for {
		fresh := slices.DeleteFunc(proc.WithDescendants(r.cfg.PIDs), func(pid int) bool { return slices.Contains(r.cfg.PIDs, pid) })
		if len(fresh) == 0 {
			return nil
		}
		for _, pid := range fresh {
			if err := r.objs.AddProcess(pid); err != nil {
				return err
			}
		}
		r.cfg.PIDs = slices.Concat(r.cfg.PIDs, fresh)
		r.targets = slices.Concat(r.targets, fresh)
	}
}
