package insn

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// IsBreakpoint reports whether an instruction is another one with a breakpoint in it, as the kernel
// and debuggers place them: int3 instead of its first byte on x86-64, brk on aarch64.
func IsBreakpoint(machine elf.Machine, code, original []byte) bool {
	if len(code) == 0 || len(code) != len(original) {
		return false
	}
	if machine == elf.EM_AARCH64 {
		const brk, number = 0xd4200000, 0xffff << 5
		return len(code) >= wordBytes && binary.LittleEndian.Uint32(code)&^number == brk
	}
	// The kernel replaces a nop of five bytes by a call in steps, with a breakpoint meanwhile.
	return code[0] == 0xcc && (bytes.Equal(code[1:], original[1:]) || len(code) == 5 && IsNop(machine, original))
}
