//go:build linux

// Package clock reads the clocks of a trace. The programs in the kernel stamp records with
// CLOCK_MONOTONIC (bpf_ktime_get_ns); a trace has times since its own start.
package clock

import (
	"time"

	"golang.org/x/sys/unix"

	"utrace/format"
)

// Now reads CLOCK_MONOTONIC and the wall clock.
func Now() format.Anchor {
	return format.Anchor{MonoNs: int64(MonotonicNs()), WallNs: time.Now().UnixNano()}
}

// SinceStart returns the nanoseconds from startNs to ns, both of CLOCK_MONOTONIC. It returns 0 for
// a time before the start.
func SinceStart(ns, startNs uint64) uint64 {
	if ns < startNs {
		return 0
	}
	return ns - startNs
}

// MonotonicNs returns CLOCK_MONOTONIC in nanoseconds.
func MonotonicNs() uint64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return uint64(ts.Nano())
}
