package record

import (
	"fmt"
	"strings"

	"utrace/bpf"
	"utrace/record/internal/abi"
	"utrace/record/internal/dwarf"
	"utrace/record/internal/elffile"
)

// appendLength makes an argument a text of a length that is elsewhere.
func appendLength(list []argument, at int, length abi.Operand) []argument {
	a := &list[at]
	list = append(list, argument{
		name: "len(" + a.name + ")", pos: a.pos, hidden: true, op: length, described: a.described,
		typ: valueType{name: "s64", signed: true, size: 8},
	})
	list[at].typ.isText = list[at].typ.kind == kindText
	list[at].typ.kind, list[at].lengthAt = kindBuffer, len(list)
	return list
}

// appendValueAs appends an argument that the debug information knows, with the type that was asked for, if any.
func (s *signature) appendValueAs(list []argument, a argument, v dwarf.Value) ([]argument, error) {
	if v.Why != "" {
		return nil, fmt.Errorf("%s (%s): %s", a.name, v.TypeName, v.Why)
	}
	a.op = v.At
	asked := a.typ.name != ""
	if !asked {
		var err error
		if a.typ, err = typeOf(v); err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		if a.typ.kind == kindTypeName {
			a.typ.typeName = goTypeNames(s.file)
		}
	}
	counted := v.Length != nil && v.Kind != dwarf.CString
	switch {
	case v.Kind == dwarf.Aggregate:
		return nil, fmt.Errorf("%s (%s): record its members, as in %s.NAME", a.name, v.TypeName, a.name)
	case v.Kind == dwarf.Slice && !asked:
		a.op = *v.Length
	case a.typ.kind == kindFloat && v.Kind != dwarf.Float && a.op.Kind == abi.InRegister:
		return nil, fmt.Errorf("%s: it is a %s, not a floating-point number", a.name, v.TypeName)
	case a.typ.hasBytes() && counted && a.typ.length == "":
		list = append(append([]argument(nil), list...), a)
		return appendLength(list, len(list)-1, *v.Length), nil
	case a.typ.kind == kindText && v.Kind == dwarf.CString && v.Length != nil && v.Length.Kind == abi.Constant: // an array
		a.typ.array = max(1, min(int(v.Length.Disp), bpf.MaxText))
	case asked && !a.typ.hasBytes():
		a.op.Size, a.op.Signed = a.typ.size, a.typ.signed
		if v.At.Kind == abi.InRegister && a.op.Size > 8-v.At.Shift/8 {
			a.op.Size = v.At.Size
		}
	}
	return append(append([]argument(nil), list...), a), nil
}

// goTypeNames returns what tells the names of the types of a Go program by their addresses, for one goroutine. In a program that is
// loaded elsewhere than its file says the address itself stands for it.
func goTypeNames(file *elffile.File) func(address uint64) string {
	known := map[uint64]string{}
	return func(address uint64) string {
		name, ok := known[address]
		if !ok {
			var err error
			if name, err = file.GoTypeName(abi.Addr(address)); err != nil {
				name = fmt.Sprintf("%#x", address)
			}
			if len(known) < maxTypeNames {
				known[address] = name
			}
		}
		return name
	}
}

// maxTypeNames bounds the names of types that are kept.
const maxTypeNames = 1 << 14

// typeOf returns the type of the probe language for a value.
func typeOf(v dwarf.Value) (valueType, error) {
	t := valueType{size: v.At.Size, signed: v.At.Signed}
	letter := "u"
	if t.signed {
		letter = "s"
	}
	switch v.Kind {
	case dwarf.Int:
		t.name = fmt.Sprintf("%s%d", letter, 8*t.size)
	case dwarf.Bool:
		t.name, t.kind = "bool", kindBool
	case dwarf.Char:
		if t.name, t.kind = "char", kindChar; t.size != 1 {
			t.name, t.kind = fmt.Sprintf("%s%d", letter, 8*t.size), kindNumber
		}
	case dwarf.Float:
		t.name, t.kind = fmt.Sprintf("f%d", 8*t.size), kindFloat
	case dwarf.Enum:
		t.name, t.kind, t.names = v.TypeName, kindEnum, map[int64]string{}
		if !strings.HasPrefix(t.name, "enum ") {
			t.name = "enum " + t.name
		}
		for _, e := range v.Enum {
			if _, ok := t.names[e.Value]; !ok {
				t.names[e.Value] = e.Name
			}
		}
	case dwarf.Pointer:
		t.name, t.kind = "ptr", kindHex
	case dwarf.CString, dwarf.Text:
		t.name, t.kind, t.max = "str", kindText, defaultText
	case dwarf.Bytes:
		t.name, t.kind, t.max = "buf", kindBuffer, defaultText
	case dwarf.Slice:
		t.name, t.size, t.signed = "s64", 8, true
	case dwarf.Interface:
		t.name, t.kind = "type", kindTypeName
	case dwarf.Aggregate:
		t.name = v.TypeName
	default:
		return t, fmt.Errorf("its type (%s) is not understood", v.TypeName)
	}
	return t, nil
}
