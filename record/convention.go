package record

import (
	"debug/elf"
	"errors"
	"fmt"

	"utrace/record/internal/abi"
)

// appendWord appends an argument that is in a word of the calling convention; a Go string has two.
func (s *signature) appendWord(list []argument, a argument, word int, place func(word int) (abi.Operand, error)) ([]argument, error) {
	var err error
	if a.typ.kind == kindFloat {
		return nil, fmt.Errorf("%s: it is in a floating-point register, which a probe cannot read", a.name)
	}
	if a.op, err = place(word); err != nil {
		return nil, fmt.Errorf("%s: %w", a.name, err)
	}
	if a.typ.size != 0 && !a.typ.hasBytes() {
		a.op.Size, a.op.Signed = a.typ.size, a.typ.signed
	}
	at := len(list)
	list = append(append([]argument(nil), list...), a)
	if s.isGo && a.typ.kind == kindText {
		length, err := place(word + 1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		list = appendLength(list, at, length)
	}
	return list, nil
}

// Words of struct pt_regs, see abi.Register.
func (s *signature) argumentRegisters() []abi.Register {
	switch {
	case s.file.Machine == elf.EM_AARCH64 && s.isGo: // x0 to x15
		return []abi.Register{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	case s.file.Machine == elf.EM_AARCH64:
		return []abi.Register{0, 1, 2, 3, 4, 5, 6, 7}
	case s.isGo: // rax rbx rcx rdi rsi r8 r9 r10 r11 (cmd/compile/abi-internal.md)
		return []abi.Register{10, 5, 11, 14, 13, 9, 8, 7, 6}
	}
	return []abi.Register{14, 13, 12, 11, 9, 8} // rdi rsi rdx rcx r8 r9 (System V ABI, AMD64 supplement, 3.2.3)
}

// parameterPlace returns where a word of the arguments is by the calling convention.
func (s *signature) parameterPlace(word int) (abi.Operand, error) {
	op := abi.Operand{Size: 8, Kind: abi.InRegister, Base: abi.NoRegister, Index: abi.NoRegister, Scale: 1}
	regs := s.argumentRegisters()
	if word < len(regs) {
		op.Base = regs[word]
		return op, nil
	}
	if s.isGo {
		return op, errors.New("it is on the stack: where is only known with debug information")
	}
	op.Kind, op.Base, op.Disp = abi.InMemory, 19, 8+8*int64(word-len(regs)) // behind the return address
	if s.file.Machine == elf.EM_AARCH64 {
		op.Base, op.Disp = 31, 8*int64(word-len(regs))
	}
	return op, nil
}

// resultPlace returns where a word of what a function returns is by the calling convention.
func (s *signature) resultPlace(word int) (abi.Operand, error) {
	op := abi.Operand{Size: 8, Kind: abi.InRegister, Base: 10, Index: abi.NoRegister, Scale: 1}
	switch {
	case s.isGo || s.file.Machine == elf.EM_AARCH64:
		op.Base = s.argumentRegisters()[word]
	case word == 1:
		op.Base = 12 // rdx
	}
	return op, nil
}
