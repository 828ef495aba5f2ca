//go:build linux

package record

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"time"

	"utrace/bpf"
	"utrace/record/internal/clock"
)

// forkDelay is after what time a forked process gets the breakpoints of its parent, if all
// processes of the machine are recorded. Most forked processes execute another program first, and
// that one must be looked at before.
const forkDelay = 20 * time.Millisecond

// awaitTimeout is how long the end of the recording can remain unnoticed.
const awaitTimeout = 50 * time.Millisecond

// isClosed reports whether close has been called.
func (d *discoverer) isClosed() bool {
	select {
	case <-d.quit:
		return true
	default:
		return false
	}
}

// await waits for records of the kernel about processes, and handles them for a while.
//
// What may harm a process comes first: any program that has been executed is looked at before
// anything slow is done for others.
func (d *discoverer) await(timeout time.Duration) {
	if d.objs.Arrivals == nil { // the kernel does not report tasks
		time.Sleep(timeout)
		return
	}
	if len(d.tasks) == 0 {
		d.objs.Arrivals.Await(timeout)
	}
	end := time.Now().Add(awaitTimeout)
	for d.drain(); len(d.tasks) > 0 && time.Now().Before(end) && !d.isClosed(); d.drain() {
		task := d.tasks[0]
		d.tasks = d.tasks[1:]
		d.handle(&task)
	}
	now := clock.MonotonicNs()
	for len(d.forks) > 0 && d.forks[0].TimeNs+uint64(forkDelay) < now {
		fork := d.forks[0]
		d.forks = d.forks[1:]
		d.forked(int(fork.PID), int(fork.Other), fork.TimeNs)
	}
}

// drain reads the kernel's records of processes into the queue.
func (d *discoverer) drain() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.objs.Arrivals.Drain(func(rec []byte) {
		task := bpf.DecodeTask(rec)
		d.tasks = append(d.tasks, task)
		if task.Kind != bpf.TaskExec || d.held[int(task.PID)] > task.TimeNs {
			return
		}
		if d.selects() && !d.objs.HasProcess(int(task.PID)) {
			return
		}
		if traced, _ := tracedByUs(int(task.PID)); !traced {
			d.processes.beginExec(int(task.PID), false)
		}
	})
}

// handle passes on the kernel's record of a process. A tracer calls execed and forked itself.
func (d *discoverer) handle(task *bpf.Task) {
	pid := int(task.PID)
	isTask := func(t bpf.Task) bool { return t.PID == task.PID }
	switch {
	case task.Kind == bpf.TaskProcessExit:
		d.forks = slices.DeleteFunc(d.forks, isTask)
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.held[pid] < task.TimeNs {
			delete(d.held, pid)
		}
		d.processes.ended(pid, task.TimeNs)
	case d.wasHeld(task):
	case task.Kind == bpf.TaskFork && d.machine:
		d.forks = append(d.forks, *task)
	case task.Kind == bpf.TaskExec && d.selects() && !d.objs.HasProcess(pid):
		d.execedOther(pid, int(task.Other), task.TimeNs)
	case !d.stays(task):
	case task.Kind == bpf.TaskFork:
		d.forked(pid, int(task.Other), task.TimeNs)
	case !d.machine && !d.objs.HasProcess(pid):
		d.bystander(pid)
	default:
		d.forks = slices.DeleteFunc(d.forks, isTask)
		d.execed(pid, int(task.Other), task.TimeNs)
	}
}

// wasHeld reports whether the tracer has held a process after its fork or exec, or will. The
// process may have ended already.
func (d *discoverer) wasHeld(task *bpf.Task) bool {
	d.mu.Lock()
	held := d.held[int(task.PID)] > task.TimeNs
	d.mu.Unlock()
	if held {
		return true
	}
	traced, _ := tracedByUs(int(task.PID))
	return traced
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
