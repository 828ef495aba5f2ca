package dwarf

import (
	"utrace/record/internal/abi"
)

// assignArm64 locates parameters and the result by the Procedure Call Standard for the Arm 64-bit
// Architecture, 6.8.
func (w *walk) assignArm64(f funcInfo) (params, results []location) {
	registers := intRegisters(abi.AAPCS64().Arguments)
	vectors := 8
	stack := stackArea{base: abi.SPARM64}
	if len(f.results) > 0 {
		t := w.typeOf(f.results[0].typ)
		switch n, why := w.arm64Floats(f.results[0].typ, t); {
		case why != "":
			results = []location{missing(t.size, why)}
		case n > 0:
			results = []location{missing(t.size, whyVector)}
		case t.size > 16 || w.byReference(t):
			results = []location{missing(t.size, "it is in memory whose address is no longer in a register")}
		default:
			results = []location{{{size: 8, kind: pieceNumber, expr: registerExpr(0)}, {off: 8, size: 8, kind: pieceNumber, expr: registerExpr(1)}}}
		}
	}

	lost := ""
	for _, p := range f.params {
		t := w.typeOf(p.typ)
		floats, why := w.arm64Floats(p.typ, t)
		if lost == "" {
			lost = why
		}
		if lost != "" {
			params = append(params, missing(t.size, lost))
			continue
		}
		align := max(8, min(16, w.alignOf(p.typ)))
		where := location(nil)
		switch {
		case floats > 0 && floats <= vectors:
			vectors -= floats
			where = missing(t.size, whyVector)
		case floats > 0:
			vectors = 0
			where = stack.take(alignUp(t.size, 8), align)
		case t.size > 16 || w.byReference(t):
			pointer := location{{size: 8, kind: pieceNumber}}
			if r := registers.take(); r != abi.NoRegister {
				pointer[0].expr = registerExpr(r)
			} else {
				pointer = stack.take(8, 8)
			}
			address, _ := pointer.number(0)
			where = inMemory(t.size, address)
		default:
			n := int(alignUp(t.size, 8) / 8)
			if n == 2 && align == 16 && len(registers)%2 == 1 {
				registers.take()
			}
			if n > len(registers) {
				registers = nil
				where = stack.take(alignUp(t.size, 8), align)
				break
			}
			for i := range n {
				where = append(where, piece{off: 8 * uint64(i), size: 8, kind: pieceNumber, expr: registerExpr(registers.take())})
			}
		}
		params = append(params, where)
	}
	return params, results
}

// arm64Floats returns how many vector registers a type takes: one for a floating-point number, and
// up to four for a struct of equal ones. The text is the reason why that is not known, "" if it is.
func (w *walk) arm64Floats(ref typeRef, t dwarfType) (int, string) {
	if t.shape == shapeUnknownType && t.tag != tagPtrToMember && t.tag != tagUnspecifiedType {
		return 0, t.why
	}
	if t.size > 64 {
		return 0, ""
	}
	n, size, same := 0, uint64(0), true
	why := w.leaves(ref, 0, 0, func(l leaf) {
		if n++; n == 1 {
			size = l.size
		}
		same = same && l.float && l.size == size
	})
	if !same || n > 4 {
		n = 0
	}
	return n, why
}
