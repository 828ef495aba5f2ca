//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// FilteredReturns lets return probes pass filters of system calls (seccomp). From Linux 6.11 on, the
// trampoline of a return probe makes a system call on x86-64. A filter that does not know this call
// kills the program, or makes it return to a wrong address. Stable kernels 6.12 and 6.13 have the
// commit as well.
var FilteredReturns = &Feature{
	Name: "return probes that system call filters let pass", Since: "6.14", Commit: "cf6cb56ef244", probe: haveFilteredReturns}

func haveFilteredReturns() error {
	const sysUretprobe = 335 // arch/x86/entry/syscalls/syscall_64.tbl
	version, err := versionOf(Release())
	if err != nil {
		return err
	}
	if runtime.GOARCH != "amd64" || version < 6011 || version >= 6014 {
		return nil
	}
	filtered, err := isFiltered(sysUretprobe)
	if err == nil && filtered {
		return ebpf.ErrNotSupported
	}
	return err
}

// isFiltered reports whether a filter of system calls applies to one of them. A child with such a
// filter makes the call. If no filter applies, the call itself kills the child by SIGILL, as
// uretprobe does unless a trampoline makes it.
func isFiltered(call uint32) (bool, error) {
	const refused = unix.EUCLEAN
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(refused)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	pid, errno := callInChild(uintptr(call), &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	if errno != 0 {
		return false, fmt.Errorf("fork: %w", errno)
	}

	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, 0, nil)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return false, fmt.Errorf("wait for a child: %w", err)
		}
	}
	switch {
	case status.Signaled() && status.Signal() == unix.SIGILL:
		return false, nil
	case status.Exited() && status.ExitStatus() == int(refused):
		return true, nil
	}
	return false, fmt.Errorf("system call %d in a child with a filter: status %#x", call, uint32(status))
}

// callInChild forks a child that installs a filter, makes a system call without arguments, and ends
// with its error as exit status.
//
// Note: of Go's runtime, only the calling thread exists in the child. So it makes raw system calls
// and nothing else, and SIGILL must not reach the runtime's handler.
//
//go:norace
func callInChild(call uintptr, filter *unix.SockFprog) (pid int, errno unix.Errno) {
	var byDefault [4]uint64 // struct sigaction with SIG_DFL
	child, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || child != 0 {
		return int(child), errno
	}
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGILL), uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
	unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0, 0, 0, 0) // no core dump
	unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	_, _, errno = unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(filter)), 0, 0, 0)
	if errno == 0 {
		_, _, errno = unix.RawSyscall(call, 0, 0, 0)
	}
	for {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(errno), 0, 0)
	}
}
