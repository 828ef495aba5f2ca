package dwarf

import (
	"cmp"
	"slices"
	"strings"

	"utrace/record/internal/abi"
)

// assignRust locates parameters and the result as rustc does (compiler/rustc_ty_utils/src/abi.rs).
// Rust does not specify it.
//
//   - A number is in a register. A type of just two numbers has each in its own register.
//   - Other types of up to 8 bytes are in one register, as they are in memory.
//   - Larger types are passed by their address.
//   - An enumeration with data is one or the other. The debugging information does not say which,
//     unless it fills one aligned word.
func (w *walk) assignRust(f funcInfo) (params, results []location) {
	a := rustAssignment{
		walk: w, foreign: !strings.HasPrefix(f.name, "_ZN") && !strings.HasPrefix(f.name, "_R"),
		ints: abi.SysV().Arguments, floats: 8, stack: &stackArea{base: abi.RSP, start: 8},
	}
	lost := ""
	if len(f.results) > 0 {
		var where location
		var hidden bool
		r := rustAssignment{walk: w, foreign: a.foreign, ints: abi.SysV().Results, floats: 2}
		t := w.typeOf(f.results[0].typ)
		if where, hidden, lost = r.value(f.results[0].typ, t); lost != "" {
			where = missing(t.size, lost)
		}
		if t.size <= 8 { // never returned by an address, which would be the first parameter
			lost = ""
		}
		if hidden {
			where = inMemory(t.size, registerExpr(abi.RAX))
			a.ints.take()
		}
		results = []location{where}
	}

	for _, p := range f.params {
		t := w.typeOf(p.typ)
		where := location(nil)
		if lost == "" {
			where, _, lost = a.value(p.typ, t)
		}
		if lost != "" {
			where = missing(t.size, lost)
		}
		params = append(params, where)
	}
	return params, results
}

// rustAssignment has the registers that are still free. Without a stack, a value that does not fit
// into them is returned in memory.
type rustAssignment struct {
	*walk
	foreign bool // its name allows that it has the convention of C
	ints    intRegisters
	floats  int
	stack   *stackArea
}

const whyRust = "how Rust passes this type, or one before it, is not specified"

// value locates a value. hidden reports whether it is passed by its address. why is the reason why
// it cannot be located, "" if it can.
func (a *rustAssignment) value(ref typeRef, t dwarfType) (where location, hidden bool, why string) {
	if t.shape == shapeUnknownType || t.shape == shapeVoid {
		return nil, false, whyRust
	}
	if t.size == 0 {
		return missing(0, whyEmpty), false, ""
	}
	var list []leaf
	array, wide := false, false
	why = a.leaves(ref, 0, 0, func(l leaf) {
		array = array || l.array
		wide = wide || l.size > 8
		if len(list) < 3 {
			list = append(list, l)
		}
	})

	pair := why == "" && !array && len(list) <= 2
	switch {
	case wide && t.size <= 32: // 128 bits, and vectors
		return nil, false, whyRust
	case t.shape == shapeStruct && a.foreign && t.size <= 16 && !(pair && t.size == 8*uint64(len(list))):
		return nil, false, whyRust
	case pair:
		slices.SortFunc(list, func(a, b leaf) int { return cmp.Compare(a.off, b.off) })
		if where, ok := a.numbers(list); ok {
			return where, false, ""
		}
		return nil, false, whyRust
	case t.size <= 8 && (why == "" || t.size == a.alignOf(ref)):
		where, ok := a.numbers([]leaf{{size: 8}})
		if !ok {
			return nil, false, whyRust
		}
		return where, false, ""
	case t.size <= 16 && (why != "" || rustVersion(t.unit.producer) < 95):
		return nil, false, whyRust
	case a.stack == nil:
		return nil, true, ""
	}

	pointer, _ := a.numbers([]leaf{{size: 8}})
	address, _ := pointer.number(0)
	return inMemory(t.size, address), true, ""
}

// numbers assigns each number a register, or a location on the stack.
func (a *rustAssignment) numbers(list []leaf) (out location, ok bool) {
	for _, l := range list {
		p := piece{off: l.off, size: l.size}
		r := abi.NoRegister
		if l.float {
			a.floats--
			p.why = whyVector
		} else {
			r = a.ints.take()
		}
		switch {
		case l.float && a.floats >= 0:
		case r != abi.NoRegister:
			p.kind, p.expr = pieceNumber, registerExpr(r)
		case a.stack == nil:
			return nil, false
		default:
			p.kind, p.expr = pieceMemory, a.stack.take(8, 8)[0].expr
		}
		out = append(out, p)
	}
	return out, true
}
