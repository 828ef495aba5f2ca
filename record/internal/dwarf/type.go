package dwarf

import (
	"strings"
)

// Limits on types.
const (
	maxTypeChain   = 32 // typedefs and qualifiers around one type
	maxTypeDepth   = 16 // types inside of types
	maxMembers     = 4096
	maxEnumerators = 4096
	maxTypeName    = 256
)

// typeRef refers to a type. It is the type of a DIE, which loses its first dims dimensions if it is
// an array. The zero value is void.
type typeRef struct {
	dieRef
	dims int
}

// typeShape is the kind of a type.
type typeShape uint8

const (
	shapeVoid typeShape = iota
	shapeBase
	shapePointer
	shapeReference // of C++ and Rust: used like its target
	shapeStruct    // and class, and union
	shapeArray
	shapeEnum
	shapeFunction
	shapeUnknownType
)

// dwarfType is a type, without typedefs and qualifiers around it.
type dwarfType struct {
	die
	shape typeShape
	size  uint64
	elem  typeRef // of a pointer, an array or an enumeration; zero is void
	count uint64  // of an array: elements, 0 if unknown
	name  string
	dims  int
	why   string // why it is shapeUnknownType
}

// typeOf reads a type. It skips the typedefs and qualifiers around it.
func (w *walk) typeOf(ref typeRef) dwarfType {
	if w.depth == maxTypeDepth {
		return dwarfType{shape: shapeUnknownType, why: whyTooDeep}
	}
	w.depth++ // an array has the size of its elements, which may be arrays
	defer func() { w.depth-- }()
	for range maxTypeChain {
		if ref.unit == nil {
			return dwarfType{shape: shapeVoid}
		}
		e, ok := w.readDIE(ref.dieRef)
		if !ok || !w.spend(1) {
			return dwarfType{shape: shapeUnknownType, why: "its type cannot be read"}
		}
		switch e.tag {
		case tagTypedef, tagConstType, tagVolatileType, tagRestrictType, tagAtomicType:
		default:
			if e.classSignature && e.origin.unit != nil {
				ref = typeRef{dieRef: e.origin}
				continue
			}
			if e.declaration {
				if def, ok := w.definition(e); ok {
					ref = typeRef{dieRef: def}
					continue
				}
			}
			return w.bareType(e, ref.dims)
		}
		if e.outside {
			return dwarfType{shape: shapeUnknownType, why: whyOutside}
		}
		ref = typeRef{dieRef: e.typ}
	}
	return dwarfType{shape: shapeUnknownType, why: whyTooDeep}
}

const whyTooDeep = "its type is too deep"

const whyOutside = "its type is in another file of debugging information (dwz), which is not read"

// bareType reads a type that has no typedef or qualifier around it.
func (w *walk) bareType(e die, dims int) dwarfType {
	t := dwarfType{die: e, size: e.byteSize, name: string(e.name), elem: typeRef{dieRef: e.typ}, dims: dims}
	switch e.tag {
	case tagBaseType:
		t.shape = shapeBase
		if !e.hasSize {
			t.size = (e.bitSize + 7) / 8
		}
	case tagPointerType:
		t.shape = shapePointer
		if e.unit.language == languageRust && strings.HasPrefix(t.name, "&") {
			t.shape = shapeReference
		}
		t.size = 8
	case tagReferenceType, tagRvalueReference:
		t.shape, t.size = shapeReference, 8
	case tagStructure, tagClass, tagUnion, tagInterface:
		t.shape = shapeStruct
		if e.declaration {
			t.shape, t.why = shapeUnknownType, "the debugging information does not say what is in its type"
		}
	case tagEnumerationType:
		t.shape = shapeEnum
		if !e.hasSize {
			t.size = w.typeOf(t.elem).size
		}
	case tagSubroutineType:
		t.shape = shapeFunction
	case tagArrayType:
		w.array(&t)
	case tagPtrToMember:
		t.shape, t.why = shapeUnknownType, "it is a pointer to a member"
		t.size = 8
		if w.typeOf(t.elem).shape == shapeFunction {
			t.size = 16
		}
	default: // DW_TAG_unspecified_type (nullptr_t), and unknown ones
		t.shape, t.why = shapeUnknownType, "its type is not understood"
	}

	if e.outside && t.shape != shapeStruct {
		t.shape, t.why = shapeUnknownType, whyOutside
	}
	return t
}

// array reads the dimensions of an array, from number t.dims on.
func (w *walk) array(t *dwarfType) {
	t.shape = shapeArray
	total, n := uint64(1), 0
	w.children(t.die, func(child die) bool {
		if child.tag != tagSubrange {
			return true
		}
		count := child.count
		if !child.hasCount {
			count = 0
		}
		if n == t.dims {
			t.count = count
		}
		if n >= t.dims {
			total = mulSize(total, count)
		}
		n++
		return n < maxTypeDepth
	})

	elem := w.typeOf(t.elem)
	if t.dims+1 < n {
		t.elem = typeRef{t.dieRef, t.dims + 1}
	}
	if !t.hasSize || t.dims > 0 {
		t.size = mulSize(total, elem.size)
	}
}

// mulSize multiplies sizes. A result that does not fit is 2^40, more than any real size.
func mulSize(a, b uint64) uint64 {
	const maxSize = 1 << 40
	if a != 0 && b > maxSize/a {
		return maxSize
	}
	return a * b
}

func isSigned(encoding uint64) bool { return encoding == encSigned || encoding == encSignedChar }
