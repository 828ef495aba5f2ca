package target

// assignRust gives parameters and the result their places as rustc does (compiler/rustc_ty_utils/src/abi.rs). Rust does not specify it. What
// holds since years: a number is in a register; so are the two numbers of a type that has just two, each in its own; what is larger than
// two words is passed by its address. What may be otherwise is said to be not known.
func (w *walk) assignRust(f function) (params, results []place) {
	a := rustAssignment{walk: w, ints: intRegisters{regDI, regSI, regDX, regCX, regR8, regR9}, floats: 8, stack: stackArea{base: regSP, start: 8}}
	if len(f.results) > 0 {
		p := f.results[0]
		t := w.typeOf(p.typ)
		list, why := a.numbers(p.typ)
		switch {
		case t.size > 16 && t.shape != shapeUnknownType:
			results = []place{inMemory(t.size, registerExpr(regAX))}
			a.ints.take()
		case why != "":
			results = []place{missing(t.size, why)}
		case len(list) <= 2:
			r := rustAssignment{walk: w, ints: intRegisters{regAX, regDX}, floats: 2}
			results = []place{r.place(list, t.size)}
		default:
			registers := intRegisters{regAX, regDX}
			var out place
			for off := uint64(0); off < t.size; off += 8 {
				out = append(out, part{off: off, size: 8, kind: partNumber, expr: registerExpr(registers.take())})
			}
			results = []place{out}
		}
	}
	lost := ""
	for _, p := range f.params {
		t := w.typeOf(p.typ)
		where := missing(t.size, lost)
		if lost == "" {
			if where, lost = a.parameter(p.typ, t); lost != "" {
				where = missing(t.size, lost)
			}
		}
		params = append(params, where)
	}
	return params, results
}

type rustAssignment struct {
	*walk
	ints   intRegisters
	floats int
	stack  stackArea
}

const whyRust = "how Rust passes this type, or one before it, is not specified"

// numbers returns the numbers in a type.
func (a *rustAssignment) numbers(ref typeRef) (list []leaf, why string) {
	why = a.leaves(ref, 0, 0, func(l leaf) {
		if l.size > 8 {
			list = append(list, l, l, l) // wide integers and vectors are left to location lists
		}
		if len(list) < 64 {
			list = append(list, l)
		}
	})
	if why != "" {
		why = whyRust
	}
	return list, why
}

func (a *rustAssignment) parameter(ref typeRef, t dwarfType) (place, string) {
	list, why := a.numbers(ref)
	switch {
	case t.shape == shapeUnknownType || t.shape == shapeVoid:
		return nil, whyRust
	case t.size == 0:
		return missing(0, "it is empty"), ""
	case t.size > 16:
		address, _ := a.place([]leaf{{size: 8}}, 8).number(0)
		return inMemory(t.size, address), ""
	case why != "":
		return nil, why
	case len(list) <= 2:
		return a.place(list, t.size), ""
	case t.size <= 8: // packed into one
		return a.place([]leaf{{size: 8}}, 8), ""
	}
	return nil, whyRust
}

// place gives each number a register, or a place on the stack.
func (a *rustAssignment) place(list []leaf, size uint64) place {
	var out place
	for _, l := range list {
		p := part{off: l.off, size: l.size}
		if l.float {
			if a.floats--; a.floats >= 0 {
				p.why = whyVector
				out = append(out, p)
				continue
			}
		} else if r := a.ints.take(); r != NoRegister {
			p.kind, p.expr = partNumber, registerExpr(r)
			out = append(out, p)
			continue
		}
		if a.stack.base != regSP {
			return missing(size, whyRust)
		}
		where := a.stack.take(8, 8)
		p.kind, p.expr = partMemory, where[0].expr
		out = append(out, p)
	}
	for i := range out { // by offset
		for j := i; j > 0 && out[j].off < out[j-1].off; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}
