package insn

import (
	"debug/elf"

	"utrace/record/internal/abi"
)

// flow is what an instruction does to the flow of control.
type Flow uint8

const (
	FlowNext         Flow = iota // goes on with the next instruction
	FlowReturn                   // returns to the caller
	FlowJump                     // jumps to target, always
	FlowBranch                   // jumps to target under a condition
	FlowCall                     // calls target
	FlowCallIndirect             // calls through a register or memory
	FlowJumpIndirect             // jumps through a register or memory
)

// inst is one decoded instruction: as much of it as the flow of control needs.
type Inst struct {
	Len    int
	Flow   Flow
	Target abi.Addr // of flowJump, flowBranch and flowCall
}

const MaxLen = 15 // bytes; the processor faults on more

// decodeInst decodes the instruction at the start of code, which lies at address at. ok is false if it is not a defined instruction of the
// machine (x86-64 in 64-bit mode, or aarch64), or is cut short.
func Decode(machine elf.Machine, code []byte, at abi.Addr) (in Inst, ok bool) {
	if machine == elf.EM_AARCH64 {
		return decodeARM64(code, at)
	}
	return decodeX86(code, at)
}

// minInst is the length of a machine's shortest instruction in bytes: how far to go on behind what cannot be decoded.
func MinLen(machine elf.Machine) int {
	if machine == elf.EM_AARCH64 {
		return 4
	}
	return 1
}
