//go:build linux

package hold

import (
	"debug/elf"

	"golang.org/x/sys/unix"
)

// systemCall is svc #0; brk #0.
var systemCall = []byte{0x01, 0x00, 0x00, 0xd4, 0x00, 0x00, 0x20, 0xd4}

type registers struct{ unix.PtraceRegsArm64 }

func readRegisters(pid int) (r registers, err error) {
	return r, unix.PtraceGetRegSetArm64(pid, int(elf.NT_PRSTATUS), &r.PtraceRegsArm64)
}

func (r *registers) write(pid int) error {
	return unix.PtraceSetRegSetArm64(pid, int(elf.NT_PRSTATUS), &r.PtraceRegsArm64)
}

func (r *registers) sp() uintptr { return uintptr(r.Sp) }

func (r *registers) pc() uintptr { return uintptr(r.Pc) }

// setExecve makes systemCall, at the current instruction, an execve.
func (r *registers) setExecve(path, argv, env uintptr) {
	r.Regs[8] = unix.SYS_EXECVE
	r.Regs[0], r.Regs[1], r.Regs[2] = uint64(path), uint64(argv), uint64(env)
}
