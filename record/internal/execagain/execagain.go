//go:build linux

// Package execagain makes a process execute its program a second time.
//
// Set-user-ID bits and file capabilities have no effect if a process without privileges asks to be
// traced, as the child of a debugger does before exec. They have if a privileged process is the
// tracer (ptracer_capable in security/commoncap.c). Such a tracer can seize the process only later,
// between the first exec and the first instruction.
package execagain

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Needed reports whether the program of a process would give it other rights.
func Needed(pid int) bool {
	exe := fmt.Sprintf("/proc/%d/exe", pid)
	info, err := os.Stat(exe)
	if err != nil {
		return false
	}
	_, err = unix.Getxattr(exe, "security.capability", nil)
	return err == nil || info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0
}

// Program makes a process execute its program again, and returns when it has: the process is then
// stopped at exec. The calling thread has seized the process with PTRACE_O_TRACEEXEC, and the
// process is stopped before its first instruction. args is the number of arguments of its execve.
//
// Note: the stack still has all that execve needs. A script's first argument has been replaced by
// those of its interpreter, which are left out.
func Program(pid, args int) error {
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
	return awaitExec(pid)
}

// awaitExec lets a process run until it has executed a program. Its signals reach it meanwhile.
func awaitExec(pid int) error {
	for sig := 0; ; {
		if err := unix.PtraceCont(pid, sig); err != nil {
			return err
		}
		var status syscall.WaitStatus
		_, err := syscall.Wait4(pid, &status, unix.WALL, nil)
		switch event := int(status) >> 16; {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return err
		case !status.Stopped():
			return fmt.Errorf("it ended at once: %v", status)
		case event == unix.PTRACE_EVENT_EXEC:
			return nil
		case event != 0:
			sig = 0
		case status.StopSignal() == unix.SIGTRAP: // the instruction after the system call
			return errors.New("it could not be executed again")
		default:
			sig = int(status.StopSignal())
		}
	}
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
