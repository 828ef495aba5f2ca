//go:build linux

package proc

import (
	"errors"
	"os"
)

// errPIDNamespace means that this process sees other process IDs than the kernel reports.
var errPIDNamespace = errors.New("utrace runs in its own PID namespace (a container), where process IDs differ from those that the kernel reports: run it on the host, or in the host's PID namespace (docker run --pid=host)")

// CheckPIDNamespace returns errPIDNamespace outside the initial PID namespace, which has a fixed
// inode number (PROC_PID_INIT_INO of include/linux/proc_ns.h, since Linux 3.8).
// bpf_get_current_pid_tgid knows only that namespace, so elsewhere nothing would be recorded.
// Without /proc the check passes.
func CheckPIDNamespace() error {
	const initial = "pid:[4026531836]"
	if ns, err := os.Readlink("/proc/self/ns/pid"); err == nil && ns != initial {
		return errPIDNamespace
	}
	return nil
}
