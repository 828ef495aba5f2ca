package abi

import (
	"debug/elf"
	"errors"
)

// Convention says in which registers a calling convention passes words: integers and pointers of up
// to 8 bytes.
type Convention struct {
	Arguments []Register // in order
	Results   []Register // in order

	// Further arguments are on the stack, 8 bytes each. The first is stackOffset bytes above the
	// stack pointer, as that is at the entry of the function.
	stackPointer Register
	stackOffset  int64
	onStack      bool // false: the types of all arguments decide where a word on the stack is
}

// SysV is the System V ABI of x86-64 (AMD64 supplement, 3.2.3). rustc uses the same registers for
// words.
func SysV() Convention {
	return Convention{
		Arguments: []Register{RDI, RSI, RDX, RCX, R8, R9}, Results: []Register{RAX, RDX},
		stackPointer: RSP, stackOffset: 8, onStack: true, // above the return address
	}
}

// AAPCS64 is the procedure call standard of aarch64 (AAPCS64, 6.4 and 6.8).
func AAPCS64() Convention {
	registers := registersARM64(8)
	return Convention{Arguments: registers, Results: registers, stackPointer: SPARM64, onStack: true}
}

// Go is Go's own calling convention since Go 1.17 (cmd/compile/abi-internal.md).
func Go(machine elf.Machine) Convention {
	registers := []Register{RAX, RBX, RCX, RDI, RSI, R8, R9, R10, R11}
	if machine == elf.EM_AARCH64 {
		registers = registersARM64(16)
	}
	return Convention{Arguments: registers, Results: registers}
}

// registersARM64 returns the first n registers, from x0.
func registersARM64(n int) []Register {
	list := make([]Register, n)
	for i := range list {
		list[i] = Register(i)
	}
	return list
}

// ConventionOf returns Go's calling convention for a machine if isGo is set, else C's.
func ConventionOf(machine elf.Machine, isGo bool) Convention {
	switch {
	case isGo:
		return Go(machine)
	case machine == elf.EM_AARCH64:
		return AAPCS64()
	}
	return SysV()
}

// Argument returns where a word of the arguments is at the entry of a function. The first word is
// number 0. It returns an error if the word is on the stack, where only debugging information can
// locate it.
func (c Convention) Argument(word int) (Operand, error) {
	op := Operand{Size: 8, Kind: InRegister, Base: NoRegister, Index: NoRegister, Scale: 1}
	switch {
	case word < len(c.Arguments):
		op.Base = c.Arguments[word]
	case !c.onStack:
		return op, errors.New("it is on the stack, where only debug information can locate it")
	default:
		op.Kind, op.Base, op.Disp = InMemory, c.stackPointer, c.stackOffset+8*int64(word-len(c.Arguments))
	}
	return op, nil
}

// Result returns where a word of the result is at the return of a function. It returns an error if
// it is not in a register.
func (c Convention) Result(word int) (Operand, error) {
	if word >= len(c.Results) {
		return Operand{}, errors.New("it is not in a register")
	}
	return Operand{Size: 8, Kind: InRegister, Base: c.Results[word], Index: NoRegister, Scale: 1}, nil
}
