package abi

import (
	"strconv"
	"strings"
)

// NamedX86 returns the general register of x86-64 with a name in assembly, written without its
// percent sign, and its size in bytes: "r9d" is 4 bytes of R9. high reports whether the name is for
// the second byte ("ah"). The register is NoRegister if no general register has this name.
func NamedX86(name string) (reg Register, size uint8, high bool) {
	if digits, ok := strings.CutPrefix(name, "r"); ok && digits != "" && digits[0] <= '9' {
		reg, size = numberedX86(digits)
		return reg, size, false
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

	for i, candidate := range []string{"bp", "bx", "ax", "cx", "dx", "si", "di", "ip", "sp"} {
		if name == candidate {
			return []Register{RBP, RBX, RAX, RCX, RDX, RSI, RDI, RIP, RSP}[i], size, high
		}
	}
	return NoRegister, 0, false
}

// numberedX86 returns one of r8 to r15 by the text after the "r": the number, and a letter for a
// part of the register.
func numberedX86(digits string) (Register, uint8) {
	number := strings.TrimRight(digits, "dwbl")
	size := uint8(0)
	switch digits[len(number):] {
	case "":
		size = 8
	case "d":
		size = 4
	case "w":
		size = 2
	case "b", "l":
		size = 1
	default:
		return NoRegister, 0
	}
	for i, candidate := range []string{"8", "9", "10", "11", "12", "13", "14", "15"} {
		if number == candidate {
			return []Register{R8, R9, R10, R11, R12, R13, R14, R15}[i], size
		}
	}
	return NoRegister, 0
}

// NamedARM64 returns the general register of aarch64 with a name in assembly, and its size in
// bytes: "w0" is 4 bytes of x0. The register is NoRegister if no general register has this name.
func NamedARM64(name string) (Register, uint8) {
	switch name {
	case "sp":
		return SPARM64, 8
	case "wsp":
		return SPARM64, 4
	case "fp":
		return FPARM64, 8
	case "lr":
		return LRARM64, 8
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
