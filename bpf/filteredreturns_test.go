//go:build linux

package bpf

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestIsFiltered: a filter applies to getpid. It does not to the system calls of return probes,
// where the kernel says so, and such a call by anyone else ends in SIGILL.
func TestIsFiltered(t *testing.T) {
	if filtered, err := isFiltered(unix.SYS_GETPID); err != nil || !filtered {
		t.Errorf("getpid: filtered %v, %v", filtered, err)
	}
	if FastNops.Probe() != nil {
		t.Skip("needs x86-64 and Linux 6.18, for a kernel that certainly lets return probes pass")
	}
	if filtered, err := isFiltered(335); err != nil || filtered { // uretprobe
		t.Errorf("uretprobe: filtered %v, %v", filtered, err)
	}
	if err := FilteredReturns.Probe(); err != nil {
		t.Error(err)
	}
}
