//go:build linux

// Package threads numbers the threads and goroutines of a recording, and tells apart those that get
// the same ID one after the other.
package threads

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"strings"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/container"
	"utrace/record/internal/proc"
)

// Set numbers the threads of events, and defines them and their processes in the trace as they
// appear.
//
// The kernel reuses a thread ID after its thread has ended. A thread that executes another program
// begins anew, on a new stack. Each such life gets a number of its own. Events and the kernel's
// records of tasks arrive in passes:
//
//  1. Task gets the tasks up to a moment.
//  2. ID gets the events up to the same moment. An event belongs to the first life of its thread
//     that ends after it.
//  3. Settle ends the pass.
type Set struct {
	w         Definer
	places    *container.State
	lives     map[uint32]*life     // by TID: threads that have not ended
	routines  map[routineKey]*life // goroutines and tracks
	ended     map[uint32][]*life   // by TID: threads that end in this pass, in order
	Gone      map[uint32][]uint64  // by PID: when processes end in this pass, also by an exec; CLOCK_MONOTONIC
	execs     []exec               // of this pass
	processes map[uint32]*process  // by PID: processes that have not ended
	EndedNs   map[uint32]uint64    // by PID, unless nil: when a process last ended or executed a program; CLOCK_MONOTONIC
	last      uint32               // the latest thread, which is usually also the next
	lastID    format.ThreadID
}

// life is a thread from its start or exec to its next exec or its end.
type life struct {
	process *process
	id      format.ThreadID
	goid    uint64 // of a goroutine, which ends with its process
	track   int    // of a track, which ends with its process
	defined bool   // id is valid
	comm    string // as the kernel reported it at the end
	endNs   uint64 // CLOCK_MONOTONIC
}

// process is a process from its start or exec to its next exec or its end.
type process struct {
	pid     uint32
	comm    string  // as the kernel reported it, "" if not yet
	place   place   // of its parent, or where it was before an exec, until it is defined
	program program // of its parent, until it is defined
	defined bool
	tids    map[uint32]bool // with lives
}

// program is what a process runs.
type program struct {
	args []string
	exe  string
}

// Definer takes the definitions of a Set. A *format.Writer is one.
type Definer interface {
	AddProcess(format.Process)
	AddThread(format.Thread) format.ThreadID
}

// NewSet returns an empty set, which defines threads and processes in w.
func NewSet(w Definer) *Set {
	return &Set{w: w, places: container.NewState("/"), lives: map[uint32]*life{}, routines: map[routineKey]*life{}, Gone: map[uint32][]uint64{}, ended: map[uint32][]*life{}, processes: map[uint32]*process{}}
}

// Task notes what happened to a task.
func (t *Set) Task(rec *bpf.Task) {
	t.last = 0
	switch rec.Kind {
	case bpf.TaskFork:
		t.endProcess(rec.PID, rec.TimeNs) // an earlier process whose end was not reported
		p := &process{pid: rec.PID, comm: rec.Comm, tids: map[uint32]bool{}}
		if parent := t.processes[rec.Other]; parent != nil {
			p.place, p.program = parent.place, parent.program
		}
		t.processes[rec.PID] = p
	case bpf.TaskExec:
		before := t.process(rec.PID).place // it ends, even if it has had no event yet
		t.execs = append(t.execs, exec{rec.PID, rec.Other, rec.TimeNs, rec.Comm})
		t.end(rec.PID, rec.Other, rec.TimeNs, "")
		t.end(rec.PID, rec.TID, rec.TimeNs, "")
		t.endProcess(rec.PID, rec.TimeNs)
		t.processes[rec.PID] = &process{pid: rec.PID, comm: rec.Comm, place: before, tids: map[uint32]bool{}}
	case bpf.TaskThreadExit:
		t.end(rec.PID, rec.TID, rec.TimeNs, rec.Comm)
	case bpf.TaskProcessExit:
		t.end(rec.PID, rec.TID, rec.TimeNs, rec.Comm)
		t.endProcess(rec.PID, rec.TimeNs)
	}
}

// end ends the life of a thread, even if it has had no event yet.
func (t *Set) end(pid, tid uint32, ns uint64, comm string) {
	l := t.lives[tid]
	if l == nil {
		if n := len(t.ended[tid]); n > 0 && t.ended[tid][n-1].endNs == ns {
			return // the thread that executes a program was the first of its process
		}
		l = &life{process: t.process(pid)}
	}
	l.endNs, l.comm = ns, comm
	delete(t.lives, tid)
	delete(l.process.tids, tid)
	t.ended[tid] = append(t.ended[tid], l)
}

func (t *Set) endProcess(pid uint32, ns uint64) {
	if t.EndedNs != nil {
		t.EndedNs[pid] = ns
	}
	p := t.processes[pid]
	if p == nil {
		return
	}
	for tid := range p.tids {
		t.end(pid, tid, ns, "")
	}
	t.Gone[pid] = append(t.Gone[pid], ns)
	delete(t.processes, pid)
}

func (t *Set) process(pid uint32) *process {
	p := t.processes[pid]
	if p == nil {
		p = &process{pid: pid, tids: map[uint32]bool{}}
		t.processes[pid] = p
	}
	return p
}

// routineKey identifies a goroutine, or a track.
type routineKey struct {
	pid   uint32
	goid  uint64
	track int
}

