//go:build linux

package record

import (
	"time"

	"golang.org/x/sys/unix"

	"utrace/format"
)

// now reads both clocks.
func now() format.Anchor {
	return format.Anchor{MonoNs: int64(monotonicNs()), WallNs: time.Now().UnixNano()}
}

func sinceStart(ns, startNs uint64) uint64 {
	if ns < startNs {
		return 0
	}
	return ns - startNs
}

func monotonicNs() uint64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return uint64(ts.Nano())
}
