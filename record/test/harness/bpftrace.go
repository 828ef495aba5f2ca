//go:build linux

package harness

import (
	"os/exec"
	"syscall"
	"testing"
)

// Bpftrace returns a command that runs bpftrace where it finds the kernel's tracepoints. They are
// in tracefs, which not every machine has mounted: the command mounts it in a mount namespace of
// its own, which ends with it. It skips the test where bpftrace is not installed.
func Bpftrace(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	for _, tool := range []string{"bpftrace", "mount"} {
		NeedTool(t, tool)
	}
	const mounts = `[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing || exit; exec bpftrace "$@"`
	cmd := exec.Command("sh", append([]string{"-c", mounts, "bpftrace"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	return cmd
}
