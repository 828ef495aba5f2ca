package insn

import (
	"debug/elf"

	"utrace/record/internal/abi"
)

// Flow says where control goes after an instruction.
type Flow uint8

const (
	FlowNext         Flow = iota // to the next instruction
	FlowReturn                   // back to the caller
	FlowJump                     // to Target, always
	FlowBranch                   // to Target, under a condition
	FlowCall                     // calls Target
	FlowCallIndirect             // calls through a register or memory
	FlowJumpIndirect             // jumps through a register or memory
)

// Inst is one decoded instruction, as far as the flow of control needs it.
type Inst struct {
	Len    int // in bytes
	Flow   Flow
	Target abi.Addr // of FlowJump, FlowBranch and FlowCall; else 0
}

// MaxLen is the length of the longest instruction in bytes: x86-64 faults on more.
const MaxLen = 15

// Decode decodes the instruction at the start of code, which lies at address at. ok is false if the
// machine (x86-64 in 64-bit mode, or aarch64) does not define it, or if it is cut short.
func Decode(machine elf.Machine, code []byte, at abi.Addr) (in Inst, ok bool) {
	if machine == elf.EM_AARCH64 {
		return decodeARM64(code, at)
	}
	return decodeX86(code, at)
}

// MinLen is the length of a machine's shortest instruction in bytes. It is how far to go on after
// bytes that cannot be decoded.
func MinLen(machine elf.Machine) int {
	if machine == elf.EM_AARCH64 {
		return 4
	}
	return 1
}
