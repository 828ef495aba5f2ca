package insn

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// Refused says why there can be no breakpoint on the instruction at the start of code, "" if there
// can. On x86-64 it follows the lists in arch/x86/kernel/uprobes.c (is_prefix_bad, good_insns_64);
// attaching shows what is missing here. For arm64 see refusedARM64.
func Refused(machine elf.Machine, code []byte) string {
	if machine == elf.EM_AARCH64 {
		if len(code) < wordBytes {
			return ""
		}
		return refusedARM64(binary.LittleEndian.Uint32(code))
	}

	for _, b := range code {
		switch b {
		case 0x66, 0x67, 0xf2, 0xf3, 0x64, 0x65: // prefixes that are fine
		case 0xf0, 0x26, 0x2e, 0x36, 0x3e:
			return fmt.Sprintf("the kernel refuses a breakpoint on this instruction (prefix %#x)", b)
		case 0xc4, 0xc5, 0x62, 0x8f:
			// VEX, EVEX, XOP: Linux 6.18 takes the opcode after the prefix as if there were no
			// prefix. Seen: vpbroadcastb (7a) taken for jp, vfnmadd132ss (9d) for wait.
			return "the kernel mistakes an AVX instruction for another one"
		case 0xcc, 0xcd, 0xce, 0xcf, 0xf1, 0xf4, 0xfa, 0xfb, 0x6c, 0x6d, 0x6e, 0x6f, 0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef:
			return fmt.Sprintf("the kernel refuses a breakpoint on this instruction (opcode %#x)", b)
		default:
			return ""
		}
	}
	return ""
}

// refusedARM64 says why there can be no breakpoint on an instruction of arm64, "" if there can. The
// kernel refuses most of these instructions. It accepts loads relative to the program counter but
// gets them wrong. It loads vector registers from next to its copy of the instruction, where the
// data is missing. It read general registers without the care that user memory needs, until it
// refused them (6.12).
func refusedARM64(w uint32) string {
	const refused = "the kernel refuses a breakpoint on this instruction"
	switch {
	case w&0x3b000000 == 0x18000000: // ldr, ldrsw, prfm of a literal, also of vector registers
		return "the kernel gets a load relative to the program counter wrong"
	case w&0x3f800000 == 0x08000000: // ldxr, stxr, ldaxp and so on
		return refused + " (exclusive access)"
	case w&0x3b200c00 == 0x19000400: // cpyfp, setp and so on
		return refused + " (memory copy)"
	case w&0xff000000 == 0xd4000000: // svc, hvc, smc, brk, hlt
		return refused + " (exception)"
	case w == 0xd65f0bff, w == 0xd65f0fff, w&0xfedff800 == 0xd61f0800: // retaa, retab; braa, blraa and so on
		return refused + " (branch with authentication)"
	case w&0xfff8f01f == 0xd500401f: // msr of an immediate
		return refused + " (msr)"
	case w&0xfff00000 == 0xd5100000: // msr of a register
		return refused + " (msr)"
	case w&0xfffff01f == 0xd503201f && !steppedHint(w>>5&0x7f):
		return refused + " (hint)"
	}
	return ""
}

// steppedHint reports whether the kernel steps over a hint instruction, by the number of the hint.
// It does so for nop, bti, and hints that make or strip authenticated pointers. Hints that check
// such a pointer can fault.
func steppedHint(n uint32) bool {
	switch n {
	case 0, 7, 8, 10, 24, 25, 26, 27, 32, 34, 36, 38:
		return true
	}
	return false
}
