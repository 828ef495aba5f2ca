//go:build linux

package hold

import (
	"encoding/binary"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// changesRights reports whether the program of a process would give it other rights. They have no
// effect if a process without privileges asks to be traced. They have if a privileged process has
// seized it (ptracer_capable, security/commoncap.c).
func changesRights(pid int) bool {
	exe := fmt.Sprintf("/proc/%d/exe", pid)
	info, err := os.Stat(exe)
	if err != nil {
		return false
	}
	_, err = unix.Getxattr(exe, "security.capability", nil)
	return err == nil || info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0
}

// execAgain makes a process that is held before its first instruction execute its program again,
// and returns when it has. args is the number of arguments of its execve.
//
// Note: the stack still has all that execve needs. Those that a script's interpreter added to the
// arguments are left out.
func execAgain(pid, args int) error {
	path, err := executedPath(pid)
	if err != nil {
		return err
	}
	r, err := readRegisters(pid)
	if err != nil {
		return fmt.Errorf("registers: %w", err)
	}
	word := make([]byte, 8)
	if _, err := unix.PtracePeekData(pid, r.sp(), word); err != nil {
		return fmt.Errorf("stack: %w", err)
	}
	argc := uintptr(binary.NativeEndian.Uint64(word))
	argv := r.sp() + 8 + 8*(argc-uintptr(args))
	env := r.sp() + 8*(1+argc+1)
	if _, err := unix.PtracePokeText(pid, r.pc(), systemCall); err != nil {
		return fmt.Errorf("code: %w", err)
	}
	r.setExecve(path, argv, env)
	if err := r.write(pid); err != nil {
		return fmt.Errorf("registers: %w", err)
	}
	return runUntil(pid, func(status syscall.WaitStatus) bool { return event(status) == unix.PTRACE_EVENT_EXEC })
}

// executedPath returns the address of the path that a process has executed: AT_EXECFN of
// getauxval(3).
func executedPath(pid int) (uintptr, error) {
	const atExecFn = 31
	vector, err := os.ReadFile(fmt.Sprintf("/proc/%d/auxv", pid))
	if err != nil {
		return 0, err
	}
	for ; len(vector) >= 16; vector = vector[16:] {
		if binary.NativeEndian.Uint64(vector) == atExecFn {
			return uintptr(binary.NativeEndian.Uint64(vector[8:])), nil
		}
	}
	return 0, fmt.Errorf("process %d: no AT_EXECFN", pid)
}
