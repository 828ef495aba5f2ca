package abi

import (
	"debug/elf"
	"fmt"
)

// Register is a general register. Its number is the index of its word in struct pt_regs: r15 is 0
// and rsp is 19 on x86-64, x0 is 0 and sp is 31 on aarch64. See arch/x86/include/uapi/asm/ptrace.h
// and arch/arm64/include/uapi/asm/ptrace.h of the kernel.
type Register uint8

// NoRegister means that an address has no base, or no index.
const NoRegister Register = 255

// Registers of x86-64.
const (
	R15 Register = iota
	R14
	R13
	R12
	RBP
	RBX
	R11
	R10
	R9
	R8
	RAX
	RCX
	RDX
	RSI
	RDI
	origRAX
	RIP
	segmentCS
	flags
	RSP
)

// Registers of aarch64 that have a name of their own. Register n is xn.
const (
	FPARM64 Register = 29
	LRARM64 Register = 30
	SPARM64 Register = 31
)

// FromDWARF returns the general register with a number of DWARF, NoRegister if there is none. The
// numbers are in figure 3.36 of the System V ABI for AMD64, and table 1 of DWARF for the Arm 64-bit
// Architecture.
func FromDWARF(machine elf.Machine, n uint64) Register {
	if machine == elf.EM_AARCH64 {
		if n <= 31 {
			return Register(n)
		}
		return NoRegister
	}
	x86 := [...]Register{RAX, RDX, RCX, RBX, RSI, RDI, RBP, RSP, R8, R9, R10, R11, R12, R13, R14, R15}
	if n < uint64(len(x86)) {
		return x86[n]
	}
	return NoRegister
}

// registerName returns the name of a word of struct pt_regs.
func registerName(r Register, machine elf.Machine) string {
	if machine == elf.EM_AARCH64 {
		if r == 31 {
			return "sp"
		}
		return fmt.Sprintf("x%d", r)
	}
	names := [...]string{"r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", "orig_rax", "rip", "cs", "eflags", "rsp", "ss"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("r%d", r)
}
