//go:build linux

package record

import (
	"slices"

	"utrace/bpf"
	"utrace/record/internal/proc"
)

// leaderWatch finds processes whose probes stop working. The kernel ties the probes of a single process to its first
// thread, the leader.
type leaderWatch struct {
	pids   []int // processes to begin with; none where links are for all processes, whatever their first thread does
	perf   bool  // probes are perf events
	notice func(text string, args ...any)
	halved []int // processes of which only the beginning is recorded
}

// check finds the processes that perf events no longer see.
func (l *leaderWatch) check() {
	if !l.perf {
		return
	}
	for _, pid := range l.pids {
		if proc.LeaderGone(pid) {
			l.halve(pid, "the first thread of process %d has ended: perf events do not see the others from now on")
		}
	}
}

// task finds the processes that no probe sees any more: a thread that executes a program ends the leader, and takes its
// ID, but not its links.
func (l *leaderWatch) task(rec *bpf.Task) {
	if rec.Kind == bpf.TaskExec && rec.Other != rec.PID && len(l.pids) > 0 {
		l.halve(int(rec.PID), "a thread other than the first has executed a program in process %d: the kernel's probes do not see it")
	}
}

// halve notes a process of which only the beginning is recorded, and warns once.
func (l *leaderWatch) halve(pid int, why string) {
	if !slices.Contains(l.halved, pid) {
		l.halved = append(l.halved, pid)
		l.notice("warning: "+why, pid)
	}
}
