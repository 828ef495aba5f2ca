//go:build linux

package record

import (
	"slices"

	"utrace/bpf"
	"utrace/record/internal/proc"
)

// The kernel ties the probes of a single process to its first thread, the leader.

// watchLeaders finds the processes that perf events do not see any more.
func (r *recording) watchLeaders() {
	if r.method != bpf.Perf || r.cfg.Follow { // following attaches in all processes, whatever their first thread does
		return
	}
	for _, pid := range r.targets {
		if proc.LeaderGone(pid) {
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
