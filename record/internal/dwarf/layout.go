package dwarf

import (
	"strings"
)

// describeLayout describes the structs in which languages keep texts, slices and interfaces. It
// returns false for any other struct.
func (w *walk) describeLayout(v *Value, t dwarfType, p location) bool {
	switch {
	case t.unit.language == languageGo:
		return w.describeGo(v, t, p)
	case t.unit.language == languageRust:
		return w.describeRust(v, t, p)
	case isCPlusPlus(t.unit.language):
		return w.describeCPlusPlus(v, t, p)
	}
	return false
}

// counted makes v a value with a pointer and a length, which are at two offsets in a struct.
func (v *Value) counted(kind ValueKind, p location, pointer, length uint64) {
	v.Kind = kind
	at, why := p.operand(pointer, 8, false)
	n, whyLength := p.operand(length, 8, true)
	v.At, v.Length = at, &n
	if v.Why = why; why == "" {
		v.Why = whyLength
	}
}

// Kinds of Go types (DW_AT_go_kind; internal/abi/type.go).
const (
	goSlice  = 23
	goString = 24
)

// describeGo knows strings {str, len}, slices {array, len, cap}, and the interfaces runtime.iface
// {tab, data} and runtime.eface {_type, data}. tab points to an itab, which has the type at offset
// 8.
func (w *walk) describeGo(v *Value, t dwarfType, p location) bool {
	switch {
	case t.goKind == goString, t.name == "string":
		v.counted(Text, p, 0, 8)
	case t.goKind == goSlice, strings.HasPrefix(t.name, "[]"):
		kind := Slice
		if m, ok := w.memberNamed(t, "array"); ok && w.isByte(w.typeOf(m.typ).elem) {
			kind = Bytes
		}
		v.counted(kind, p, 0, 8)
	case t.name == "runtime.iface":
		v.Kind = Interface
		itab, why := p.number(0)
		if v.Why = why; why == "" {
			v.At, v.Why = inMemory(8, itab.plus(8)).operand(0, 8, false)
		}
	case t.name == "runtime.eface":
		v.Kind = Interface
		v.At, v.Why = p.operand(0, 8, false)
	default:
		return false
	}
	return true
}

// describeRust knows references to str and slices {data_ptr, length}, String and Vec. It finds
// their parts by name, since the compiler orders them freely.
func (w *walk) describeRust(v *Value, t dwarfType, p location) bool {
	data, ok := w.memberNamed(t, "data_ptr")
	if length, ok2 := w.memberNamed(t, "length"); ok && ok2 {
		kind := Slice
		switch {
		case strings.HasSuffix(t.name, "str") || strings.Contains(t.name, "<str"):
			kind = Text
		case w.isByte(w.typeOf(data.typ).elem):
			kind = Bytes
		}
		v.counted(kind, p, data.off, length.off)
		return true
	}

	kind, off := Slice, uint64(0)
	if t.name == "String" {
		vec, ok := w.memberNamed(t, "vec")
		if !ok {
			return false
		}
		kind, off = Text, vec.off
		t = w.typeOf(vec.typ)
	}

	if !strings.HasPrefix(t.name, "Vec<") || t.shape != shapeStruct {
		return false
	}
	length, ok := w.memberNamed(t, "len")
	buf, ok2 := w.memberNamed(t, "buf")
	if !ok || !ok2 {
		return false
	}
	pointer, ok := w.firstPointer(buf.typ, 0)
	if !ok {
		return false
	}
	if kind == Slice && w.isByte(w.templateType(t)) {
		kind = Bytes
	}
	v.counted(kind, p, off+buf.off+pointer, off+length.off)
	return true
}

// firstPointer returns the offset of the first pointer in a struct or in structs inside it.
func (w *walk) firstPointer(ref typeRef, depth int) (uint64, bool) {
	t := w.typeOf(ref)
	if t.shape == shapePointer {
		return 0, true
	}
	if t.shape != shapeStruct || depth == maxTypeDepth {
		return 0, false
	}
	for _, m := range w.members(t) {
		if off, ok := w.firstPointer(m.typ, depth+1); ok && w.spend(1) {
			return m.off + off, true
		}
	}
	return 0, false
}

// templateType returns the first type parameter of a generic type.
func (w *walk) templateType(t dwarfType) typeRef {
	var found typeRef
	w.children(t.die, func(c die) bool {
		if c.tag == tagTemplateTypeParam {
			found = typeRef{dieRef: c.typ}
		}
		return c.tag != tagTemplateTypeParam
	})
	return found
}

// describeCPlusPlus knows std::string of libstdc++, and std::string_view of libstdc++ and libc++,
// by the names of their members. A string from before the C++11 ABI has its length 24 bytes before
// its text.
func (w *walk) describeCPlusPlus(v *Value, t dwarfType, p location) bool {
	name, _, _ := strings.Cut(t.name, "<")
	if !w.isChar(w.templateType(t)) {
		return false
	}
	switch name {
	case "basic_string":
		data, ok := w.memberNamed(t, "_M_dataplus")
		if !ok {
			v.Kind, v.Why = Unknown, "this library's std::string keeps short texts in an unknown layout"
			return true
		}
		// Its type may be only declared. It contains the pointer and the allocator, which is empty
		// or, rarely, after the pointer.
		pointer, _ := w.memberNamed(w.typeOf(data.typ), "_M_p")
		length, ok := w.memberNamed(t, "_M_string_length")
		if ok {
			v.counted(Text, p, data.off+pointer.off, length.off)
			return true
		}
		text, why := p.number(data.off + pointer.off)
		if v.Kind, v.Why = Text, why; why != "" {
			return true
		}
		v.At = numberOperand(text)
		n, why := inMemory(8, text.plus(-24)).operand(0, 8, true)
		v.Length, v.Why = &n, why
		return true
	case "basic_string_view":
		for _, names := range [][2]string{{"_M_str", "_M_len"}, {"__data_", "__size_"}, {"__data", "__size"}} {
			text, ok := w.memberNamed(t, names[0])
			length, ok2 := w.memberNamed(t, names[1])
			if ok && ok2 {
				v.counted(Text, p, text.off, length.off)
				return true
			}
		}
	}
	return false
}

// describeDeclared knows a type that is only declared: clang omits std::string where the library
// has it. In the C++11 ABI of libstdc++ that is {char *, size_t length, …}, which cannot change.
func (w *walk) describeDeclared(v *Value, t dwarfType, p location) bool {
	if w.isDeclaredString(t) {
		v.counted(Text, p, 0, 8)
		return true
	}
	return false
}

// isDeclaredString reports whether a type is a std::string of that ABI which is only declared.
func (w *walk) isDeclaredString(t dwarfType) bool {
	const prefix = "basic_string<char,"
	return t.unit != nil && t.declaration && isCPlusPlus(t.unit.language) && strings.HasPrefix(t.name, prefix) &&
		strings.HasPrefix(w.qualifiedName(t.die), "std::__cxx11::"+prefix)
}
