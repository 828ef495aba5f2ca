package insn

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
)

// IsNop reports whether code begins with a nop (Intel SDM volume 2, NOP; Arm ARM, C6.2.250).
// endbr64 does not count: an indirect branch to a breakpoint there would fault.
func IsNop(machine elf.Machine, code []byte) bool {
	if machine == elf.EM_AARCH64 {
		return len(code) >= 4 && binary.LittleEndian.Uint32(code) == 0xd503201f
	}
	for _, nop := range []string{"\x90", "\x66\x90", "\x0f\x1f", "\x66\x0f\x1f"} {
		if strings.HasPrefix(string(code), nop) {
			return true
		}
	}
	return false
}

// IsPadding reports whether code begins with an assembler's filler on x86-64: a long nop (cs nopw).
func IsPadding(machine elf.Machine, code []byte) bool {
	return machine == elf.EM_X86_64 && bytes.HasPrefix(bytes.TrimLeft(code, "\x66"), []byte{0x2e, 0x0f, 0x1f})
}
