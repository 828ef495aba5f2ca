//go:build linux

package record

import (
	"fmt"

	"golang.org/x/sys/unix"

	"utrace/bpf"
)

// trapWatch notices recorded processes that were killed by SIGTRAP, the signal of a breakpoint that
// the kernel does not know.
type trapWatch struct {
	killed processCount
	pids   map[uint32]bool
}

func (w *trapWatch) task(rec *bpf.Task) {
	if rec.Kind != bpf.TaskProcessExit || rec.KilledBy() != unix.SIGTRAP || w.pids[rec.PID] { // several threads may report it
		return
	}
	if w.pids == nil {
		w.pids = map[uint32]bool{}
	}
	w.pids[rec.PID] = true
	w.killed.add(fmt.Sprintf("process %d (%s)", rec.PID, rec.Comm))
}

func (w *trapWatch) warnings() []string {
	if w.killed.count == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s%s killed by SIGTRAP. Unless the program traps by itself, it has run a copy of a breakpoint: "+
		"leave that code out (-e '!FUNC'), and report the program as a bug of utrace",
		w.killed.first, w.killed.others("was", "were"))}
}
