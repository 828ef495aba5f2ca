package values

import (
	"fmt"
	"strings"

	"utrace/bpf"
	"utrace/record/internal/abi"
	"utrace/record/internal/dwarf"
	"utrace/record/internal/elffile"
	"utrace/record/internal/probe"
)

// appendDescribed appends a value that debug information describes. wanted has its name, and its
// type if one was asked for.
func (vf *Finder) appendDescribed(list []Value, wanted probe.Argument, v dwarf.Value) ([]Value, error) {
	a := Value{Argument: wanted, op: v.At}
	if v.Why != "" {
		return nil, fmt.Errorf("%s (%s): %s", a.Name, v.TypeName, v.Why)
	}
	typed := a.Type.Name != ""
	if !typed {
		var err error
		if a.Type, err = typeOf(v); err != nil {
			return nil, fmt.Errorf("%s: %w", a.Name, err)
		}
		if a.Type.Kind == probe.KindGoType {
			a.Type.GoTypeName = goTypeNames(vf.File)
		}
	}

	counted := v.Length != nil && v.Kind != dwarf.CString
	switch {
	case v.Kind == dwarf.Aggregate && v.IsArray():
		return nil, fmt.Errorf("%s (%s): record its elements, as in %s[0]", a.Name, v.TypeName, a.Name)
	case v.Kind == dwarf.Aggregate:
		return nil, fmt.Errorf("%s (%s): record its members, as in %s.NAME", a.Name, v.TypeName, a.Name)
	case v.Kind == dwarf.Slice && !typed:
		a.op = *v.Length
	case a.Type.Kind == probe.KindFloat && v.Kind != dwarf.Float && a.op.Kind == abi.InRegister:
		return nil, fmt.Errorf("%s: its type is %s, not a floating-point type", a.Name, v.TypeName)
	case a.Type.HasBytes() && counted && a.Type.Length == "":
		return appendLength(appendValue(list, a), len(list), *v.Length), nil
	case a.Type.Kind == probe.KindText && v.Kind == dwarf.CString && v.Length != nil && v.Length.Kind == abi.Constant: // an array
		a.Type.Array = max(1, min(int(v.Length.Disp), bpf.MaxText))
	case typed && !a.Type.HasBytes():
		a.op.Size, a.op.Signed = a.Type.Size, a.Type.Signed
		if v.At.Kind == abi.InRegister && a.op.Size > 8-v.At.Shift/8 {
			a.op.Size = v.At.Size
		}
	}
	return appendValue(list, a), nil
}

// goTypeNames returns a function that gives the name of a type of a Go program, by the address of
// its descriptor. It is for one goroutine. In a program that is not loaded where its file says, it
// gives the address instead.
func goTypeNames(file *elffile.File) func(address uint64) string {
	names := map[uint64]string{}
	return func(address uint64) string {
		name, ok := names[address]
		if !ok {
			var err error
			if name, err = file.GoTypeName(abi.Addr(address)); err != nil {
				name = fmt.Sprintf("%#x", address)
			}
			if len(names) < maxTypeNames {
				names[address] = name
			}
		}
		return name
	}
}

// maxTypeNames limits how many names of Go types are kept for each value.
const maxTypeNames = 1 << 14

// typeOf returns the type of the probe language for a value.
func typeOf(v dwarf.Value) (probe.Type, error) {
	t := probe.Type{Size: v.At.Size, Signed: v.At.Signed}
	letter := "u"
	if t.Signed {
		letter = "s"
	}
	switch v.Kind {
	case dwarf.Int:
		t.Name = fmt.Sprintf("%s%d", letter, 8*t.Size)
	case dwarf.Bool:
		t.Name, t.Kind = "bool", probe.KindBool
	case dwarf.Char:
		if t.Name, t.Kind = "char", probe.KindChar; t.Size != 1 {
			t.Name, t.Kind = fmt.Sprintf("%s%d", letter, 8*t.Size), probe.KindNumber
		}
	case dwarf.Float:
		t.Name, t.Kind = fmt.Sprintf("f%d", 8*t.Size), probe.KindFloat
	case dwarf.Enum:
		t.Name, t.Kind, t.EnumNames = v.TypeName, probe.KindEnum, map[int64]string{}
		if !strings.HasPrefix(t.Name, "enum ") {
			t.Name = "enum " + t.Name
		}
		for _, e := range v.Enum {
			if _, ok := t.EnumNames[e.Value]; !ok {
				t.EnumNames[e.Value] = e.Name
			}
		}
	case dwarf.Pointer:
		t.Name, t.Kind = "ptr", probe.KindHex
	case dwarf.CString, dwarf.Text:
		t.Name, t.Kind, t.Max = "str", probe.KindText, probe.DefaultText
	case dwarf.Bytes:
		t.Name, t.Kind, t.Max = "buf", probe.KindBuffer, probe.DefaultText
	case dwarf.Slice:
		t.Name, t.Size, t.Signed = "s64", 8, true
	case dwarf.Interface:
		t.Name, t.Kind = "type", probe.KindGoType
	case dwarf.Aggregate:
		t.Name = v.TypeName
	default:
		return t, fmt.Errorf("its type (%s) is not understood", v.TypeName)
	}
	return t, nil
}
