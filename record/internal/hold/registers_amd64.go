//go:build linux

package hold

import "golang.org/x/sys/unix"

// systemCall is syscall; int3.
var systemCall = []byte{0x0f, 0x05, 0xcc}

type registers struct{ unix.PtraceRegsAmd64 }

func readRegisters(pid int) (r registers, err error) {
	return r, unix.PtraceGetRegsAmd64(pid, &r.PtraceRegsAmd64)
}

func (r *registers) write(pid int) error { return unix.PtraceSetRegsAmd64(pid, &r.PtraceRegsAmd64) }

func (r *registers) sp() uintptr { return uintptr(r.Rsp) }

func (r *registers) pc() uintptr { return uintptr(r.Rip) }

// setExecve makes systemCall, at the current instruction, an execve. No system call is to be
// restarted.
func (r *registers) setExecve(path, argv, env uintptr) {
	r.Orig_rax, r.Rax = ^uint64(0), unix.SYS_EXECVE
	r.Rdi, r.Rsi, r.Rdx = uint64(path), uint64(argv), uint64(env)
}
