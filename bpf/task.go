//go:build linux

package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// TaskKind is enum task_kind of types.h.
type TaskKind uint32

const (
	// TaskFork: a process was made; it has not run yet.
	TaskFork TaskKind = 1
	// TaskExec: a process runs another program, with a single thread.
	TaskExec TaskKind = 2
	// TaskThreadExit: a thread has ended, but not its process.
	TaskThreadExit TaskKind = 3
	// TaskProcessExit: a process has ended, and its last thread with it.
	TaskProcessExit TaskKind = 4
)

// Task is struct task of types.h.
type Task struct {
	Kind   TaskKind
	Other  uint32 // TaskFork: the parent; TaskExec: the former ID of the thread; TaskProcessExit: see KilledBy
	TimeNs uint64 // CLOCK_MONOTONIC
	Comm   string
	PID    uint32
	TID    uint32
}

// KilledBy returns the signal that killed the process of a TaskProcessExit, 0 if it ended by
// itself.
func (t *Task) KilledBy() unix.Signal { return unix.Signal(t.Other) }

// DecodeTask reads a record of the ring of tasks.
func DecodeTask(rec []byte) Task {
	comm, _, _ := bytes.Cut(rec[16:32], []byte{0})
	return Task{
		Kind:   TaskKind(binary.NativeEndian.Uint32(rec[0:])),
		Other:  binary.NativeEndian.Uint32(rec[4:]),
		TimeNs: binary.NativeEndian.Uint64(rec[8:]),
		Comm:   string(comm),
		PID:    binary.NativeEndian.Uint32(rec[32:]),
		TID:    binary.NativeEndian.Uint32(rec[36:]),
	}
}

// taskProbe is a program that watches tasks, and its tracepoint. Tracepoints are raw: those need no
// mounted tracefs.
type taskProbe struct{ program, tracepoint string }

// taskProbes are in the order of attachment: programs that end calls run before the ones that
// report the end of the thread.
func taskProbes() []taskProbe {
	return []taskProbe{
		{utraceProgOnExecCalls, "sched_process_exec"},
		{utraceProgOnExitCalls, "sched_process_exit"},
		{utraceProgOnFork, "sched_process_fork"},
		{utraceProgOnExec, "sched_process_exec"},
		{utraceProgOnExit, "sched_process_exit"},
	}
}

func leaveOutTasks(spec *ebpf.CollectionSpec) {
	for _, p := range taskProbes() {
		delete(spec.Programs, p.program)
	}
}

// watchTasks attaches the programs that watch tasks, that for forks only if they can matter.
func (o *Objects) watchTasks(coll *ebpf.Collection, forks bool) (err error) {
	if o.Tasks, err = newRing(coll.Maps[utraceMapTasks]); err != nil {
		return err
	}
	if o.Arrivals, err = newRing(coll.Maps[utraceMapArrivals]); err != nil {
		return err
	}
	for _, p := range taskProbes() {
		prog := coll.Programs[p.program]
		if prog == nil || p.program == utraceProgOnFork && !forks {
			continue
		}
		l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: p.tracepoint, Program: prog})
		if err != nil {
			return fmt.Errorf("attach to tracepoint %s: %w", p.tracepoint, err)
		}
		o.closers = append(o.closers, l)
	}
	return nil
}

// ReportForks has every fork of a recorded process reported from now on, if all processes are
// recorded. Those of Options.Follow are reported anyway.
func (o *Objects) ReportForks() error {
	if err := o.reportForks.Set(uint8(1)); err != nil {
		return fmt.Errorf("report forks: %w", err)
	}
	return nil
}

// ReportExecs has Arrivals report the execs of processes that are not recorded, or not any more.
func (o *Objects) ReportExecs(on bool) error {
	value := uint8(0)
	if on {
		value = 1
	}
	if err := o.reportExecs.Set(value); err != nil {
		return fmt.Errorf("report execs: %w", err)
	}
	return nil
}

// TaskLosses returns how many children were not followed because the set of processes was full, and
// how many records the rings Tasks and Arrivals had no room for.
func (o *Objects) TaskLosses() (unfollowed, records, arrivals uint64, err error) {
	err = errors.Join(o.unfollowed.Get(&unfollowed), o.lostTasks.Get(&records), o.lostArrivals.Get(&arrivals))
	return unfollowed, records, arrivals, err
}
