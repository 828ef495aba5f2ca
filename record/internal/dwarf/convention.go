package dwarf

import (
	"debug/elf"
	"strings"

	"utrace/record/internal/abi"
)

// convention is how functions of a unit get their parameters and return their results.
type convention struct {
	name string // for messages
	why  string // why it is not known, "" if it is
	// first says that it holds for each function, whatever the compiler has optimised: so it comes before location lists.
	first  bool
	assign func(f funcInfo) (params, results []location)
}

// convention returns the calling convention of a function: by its machine, and by the language and compiler of its unit.
func (w *walk) convention(f funcInfo) convention {
	language := f.unit.language
	switch {
	case language == languageGo:
		name, registers := "Go's calling convention", strings.Contains(f.unit.producer, "regabi") && !strings.HasSuffix(f.name, ".abi0")
		return convention{name: name, first: true, assign: func(f funcInfo) ([]location, []location) {
			return w.assignGo(f, registers)
		}}
	case w.machine == elf.EM_X86_64 && language == languageRust:
		return convention{name: "rustc's calling convention", assign: w.assignRust}
	case w.machine == elf.EM_X86_64 && hasCConvention(language):
		return convention{name: "System V calling convention", assign: w.assignSysV}
	case w.machine == elf.EM_AARCH64 && hasCConvention(language):
		return convention{name: "AAPCS64 calling convention", assign: w.assignArm64}
	}
	return convention{name: "location lists", why: "the calling convention of its language is not known on this machine"}
}

// hasCConvention says whether functions of a language are called as those of C are.
func hasCConvention(language uint64) bool {
	const objectiveC = 0x10
	return isC(language) || isCPlusPlus(language) || language == objectiveC || language == languageAssembler
}

// intRegisters are the registers of integer parameters that are not used yet.
type intRegisters []abi.Register

// take returns the next register, or NoRegister.
func (r *intRegisters) take() abi.Register {
	if len(*r) == 0 {
		return abi.NoRegister
	}
	first := (*r)[0]
	*r = (*r)[1:]
	return first
}

// stackArea hands out the places of parameters on the stack.
type stackArea struct {
	base  abi.Register
	start uint64 // from base
	next  uint64 // from start, which is aligned
}

func (s *stackArea) take(size, align uint64) location {
	s.next = alignUp(s.next, align)
	p := inMemory(size, expr{base: s.base, disp: int64(s.start + s.next)})
	s.next += size
	return p
}

func alignUp(n, align uint64) uint64 {
	if align == 0 {
		return n
	}
	return (n + align - 1) / align * align
}

// alignOf returns the alignment of a type in bytes.
func (w *walk) alignOf(ref typeRef) uint64 { return w.align(ref, 0) }

func (w *walk) align(ref typeRef, depth int) uint64 {
	t := w.typeOf(ref)
	most := uint64(1)
	if depth < maxTypeDepth && w.spend(1) {
		switch t.shape {
		case shapeArray:
			most = w.align(t.elem, depth+1)
			if t.vector {
				most = t.size
			}
		case shapeStruct:
			for _, m := range w.members(t) {
				most = max(most, w.align(m.typ, depth+1))
			}
		default:
			most = max(t.size, 1)
			if t.encoding == encComplexFloat {
				most = max(t.size/2, 1)
			}
		}
	}
	return min(max(most, t.align, 1), 4096)
}

// leaf is a number in a type that is passed as a whole.
type leaf struct {
	off, size uint64
	float     bool
	x87       bool
	vector    bool
	bits      bool // a bit field
	array     bool // in an array
}

// leaves calls fn for each number in a type, at its offset. It returns why this is not possible, "" if it is.
func (w *walk) leaves(ref typeRef, off uint64, depth int, fn func(leaf)) string {
	t := w.typeOf(ref)
	if depth == maxTypeDepth || !w.spend(1) {
		return whyTooDeep
	}
	switch t.shape {
	case shapeBase:
		l := leaf{off: off, size: t.size, float: t.encoding == encFloat || t.encoding == encComplexFloat}
		switch {
		case t.encoding == encComplexFloat:
			half := leaf{off: off, size: t.size / 2, float: true, x87: t.size == 32}
			fn(half)
			half.off += half.size
			fn(half)
			return ""
		case l.float && t.size == 16 && t.name == "long double":
			l.x87 = true
		case l.float && t.size == 16:
			l.vector = true
		}
		fn(l)
	case shapePointer, shapeReference, shapeEnum, shapeFunction:
		fn(leaf{off: off, size: max(t.size, 1)})
	case shapeArray:
		if t.vector {
			fn(leaf{off: off, size: t.size, float: true, vector: true})
			return ""
		}
		elem := w.typeOf(t.elem)
		inArray := func(l leaf) {
			l.array = true
			fn(l)
		}
		for i := range t.count {
			if i > 64 {
				return "its type is too large"
			}
			if why := w.leaves(t.elem, off+i*elem.size, depth+1, inArray); why != "" {
				return why
			}
		}
	case shapeStruct:
		if w.hasVariants(t) {
			return "its type has variants"
		}
		for _, m := range w.members(t) {
			if m.outside || m.computed {
				return whyOutside
			}
			if m.bits != 0 {
				fn(leaf{off: off + m.bitOff/8, size: (m.bitOff%8 + m.bits + 7) / 8, bits: true})
				continue
			}
			if why := w.leaves(m.typ, off+m.off, depth+1, fn); why != "" {
				return why
			}
		}
	default:
		switch t.tag {
		case tagPtrToMember:
			for i := uint64(0); i < t.size; i += 8 {
				fn(leaf{off: off + i, size: 8})
			}
		case tagUnspecifiedType:
			fn(leaf{off: off, size: 8}) // nullptr_t
		default:
			return t.why
		}
	}
	return ""
}

// hasVariants says whether a type is an enumeration of Rust with data.
func (w *walk) hasVariants(t dwarfType) bool {
	found := false
	w.children(t.die, func(c die) bool {
		found = c.tag == tagVariantPart
		return !found
	})
	return found
}
