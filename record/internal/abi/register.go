package abi

import (
	"debug/elf"
	"fmt"
	"strconv"
	"strings"
)

// Register is a general register, numbered as the words of struct pt_regs: on x86-64 r15 is 0 and sp 19, on aarch64 x0 is 0
// and sp 31 (arch/x86/include/uapi/asm/ptrace.h and arch/arm64/include/uapi/asm/ptrace.h of the kernel).
type Register uint8

// NoRegister stands for the base or index that an address does not have.
const NoRegister Register = 255

// Registers of x86-64, as Register numbers them.
const (
	RBP Register = 4
	RBX Register = 5
	R11 Register = 6
	R10 Register = 7
	R9  Register = 8
	R8  Register = 9
	RAX Register = 10
	RCX Register = 11
	RDX Register = 12
	RSI Register = 13
	RDI Register = 14
	RSP Register = 19
)

const SPARM64 Register = 31

// dwarfRegister returns the general register of a DWARF number (System V ABI for AMD64, figure 3.36; DWARF for the Arm 64-bit
// Architecture, table 1).
func FromDWARF(machine elf.Machine, n uint64) Register {
	if machine == elf.EM_AARCH64 {
		if n <= 31 {
			return Register(n)
		}
		return NoRegister
	}
	x86 := [...]Register{RAX, RDX, RCX, RBX, RSI, RDI, RBP, RSP, R8, R9, R10, R11, 3, 2, 1, 0}
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

// x86Register returns a general register by its name, its size in bytes and whether the name is that of its second byte;
// NoRegister if there is none.
func NamedX86(name string) (reg Register, size uint8, high bool) {
	if digits, ok := strings.CutPrefix(name, "r"); ok && digits != "" && digits[0] <= '9' {
		size = 8
		switch number := strings.TrimRight(digits, "dwbl"); digits[len(number):] {
		case "":
		case "d":
			size = 4
		case "w":
			size = 2
		case "b", "l":
			size = 1
		default:
			return NoRegister, 0, false
		}
		switch strings.TrimRight(digits, "dwbl") {
		case "8":
			return 9, size, false
		case "9":
			return 8, size, false
		case "10":
			return 7, size, false
		case "11":
			return 6, size, false
		case "12":
			return 3, size, false
		case "13":
			return 2, size, false
		case "14":
			return 1, size, false
		case "15":
			return 0, size, false
		}
		return NoRegister, 0, false
	}
	switch name {
	case "al", "bl", "cl", "dl":
		name, size = name[:1]+"x", 1
	case "ah", "bh", "ch", "dh":
		name, size, high = name[:1]+"x", 1, true
	case "sil", "dil", "bpl", "spl":
		name, size = name[:2], 1
	default:
		size = 2
		if short, ok := strings.CutPrefix(name, "r"); ok {
			name, size = short, 8
		} else if short, ok := strings.CutPrefix(name, "e"); ok {
			name, size = short, 4
		}
	}
	switch name {
	case "bp":
		return 4, size, high
	case "bx":
		return 5, size, high
	case "ax":
		return 10, size, high
	case "cx":
		return 11, size, high
	case "dx":
		return 12, size, high
	case "si":
		return 13, size, high
	case "di":
		return 14, size, high
	case "ip":
		return 16, size, high
	case "sp":
		return 19, size, high
	}
	return NoRegister, 0, false
}

// aarch64Register returns a general register by its name, and its size in bytes; NoRegister if there is none.
func NamedARM64(name string) (Register, uint8) {
	switch name {
	case "sp":
		return SPARM64, 8
	case "wsp":
		return SPARM64, 4
	case "fp":
		return 29, 8
	case "lr":
		return 30, 8
	}
	if len(name) < 2 || len(name) > 3 || name[0] != 'x' && name[0] != 'w' || name[1] == '0' && len(name) > 2 {
		return NoRegister, 0
	}
	n, err := strconv.ParseUint(name[1:], 10, 8)
	if err != nil || n > 30 {
		return NoRegister, 0
	}
	if name[0] == 'w' {
		return Register(n), 4
	}
	return Register(n), 8
}
