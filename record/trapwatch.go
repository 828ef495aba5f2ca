//go:build linux

package record

import (
	"fmt"

	"golang.org/x/sys/unix"

	"utrace/bpf"
)

// trapWatch notices recorded processes that were killed by SIGTRAP, the signal of a breakpoint that
// the kernel does not know.
type trapWatch struct{ killed processCount }

func (w *trapWatch) task(rec *bpf.Task) {
	if rec.Kind == bpf.TaskProcessExit && rec.KilledBy() == unix.SIGTRAP {
		w.killed.add(fmt.Sprintf("process %d (%s)", rec.PID, rec.Comm))
	}
}

func (w *trapWatch) warnings() []string {
	if w.killed.count == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s%s killed by SIGTRAP, probably by running a copy of a breakpoint. "+
		"Leave that code out (-e '!FUNC'), and report the program as a bug of utrace",
		w.killed.first, w.killed.others("was", "were"))}
}
