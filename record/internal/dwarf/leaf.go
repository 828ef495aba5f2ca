package dwarf

// leaf is a number in a type that is passed as a whole.
type leaf struct {
	off, size uint64
	float     bool
	x87       bool
	vector    bool
	bits      bool // a bit field
	array     bool // in an array
}

// leaves calls fn for each number in a type, with its offset. It returns the reason why it cannot,
// "" if it can.
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

// hasVariants reports whether a type is a Rust enumeration with data.
func (w *walk) hasVariants(t dwarfType) bool {
	found := false
	w.children(t.die, func(c die) bool {
		found = c.tag == tagVariantPart
		return !found
	})
	return found
}

// alignOf returns the alignment of a type in bytes.
func (w *walk) alignOf(ref typeRef) uint64 { return w.align(ref, 0) }

func (w *walk) align(ref typeRef, depth int) uint64 {
	t := w.typeOf(ref)
	largest := uint64(1)
	if depth < maxTypeDepth && w.spend(1) {
		switch t.shape {
		case shapeArray:
			largest = w.align(t.elem, depth+1)
			if t.vector {
				largest = t.size
			}
		case shapeStruct:
			for _, m := range w.members(t) {
				largest = max(largest, w.align(m.typ, depth+1))
			}
		default:
			largest = max(t.size, 1)
			if t.encoding == encComplexFloat {
				largest = max(t.size/2, 1)
			}
		}
	}
	return min(max(largest, t.align, 1), 4096)
}
