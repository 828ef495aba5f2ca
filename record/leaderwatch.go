//go:build linux

package record

import (
	"slices"

	"utrace/bpf"
	"utrace/record/internal/proc"
)

// leaderWatch finds processes whose probes stop working. The kernel ties the probes of a single
// process to its first thread, the leader.
type leaderWatch struct {
	pids      []int // initial processes; none where links are for all processes, which outlive a leader
	perf      bool  // probes are perf events
	notice    func(text string, args ...any)
	truncated []int // processes recorded only at their beginning
}

// check finds the processes that perf events no longer see.
func (l *leaderWatch) check() {
	if !l.perf {
		return
	}
	for _, pid := range l.pids {
		if proc.LeaderGone(pid) {
			l.markTruncated(pid, "the first thread of process %d has ended: perf events no longer see its other threads")
		}
	}
}

// task finds the processes that no probe sees any more. A thread that executes a program ends the
// leader, and takes over its ID but not its links.
func (l *leaderWatch) task(rec *bpf.Task) {
	if rec.Kind == bpf.TaskExec && rec.Other != rec.PID && len(l.pids) > 0 {
		l.markTruncated(int(rec.PID), "a thread other than the first has executed a program in process %d: the kernel's probes do not see it")
	}
}

// markTruncated notes a process that is recorded only at its beginning, and warns once.
func (l *leaderWatch) markTruncated(pid int, why string) {
	if !slices.Contains(l.truncated, pid) {
		l.truncated = append(l.truncated, pid)
		l.notice("warning: "+why, pid)
	}
}
