package dwarf

import (
	"strings"

	"utrace/record/internal/abi"
)

// Value is a parameter, a result or a part of one: what it is, and where it is.
type Value struct {
	Name     string // "" if it has none
	TypeName string // as the language writes it: "const char *", "struct request *", "string", "&str"
	Kind     ValueKind
	// At is where the number is. Of CString, Text, Bytes and Slice its value is the address of the first byte; of Interface the address of the type
	// (see File.GoTypeName), which cannot be read (the address is less than 4096) or is 0 if the interface is nil. An Aggregate has none.
	At     abi.Operand
	Length *abi.Operand // of Text and Bytes: how many bytes; of Slice: how many elements; of CString: how many bytes at most, nil if there is no limit
	Enum   []Enumerator // of Enum
	Why    string       // why it cannot be fetched, "" if it can

	info *Info
	typ  typeRef
	loc  location
}

// ValueKind says how a value is to be fetched and shown.
type ValueKind uint8

// The kinds of values.
const (
	Unknown   ValueKind = iota
	Int                 // signed or not, as At says
	Bool                // 0 or 1 in one byte
	Char                // a character of one byte, or of UTF-16 or UTF-32
	Float               // 4 or 8 bytes
	Enum                // a number with a name
	Pointer             // an address
	CString             // text up to a NUL
	Text                // text with a length: string, &str, String, std::string, std::string_view
	Bytes               // bytes with a length: []byte, &[u8], Vec<u8>, arrays of bytes
	Slice               // other elements with a length: the value to record is the length
	Interface           // of Go: the value to record is its dynamic type
	Aggregate           // a struct or an array: its members can be recorded
)

var kindNames = [...]string{"unknown", "int", "bool", "char", "float", "enum", "pointer", "cstring", "text", "bytes", "slice", "interface", "aggregate"}

func (k ValueKind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[Unknown]
}

// newValue makes the value of a type that is at a place.
func (w *walk) newValue(name string, ref typeRef, p location) Value {
	v := Value{Name: name, TypeName: w.typeName(ref), info: w.Info, typ: ref, loc: p}
	w.describe(&v, ref, p, 0)
	return v
}

// describe sets what v is and where it can be fetched.
func (w *walk) describe(v *Value, ref typeRef, p location, depth int) {
	t := w.typeOf(ref)
	switch t.shape {
	case shapeBase:
		w.describeBase(v, t, p)
	case shapeEnum:
		v.Kind = Enum
		var signed bool
		v.Enum, signed = w.enumerators(t)
		v.At, v.Why = p.operand(0, t.size, signed)
	case shapePointer:
		v.Kind = Pointer
		v.At, v.Why = p.operand(0, 8, false)
		if w.isChar(t.elem) && t.unit.language != languageRust && t.unit.language != languageGo {
			v.Kind = CString
		}
	case shapeReference:
		w.describeReference(v, t, p, depth)
	case shapeStruct:
		if !w.describeLayout(v, t, p) {
			v.Kind = Aggregate
		}
	case shapeArray:
		w.describeArray(v, t, p)
	case shapeFunction:
		v.Kind = Pointer
		v.At, v.Why = p.operand(0, 8, false)
	case shapeVoid:
		v.Why = "it has no type"
	default:
		v.Why = t.why
		if w.describeDeclared(v, t, p) {
			v.Why = ""
		}
	}
	if v.Kind != Aggregate && v.Why == "" && v.Length != nil && len(v.Length.Derefs) >= abi.MaxLoads {
		v.Why = whyDeep
	}
}

func (w *walk) describeBase(v *Value, t dwarfType, p location) {
	v.Kind = Int
	switch t.encoding {
	case encBoolean:
		v.Kind = Bool
	case encFloat:
		v.Kind = Float
		if t.size != 4 && t.size != 8 {
			v.Why = "it is a floating-point number of " + decimal(t.size) + " bytes; 4 and 8 can be read"
			return
		}
	case encComplexFloat:
		v.Kind, v.Why = Unknown, "it is a complex number"
		return
	case encUTF:
		v.Kind = Char
	case encSignedChar, encUnsignedChar:
		if t.name == "char" {
			v.Kind = Char
		}
	}
	if t.size == 0 { // () of Rust
		v.Kind, v.Why = Unknown, whyEmpty
		return
	}
	if t.size != 1 && t.size != 2 && t.size != 4 && t.size != 8 {
		v.Why = "it is a number of " + decimal(t.size) + " bytes; 1, 2, 4 and 8 can be read"
		return
	}
	v.At, v.Why = p.operand(0, t.size, isSigned(t.encoding))
	v.At.Float = v.Kind == Float
}

// isChar says whether a type is char.
func (w *walk) isChar(ref typeRef) bool {
	t := w.typeOf(ref)
	return t.shape == shapeBase && t.size == 1 && t.name == "char" && (t.encoding == encSignedChar || t.encoding == encUnsignedChar)
}

