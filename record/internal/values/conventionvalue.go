package values

import (
	"fmt"

	"utrace/record/internal/abi"
	"utrace/record/internal/probe"
)

// convention returns the calling convention of the file's functions.
func (vf *Finder) convention() abi.Convention {
	return abi.ConventionOf(vf.File.Machine, vf.IsGo)
}

// appendWord appends a value in a word of the calling convention, numbered from 0. A string of Go
// takes two. locate returns where a word is.
func (vf *Finder) appendWord(list []Value, wanted probe.Argument, word int, locate func(word int) (abi.Operand, error)) ([]Value, error) {
	a := Value{Argument: wanted}
	if a.Type.Kind == probe.KindFloat {
		return nil, fmt.Errorf("%s: it is in a floating-point register, which a probe cannot read", a.Name)
	}
	var err error
	if a.op, err = locate(word); err != nil {
		return nil, fmt.Errorf("%s: %w", a.Name, err)
	}
	if a.Type.Size != 0 && !a.Type.HasBytes() {
		a.op.Size, a.op.Signed = a.Type.Size, a.Type.Signed
	}

	at := len(list)
	list = appendValue(list, a)
	if vf.IsGo && a.Type.Kind == probe.KindText {
		length, err := locate(word + 1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Name, err)
		}
		list = appendLength(list, at, length)
	}
	return list, nil
}

// appendValue returns a copy of a list with one more value.
func appendValue(list []Value, a Value) []Value {
	return append(append([]Value(nil), list...), a)
}

// appendLength appends the length of the text or buffer at an index, as a hidden value.
func appendLength(list []Value, at int, length abi.Operand) []Value {
	a := list[at]
	list = append(list, Value{op: length, Argument: probe.Argument{
		Name: "len(" + a.Name + ")", Pos: a.Pos, Hidden: true, Described: a.Described,
		Type: probe.Type{Name: "s64", Signed: true, Size: 8},
	}})
	list[at].Type.IsText = a.Type.Kind == probe.KindText
	list[at].Type.Kind, list[at].LengthAt = probe.KindBuffer, len(list)
	return list
}
