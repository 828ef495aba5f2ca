package dwarf

import (
	"utrace/record/internal/abi"
)

// Value is a parameter, a result or a part of one: what it is, and where it is.
type Value struct {
	Name     string // "" if it has none
	TypeName string // as the language writes it: "const char *", "struct request *", "string", "&str"
	Kind     ValueKind
	// At is where the number is. For CString, Text, Bytes and Slice the number is the address of
	// the first byte. For Interface it is the address of the type (see elffile.File.GoTypeName). If
	// the interface is nil, that is 0, or At cannot be read because its address is below 4096. An
	// Aggregate has no At.
	At     abi.Operand
	Length *abi.Operand // of Text and Bytes: bytes; of Slice: elements; of CString: the limit in bytes, nil if there is none
	Enum   []Enumerator // of Enum
	Why    string       // why it cannot be fetched, "" if it can

	info *Info
	typ  typeRef
	loc  location
}

// ValueKind says how a value is fetched and shown.
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
	Slice               // other elements with a length: the length is recorded
	Interface           // of Go: its dynamic type is recorded
	Aggregate           // a struct or an array: only its members can be recorded
)

var kindNames = [...]string{"unknown", "int", "bool", "char", "float", "enum", "pointer", "cstring", "text", "bytes", "slice", "interface", "aggregate"}

// String is the name of the kind in messages, such as "cstring".
func (k ValueKind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[Unknown]
}

// IsArray reports whether the value is an array: a path leads to its elements, as in v[0].
func (v Value) IsArray() bool {
	if v.info == nil {
		return false
	}
	w := &walk{Info: v.info}
	return w.typeOf(v.typ).shape == shapeArray
}

// newValue makes the value of a type at a location.
func (w *walk) newValue(name string, ref typeRef, p location) Value {
	v := Value{Name: name, TypeName: w.typeName(ref), info: w.Info, typ: ref, loc: p}
	w.describe(&v, ref, p, 0)
	return v
}

// describe sets the kind of v and where it can be fetched.
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

// isChar reports whether a type is char.
func (w *walk) isChar(ref typeRef) bool {
	t := w.typeOf(ref)
	return t.shape == shapeBase && t.size == 1 && t.name == "char" && (t.encoding == encSignedChar || t.encoding == encUnsignedChar)
}

// isByte reports whether a type is an unsigned byte.
func (w *walk) isByte(ref typeRef) bool {
	t := w.typeOf(ref)
	return t.shape == shapeBase && t.size == 1 && t.encoding != encBoolean && !isSigned(t.encoding) && t.name != "char"
}

// describeReference describes a reference like its target, if that is a number or a text. Else it
// is a pointer.
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

// fixedText reports whether the character arrays of a language have no NUL at the end.
func (w *walk) fixedText(language uint64) bool {
	return language == languageRust || language == languageGo
}
