package insn

import (
	"debug/elf"
	"encoding/binary"
	"slices"

	"utrace/record/internal/abi"
)

// Class says how the kernel deals with a breakpoint on an instruction, and
// so what a hit costs.
type Class int

const (
	// Stepped: the kernel runs the instruction from a copy, with a second trap behind it.
	Stepped Class = iota
	// Emulated: the kernel does the instruction's work itself.
	Emulated
	// NopCall: the kernel replaces a 5-byte nop by a call: no trap at all.
	NopCall
)

func (c Class) String() string {
	switch c {
	case Emulated:
		return "emulated"
	case NopCall:
		return "nop5"
	}
	return "stepped"
}

// ReturnClass is that of return instructions, see Class.
func ReturnClass(machine elf.Machine) Class {
	if machine == elf.EM_AARCH64 {
		return Emulated
	}
	return Stepped
}

// Kernel says which instructions a kernel treats specially.
type Kernel struct {
	longNops bool // nops of more than one byte are emulated
	nopCall  bool // 5-byte nops are replaced

	simulatedNops bool // on arm64
}

// NewKernel goes by the version of the kernel. push, jmp, jcc, call and
// one-byte nops are emulated by all that utrace supports (push since 4.18).
func NewKernel(major, minor int) Kernel {
	version := major*1000 + minor
	return Kernel{longNops: version >= 6016, nopCall: version >= 6018, simulatedNops: version >= 6013}
}

// pageSize is that of x86-64.
const pageSize = 4096

// classifyX86 says how the kernel treats the instruction at the start of code;
// arch/x86/kernel/uprobes.c: is_optimized, branch_setup_xol_ops, push_setup_xol_ops.
func classifyX86(code []byte, at abi.Addr, k Kernel) Class {
	is := func(prefix ...byte) bool { return len(code) >= len(prefix) && slices.Equal(code[:len(prefix)], prefix) }
	switch {
	case k.nopCall && is(0x0f, 0x1f, 0x44, 0x00, 0x00) && at%pageSize+5 <= pageSize:
		return NopCall
	case len(code) == 0:
		return Stepped
	case isPush(code):
		return Emulated
	case code[0] == 0x90, code[0] == 0xeb, code[0] == 0xe9, code[0] == 0xe8, code[0]&0xf0 == 0x70: // nop, jmp, call, jcc
		return Emulated
	case code[0] == 0x0f && len(code) > 1 && code[1]&0xf0 == 0x80: // jcc with a 32-bit distance
		return Emulated
	case k.longNops && (is(0x0f, 0x1f) || is(0x66, 0x0f, 0x1f) || is(0x66, 0x90)):
		return Emulated
	}
	return Stepped
}

// isPush reports whether code begins with the push of a register.
func isPush(code []byte) bool {
	if len(code) > 1 && code[0] == 0x41 {
		code = code[1:]
	}
	return len(code) > 0 && code[0] >= 0x50 && code[0] <= 0x57
}

// Classify says how kernel k treats a breakpoint on the instruction at the start of code, which lies at address at. Of an instruction
// that is cut short it says Stepped.
func Classify(machine elf.Machine, code []byte, at abi.Addr, k Kernel) Class {
	switch {
	case machine != elf.EM_AARCH64:
		return classifyX86(code, at, k)
	case len(code) < wordBytes:
		return Stepped
	}
	return classifyARM64(binary.LittleEndian.Uint32(code), k)
}
