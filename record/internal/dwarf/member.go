package dwarf

// member is a part of a struct.
type member struct {
	name     string
	typ      typeRef
	off      uint64
	base     bool // a base class or an embedded field of Go: its members are also members of the struct
	bits     uint64
	bitOff   uint64 // of a bit field: bits from the beginning of the struct
	computed bool   // its offset depends on the object (a virtual base class)
	outside  bool
}

// members returns the members that each object of a struct has, in order.
func (w *walk) members(t dwarfType) []member {
	var out []member
	w.children(t.die, func(c die) bool {
		switch {
		case c.tag == tagInheritance:
		case c.tag != tagMember || c.external || c.declaration: // static members of C++
			return true
		}
		m := member{
			name: string(c.name), typ: typeRef{dieRef: c.typ}, off: c.memberOff, bits: c.bitSize,
			base: c.tag == tagInheritance || c.embedded, computed: c.computedOff, outside: c.outside,
		}
		if m.bits != 0 {
			m.bitOff = 8*m.off + c.bitOffset
			if !c.hasBitOffset { // DWARF 3 counts from the most significant bit of the storage unit
				m.bitOff = 8 * m.off
			}
			if c.hasBitOffset && !c.hasMemberOff {
				m.off = c.bitOffset / 8
			}
		}
		out = append(out, m)
		return len(out) < maxMembers
	})
	return out
}

// memberNamed returns a member that the struct itself declares.
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

// maxPartDepth limits how deep in structs Parts looks.
const maxPartDepth = 3

// Parts returns what can be recorded of each value of one function: the value itself, or the
// members of an aggregate and their members. All values share one budget. What is beyond it is left
// out.
func Parts(values []Value) [][]Value {
	list := make([][]Value, len(values))
	w := &walk{define: true, defined: map[dieRef]dieRef{}}
	for i, v := range values {
		w.Info = v.info
		list[i] = w.appendParts(nil, v, 0)
	}
	return list
}

func (w *walk) appendParts(list []Value, v Value, depth int) []Value {
	if v.Kind != Aggregate {
		return append(list, v)
	}
	if v.info == nil || depth == maxPartDepth {
		return list
	}
	t := w.typeOf(v.typ)
	if t.shape != shapeStruct {
		return list
	}
	for _, m := range w.members(t) {
		if len(list) >= maxParams || !w.spend(1) {
			break
		}
		if m.name == "" || m.base {
			continue
		}
		at := memberWalk{walk: w, ref: v.typ, loc: v.loc}
		at.enter(m)
		list = w.appendParts(list, w.newValue(v.Name+"."+m.name, at.ref, at.loc), depth+1)
	}
	return list
}
