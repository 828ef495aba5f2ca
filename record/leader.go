//go:build linux

package record

import (
	"bytes"
	"fmt"
	"os"
	"slices"

	"utrace/bpf"
)

// The kernel ties the probes of a single process to its first thread, the leader.

// leaderGone reports whether the first thread of a process has ended, and others have
// not. The kernel then takes the probes of perf events out of the process: it compares the
// memory of a thread with that of the first one, which is gone (__uprobe_perf_filter in kernel/trace/trace_uprobe.c).
func leaderGone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state := stat[bytes.LastIndexByte(stat, ')')+1:] // the name before it may hold anything
	if !bytes.HasPrefix(state, []byte(" Z")) {
		return false
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return err == nil && len(threads) > 1
}

// watchLeaders finds the processes that perf events do not see any more.
func (r *recording) watchLeaders() {
	if r.method != bpf.Perf || r.cfg.Follow { // following attaches in all processes, whatever their first thread does
		return
	}
	for _, pid := range r.targets {
		if leaderGone(pid) {
			r.halve(pid, "the first thread of process %d has ended: perf events do not see the others from now on")
		}
	}
}

// watchExec finds the processes that no probe sees any more: another thread that executes a program ends the leader, and
// takes its ID, but not its links.
func (r *recording) watchExec(rec *bpf.Task) {
	if rec.Kind == bpf.TaskExec && rec.Other != rec.PID && !r.cfg.Follow && len(r.targets) > 0 {
		r.halve(int(rec.PID), "in process %d not the first thread has executed a program: the kernel's probes do not see it")
	}
}

// halve takes note of a process of which only the beginning is recorded, and warns once.
func (r *recording) halve(pid int, why string) {
	if !slices.Contains(r.halved, pid) {
		r.halved = append(r.halved, pid)
		r.notice("warning: "+why, pid)
	}
}