// goroutine returns the number of a goroutine. tid is the thread on which it was first seen. Its
// life ends in the pass in which its process ends.
func (t *Set) goroutine(pid, tid uint32, goid uint64) format.ThreadID {
	return t.routine(routineKey{pid: pid, goid: goid}, tid)
}

// Track returns the number of a track of a process, see format.Thread. Its life is like a
// goroutine's.
func (t *Set) Track(pid, tid uint32, track int) format.ThreadID {
	return t.routine(routineKey{pid: pid, track: track}, tid)
}

func (t *Set) routine(key routineKey, tid uint32) format.ThreadID {
	pid := key.pid
	l := t.routines[key]
	if l == nil {
		p := t.processes[pid]
		if ended := t.ended[tid]; p == nil && len(ended) > 0 {
			p = ended[len(ended)-1].process
		}
		if p == nil {
			p = t.process(pid)
		}
		l = &life{process: p, goid: key.goid, track: key.track}
		t.routines[key] = l
	}
	return t.define(l, pid, tid)
}

// ID returns the number of the thread of an event at ns, or of its goroutine if goid is not 0.
func (t *Set) ID(pid, tid uint32, goid, ns uint64) format.ThreadID {
	if goid != 0 {
		return t.goroutine(pid, tid, goid)
	}
	if tid == t.last && tid != 0 {
		return t.lastID
	}
	for _, l := range t.ended[tid] {
		if ns <= l.endNs {
			return t.define(l, pid, tid)
		}
	}
	l := t.lives[tid]
	if l == nil {
		l = &life{process: t.process(pid)}
		l.process.tids[tid] = true
		t.lives[tid] = l
	}
	id := t.define(l, pid, tid)
	if len(t.ended[tid]) == 0 {
		t.last, t.lastID = tid, id
	}
	return id
}

// HasID reports whether id has already given the thread, or the goroutine, a number.
func (t *Set) HasID(pid, tid uint32, goid, ns uint64) bool {
	if goid != 0 {
		return t.routines[routineKey{pid: pid, goid: goid}] != nil
	}
	for _, l := range t.ended[tid] {
		if ns <= l.endNs {
			return l.defined
		}
	}
	l := t.lives[tid]
	return l != nil && l.defined
}

// Settle forgets the lives that have ended in this pass.
func (t *Set) Settle() {
	if len(t.Gone) > 0 {
		maps.DeleteFunc(t.routines, func(key routineKey, _ *life) bool { return t.Gone[key.pid] != nil })
	}
	clear(t.Gone)
	t.execs = t.execs[:0]
	clear(t.ended)
}

// Forget forgets the numbers of threads that keep denies, and processes without numbered threads.
// They get new definitions with their next event. It must not be called within a pass.
func (t *Set) Forget(keep func(format.ThreadID) bool) {
	t.last = 0
	used := map[*process]bool{}
	for _, l := range t.lives {
		l.defined = l.defined && keep(l.id)
		if l.defined {
			used[l.process] = true
		}
	}
	maps.DeleteFunc(t.routines, func(_ routineKey, l *life) bool {
		if !l.defined || !keep(l.id) {
			return true
		}
		used[l.process] = true
		return false
	})
	for _, p := range t.processes {
		p.defined = p.defined && used[p]
	}
}

// define returns the number of a life. Names are as the kernel reported them. For whatever is still
// running, they are read from /proc.
func (t *Set) define(l *life, pid, tid uint32) format.ThreadID {
	if l.defined {
		return l.id
	}
	if p := l.process; !p.defined {
		if p.comm == "" && l.endNs != 0 && pid == tid {
			p.comm = l.comm
		}
		t.defineProcess(p, pid)
	}
	th := format.Thread{PID: int(pid), TID: int(tid), Comm: l.comm, Goroutine: l.goid, Track: l.track}
	if th.Comm == "" && l.endNs == 0 {
		th.Comm = proc.ThreadComm(int(pid), int(tid))
	}
	if th.Comm == "" {
		th.Comm = l.process.comm
	}
	l.id, l.defined = t.w.AddThread(th), true
	return l.id
}

// DefineProcess defines a process that has had no event yet.
func (t *Set) DefineProcess(pid uint32) { t.defineProcess(t.process(pid), pid) }

// defineProcess adds what /proc says, as far as that is about the same program. A process that has
// executed another one since its fork ran the program of its parent.
func (t *Set) defineProcess(p *process, pid uint32) {
	if t.processes[pid] == p {
		comm, now := readProgram(int(pid))
		if p.comm == "" || p.comm == comm {
			p.comm, p.program = comm, now
		}
	}
	if now, ok := readPlace(int(pid), t.places); ok {
		p.place = now
	}
	def := format.Process{PID: int(pid), Comm: p.comm, Args: p.program.args, Exe: p.program.exe}
	p.place.addTo(&def)
	t.w.AddProcess(def)
	p.defined = true
}

// maxArgs limits the bytes of a command line that are kept.
const maxArgs = 4096

// readProgram returns the name of a process and its program, as far as /proc has them.
func readProgram(pid int) (comm string, p program) {
	if args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && len(args) > 0 {
		args = args[:min(len(args), maxArgs)]
		p.args = strings.Split(string(bytes.TrimRight(args, "\x00")), "\x00")
	}
	p.exe, _ = os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)) // kernel threads have none
	return proc.Comm(pid), p
}
