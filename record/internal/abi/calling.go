package abi

import (
	"debug/elf"
	"errors"
)

// Convention says in which registers a calling convention passes words of integers and pointers.
type Convention struct {
	Arguments []Register // in order
	Results   []Register // in order

	// More arguments are on the stack, at these bytes from the stack pointer as it is at the entry of the function.
	stackPointer Register
	stackOffset  int64
	onStack      bool // false: where words on the stack are depends on the types of all arguments
}

// SysV is the System V ABI of x86-64 (AMD64 supplement, 3.2.3), which rustc uses, too, where it passes words.
func SysV() Convention {
	return Convention{
		Arguments: []Register{RDI, RSI, RDX, RCX, R8, R9}, Results: []Register{RAX, RDX},
		stackPointer: RSP, stackOffset: 8, onStack: true, // behind the return address
	}
}

// AAPCS64 is the procedure call standard of aarch64 (AAPCS64, 6.4).
func AAPCS64() Convention {
	registers := registersARM64(8)
	return Convention{Arguments: registers, Results: registers, stackPointer: SPARM64, onStack: true}
}

// Go is the calling convention of Go on a machine (cmd/compile/abi-internal.md), since 1.17.
func Go(machine elf.Machine) Convention {
	registers := []Register{RAX, RBX, RCX, RDI, RSI, R8, R9, R10, R11}
	if machine == elf.EM_AARCH64 {
		registers = registersARM64(16)
	}
	return Convention{Arguments: registers, Results: registers}
}

// registersARM64 returns x0 and those that follow.
func registersARM64(n int) []Register {
	list := make([]Register, n)
	for i := range list {
		list[i] = Register(i)
	}
	return list
}

// ConventionOf returns the convention of functions on a machine that Go's compiler has made, or one for C.
func ConventionOf(machine elf.Machine, isGo bool) Convention {
	switch {
	case isGo:
		return Go(machine)
	case machine == elf.EM_AARCH64:
		return AAPCS64()
	}
	return SysV()
}

// Argument returns where a word of the arguments is at the entry of a function. It is an error if only the types of all arguments tell.
func (c Convention) Argument(word int) (Operand, error) {
	op := Operand{Size: 8, Kind: InRegister, Base: NoRegister, Index: NoRegister, Scale: 1}
	switch {
	case word < len(c.Arguments):
		op.Base = c.Arguments[word]
	case !c.onStack:
		return op, errors.New("it is on the stack: where is only known with debug information")
	default:
		op.Kind, op.Base, op.Disp = InMemory, c.stackPointer, c.stackOffset+8*int64(word-len(c.Arguments))
	}
	return op, nil
}

// Result returns where a word of the result is at the return of a function.
func (c Convention) Result(word int) (Operand, error) {
	if word >= len(c.Results) {
		return Operand{}, errors.New("it is not in a register")
	}
	return Operand{Size: 8, Kind: InRegister, Base: c.Results[word], Index: NoRegister, Scale: 1}, nil
}