// isByte says whether a type is a byte without a sign.
func (w *walk) isByte(ref typeRef) bool {
	t := w.typeOf(ref)
	return t.shape == shapeBase && t.size == 1 && t.encoding != encBoolean && !isSigned(t.encoding) && t.name != "char"
}

// describeReference describes a reference as what it refers to: a number or a text; to something that has only members it is a
// pointer.
func (w *walk) describeReference(v *Value, t dwarfType, p location, depth int) {
	v.Kind = Pointer
	v.At, v.Why = p.operand(0, 8, false)
	to := w.typeOf(t.elem)
	if v.Why != "" || depth > 0 {
		return
	}
	address, _ := p.number(0)
	inner := Value{}
	w.describe(&inner, t.elem, inMemory(to.size, address), depth+1)
	if inner.Kind != Aggregate && inner.Kind != Unknown && inner.Why == "" {
		v.Kind, v.At, v.Length, v.Enum = inner.Kind, inner.At, inner.Length, inner.Enum
	}
}

// describeArray describes arrays of characters and bytes as texts.
func (w *walk) describeArray(v *Value, t dwarfType, p location) {
	v.Kind = Aggregate
	char := w.isChar(t.elem) && !w.fixedText(t.unit.language)
	if !char && !w.isByte(t.elem) || t.count == 0 {
		return
	}
	v.Kind = Bytes
	if char {
		v.Kind = CString
	}
	part, why := p.at(0, t.size)
	if part.kind == pieceNumber {
		why = whyNotMemory
	}
	if v.Why = why; why == "" {
		v.At = addressOperand(part.expr.plus(-int64(part.off)))
		length := numberOperand(constantExpr(int64(t.count)))
		v.Length = &length
		if len(v.At.Derefs) >= abi.MaxLoads {
			v.Why = whyDeep
		}
	}
}

// fixedText says that arrays of a language are not ended by a NUL.
func (w *walk) fixedText(language uint64) bool {
	return language == languageRust || language == languageGo
}

// describeLayout describes the structs that languages use for texts and the like. It returns false for another struct.
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

// counted makes v a kind with a pointer and a length, which are at offsets in a struct.
func (v *Value) counted(kind ValueKind, p location, pointer, length uint64) {
	v.Kind = kind
	at, why := p.operand(pointer, 8, false)
	n, whyLength := p.operand(length, 8, true)
	v.At, v.Length = at, &n
	if v.Why = why; why == "" {
		v.Why = whyLength
	}
}

// Kinds of Go (DW_AT_go_kind; internal/abi/type.go).
const (
	goSlice  = 23
	goString = 24
)

// describeGo knows string {str, len}, slices {array, len, cap} and interfaces: runtime.iface {tab, data}, where tab leads to an
// itab with the type at 8, and runtime.eface {_type, data}.
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

// describeRust knows references to str and slices {data_ptr, length}, and String and Vec, whose parts are found by their names, since the compiler
// orders them as it likes.
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

// firstPointer returns the offset of the first pointer in a struct or the structs in it.
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

// memberNamed returns a member of a struct itself.
func (w *walk) memberNamed(t dwarfType, name string) (member, bool) {
	if t.shape != shapeStruct {
		return member{}, false
	}
	for _, m := range w.members(t) {
		if m.name == name {
			return m, true
		}
	}
	return member{}, false
}

// describeCPlusPlus knows std::string and std::string_view of libstdc++ and std::string_view of libc++, by the names of their members. A string from before
// the C++11 ABI has its length 24 bytes before its text.
func (w *walk) describeCPlusPlus(v *Value, t dwarfType, p location) bool {
	name, _, _ := strings.Cut(t.name, "<")
	if !w.isChar(w.templateType(t)) {
		return false
	}
	switch name {
	case "basic_string":
		data, ok := w.memberNamed(t, "_M_dataplus")
		if !ok {
			v.Kind, v.Why = Unknown, "this library's std::string keeps short texts in a way that is not read"
			return true
		}
		// Its type may be only declared. It is the pointer and the allocator, which is empty or, rarely, behind it.
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

// describeDeclared knows what is only declared: clang leaves out std::string where the library has it. That of the C++11 ABI of
// libstdc++ is {char *, size_t length, …}, which cannot change.
func (w *walk) describeDeclared(v *Value, t dwarfType, p location) bool {
	if w.isDeclaredString(t) {
		v.counted(Text, p, 0, 8)
		return true
	}
	return false
}

// isDeclaredString says whether a type that is only declared is that std::string.
func (w *walk) isDeclaredString(t dwarfType) bool {
	const prefix = "basic_string<char,"
	return t.unit != nil && t.declaration && isCPlusPlus(t.unit.language) && strings.HasPrefix(t.name, prefix) &&
		strings.HasPrefix(w.qualifiedName(t.die), "std::__cxx11::"+prefix)
}
