package insn

import (
	"debug/elf"
	"encoding/binary"
	"slices"

	"utrace/record/internal/abi"
)

// Class says how the kernel handles a breakpoint on an instruction, and so what a hit costs. The
// cheapest is NopCall, the dearest Stepped.
type Class int

const (
	// Stepped: the kernel runs a copy of the instruction, and a second trap follows.
	Stepped Class = iota
	// Emulated: the kernel does the work of the instruction itself. There is one trap.
	Emulated
	// NopCall: the kernel replaces a 5-byte nop by a call. There is no trap.
	NopCall
)

// String is the name of the class in reports and traces: "stepped", "emulated" or "nop5".
func (c Class) String() string {
	switch c {
	case Emulated:
		return "emulated"
	case NopCall:
		return "nop5"
	}
	return "stepped"
}

// Classify says how kernel k handles a breakpoint on the instruction at the start of code, which
// lies at address at. An instruction that is cut short is Stepped.
func Classify(machine elf.Machine, code []byte, at abi.Addr, k Kernel) Class {
	switch {
	case machine != elf.EM_AARCH64:
		return classifyX86(code, at, k)
	case len(code) < wordBytes:
		return Stepped
	}
	return classifyARM64(binary.LittleEndian.Uint32(code), k)
}

// ReturnClass is the class of the return instructions of a machine.
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

// NewKernel returns what kernel MAJOR.MINOR treats specially. All kernels that utrace supports
// emulate push (since 4.18), jmp, jcc, call and one-byte nops.
func NewKernel(major, minor int) Kernel {
	version := major*1000 + minor
	return Kernel{longNops: version >= 6016, nopCall: version >= 6018, simulatedNops: version >= 6013}
}

// pageSize is the page size of x86-64 in bytes.
const pageSize = 4096

// classifyX86 is Classify for x86-64. It follows arch/x86/kernel/uprobes.c: is_optimized,
// branch_setup_xol_ops, push_setup_xol_ops.
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
