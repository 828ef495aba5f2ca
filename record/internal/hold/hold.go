//go:build linux

// Package hold stops a child of this process before its first instruction. The child is then as it
// would be alone: with the signal mask and the rights that it would have.
package hold

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Options are those that the child is traced with (PTRACE_SETOPTIONS): it stops at exec, and its
// children are traced. While it is held, it also dies with this process.
const Options = unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXEC

// AtExec seizes a child that has asked to be traced (PTRACE_TRACEME), once it has executed its
// program, and leaves it stopped there. The calling thread has started it with a number of
// arguments and with Signals.Start.
//
//  1. Await its stop, and replace the old kind of tracing by the new one (PTRACE_SEIZE). Only that
//     one distinguishes a process stopped by a signal from one that receives it. In between, SIGSTOP
//     keeps the child where it is.
//  2. End that stop. Nothing but SIGCONT does, which must not remain pending.
//  3. Set the mask.
//  4. If its program has other rights, which it lost to the old kind of tracing, execute it again.
func AtExec(pid, args int, signals Signals) error {
	if _, err := await(pid); err != nil {
		return err
	}
	mask, err := maskOf(pid)
	if err == nil {
		err = setMask(pid, 0)
	}
	if err != nil {
		return err
	}
	if signals.known {
		mask = signals.blocked
	}
	if err := ptrace(unix.PTRACE_DETACH, pid, uintptr(unix.SIGSTOP)); err != nil {
		return fmt.Errorf("ptrace detach: %w", err)
	}
	err = ptrace(unix.PTRACE_SEIZE, pid, Options|unix.PTRACE_O_EXITKILL)
	if err == nil {
		_, err = await(pid)
	}
	unix.Kill(pid, unix.SIGCONT)
	if err != nil {
		return fmt.Errorf("ptrace seize: %w", err)
	}
	if err := runUntil(pid, func(status syscall.WaitStatus) bool {
		return event(status) == 0 && status.StopSignal() == unix.SIGCONT
	}); err != nil {
		return err
	}
	if err := setMask(pid, mask); err != nil {
		return err
	}
	if changesRights(pid) {
		return execAgain(pid, args)
	}
	return nil
}

// runUntil lets a process run until a stop is the last one. Signals reach it meanwhile.
func runUntil(pid int, last func(syscall.WaitStatus) bool) error {
	for sig := 0; ; {
		if err := ptrace(unix.PTRACE_CONT, pid, uintptr(sig)); err != nil {
			return fmt.Errorf("ptrace continue: %w", err)
		}
		status, err := await(pid)
		if err != nil {
			return err
		}
		sig = 0
		switch {
		case last(status):
			return nil
		case event(status) != 0:
		case status.StopSignal() == unix.SIGTRAP:
			return errors.New("its program could not be executed again")
		default:
			sig = int(status.StopSignal())
		}
	}
}

// await returns the next stop of a tracee.
func await(pid int) (status syscall.WaitStatus, err error) {
	for {
		_, err = syscall.Wait4(pid, &status, unix.WALL, nil)
		switch {
		case err == syscall.EINTR:
		case err == nil && !status.Stopped():
			return status, fmt.Errorf("it ended at once: %v", status)
		default:
			return status, err
		}
	}
}

// event returns the PTRACE_EVENT of a stop, 0 for a signal.
func event(status syscall.WaitStatus) int { return int(status) >> 16 }

func ptrace(request, tid int, data uintptr) error {
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), 0, data, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
