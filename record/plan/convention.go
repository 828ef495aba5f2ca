package plan

import (
	"fmt"

	"utrace/record/internal/abi"
	"utrace/record/internal/probe"
)

// appendWord appends an argument that is in a word of the calling convention; a Go string has two.
func (s *valueFinder) appendWord(list []boundArgument, declared probe.Argument, word int, place func(word int) (abi.Operand, error)) ([]boundArgument, error) {
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

// convention is how the functions of the file are called, word by word.
func (s *valueFinder) convention() abi.Convention { return abi.ConventionOf(s.file.Machine, s.isGo) }
