package record

import (
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

// convention is how the functions of the file are called, word by word.
func (s *signature) convention() abi.Convention { return abi.ConventionOf(s.file.Machine, s.isGo) }
