package plan

import (
	"debug/elf"
	"errors"
	"fmt"

	"utrace/record/internal/elffile"
	"utrace/record/internal/probe"
)

// appendWord appends an argument that is in a word of the calling convention; a Go string has two.
func (s *valueFinder) appendWord(list []boundArgument, declared probe.Argument, word int, place func(word int) (elffile.Operand, error)) ([]boundArgument, error) {
	a := boundArgument{Argument: declared}
	var err error
	if a.Type.Kind == probe.KindFloat {
		return nil, fmt.Errorf("%s: it is in a floating-point register, which a probe cannot read", a.Name)
	}
	if a.op, err = place(word); err != nil {
		return nil, fmt.Errorf("%s: %w", a.Name, err)
	}
	if a.Type.Size != 0 && !a.Type.HasBytes() {
		a.op.Size, a.op.Signed = a.Type.Size, a.Type.Signed
	}
	at := len(list)
	list = append(append([]boundArgument(nil), list...), a)
	if s.isGo && a.Type.Kind == probe.KindText {
		length, err := place(word + 1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Name, err)
		}
		list = appendLength(list, at, length)
	}
	return list, nil
}

// Words of struct pt_regs, see elffile.Register.
func (s *valueFinder) argumentRegisters() []elffile.Register {
	switch {
	case s.file.Machine == elf.EM_AARCH64 && s.isGo: // x0 to x15
		return []elffile.Register{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	case s.file.Machine == elf.EM_AARCH64:
		return []elffile.Register{0, 1, 2, 3, 4, 5, 6, 7}
	case s.isGo: // rax rbx rcx rdi rsi r8 r9 r10 r11 (cmd/compile/abi-internal.md)
		return []elffile.Register{10, 5, 11, 14, 13, 9, 8, 7, 6}
	}
	return []elffile.Register{14, 13, 12, 11, 9, 8} // rdi rsi rdx rcx r8 r9 (System V ABI, AMD64 supplement, 3.2.3)
}

// parameterPlace returns where a word of the arguments is by the calling convention.
func (s *valueFinder) parameterPlace(word int) (elffile.Operand, error) {
	op := elffile.Operand{Size: 8, Kind: elffile.InRegister, Base: elffile.NoRegister, Index: elffile.NoRegister, Scale: 1}
	regs := s.argumentRegisters()
	if word < len(regs) {
		op.Base = regs[word]
		return op, nil
	}
	if s.isGo {
		return op, errors.New("it is on the stack: where is only known with debug information")
	}
	op.Kind, op.Base, op.Disp = elffile.InMemory, 19, 8+8*int64(word-len(regs)) // behind the return address
	if s.file.Machine == elf.EM_AARCH64 {
		op.Base, op.Disp = 31, 8*int64(word-len(regs))
	}
	return op, nil
}

// resultPlace returns where a word of what a function returns is by the calling convention.
func (s *valueFinder) resultPlace(word int) (elffile.Operand, error) {
	op := elffile.Operand{Size: 8, Kind: elffile.InRegister, Base: 10, Index: elffile.NoRegister, Scale: 1}
	switch {
	case s.isGo || s.file.Machine == elf.EM_AARCH64:
		op.Base = s.argumentRegisters()[word]
	case word == 1:
		op.Base = 12 // rdx
	}
	return op, nil
}
