package dwarf

import (
	"debug/elf"
	"slices"
	"strings"

	"utrace/record/internal/abi"
)

// goDictionaryName is the name of the dictionary parameter in code without optimisation. Optimised
// code does not show the parameter.
const goDictionaryName = ".dict"

// assignGo locates parameters and results by Go's internal calling convention
// (cmd/compile/abi-internal.md). Each is in registers as a whole, number by number, or else on the
// stack. Before Go 1.17, and without registers, all are on the stack.
func (w *walk) assignGo(f funcInfo, registers bool) (params, results []location) {
	a := goAssignment{walk: w, registers: registers, stack: stackArea{base: abi.RSP, start: 8}} // above the return address
	if w.machine == elf.EM_AARCH64 {
		a.stack.base = abi.SPARM64
	}
	a.begin()
	dictionary := goDictionary(f.name)
	if slices.ContainsFunc(f.params, func(p parameter) bool { return p.name == goDictionaryName }) {
		dictionary = -1
	}
	for i, p := range f.params {
		if i == dictionary {
			a.word()
		}
		params = append(params, a.assign(p.typ))
	}

	a.stack.next = alignUp(a.stack.next, 8)
	a.begin()
	for _, p := range f.results {
		results = append(results, a.assign(p.typ))
	}
	return params, results
}

// goAssignment has the registers and the part of the stack that are still free.
type goAssignment struct {
	*walk
	registers bool
	ints      intRegisters
	floats    int
	stack     stackArea
}

// begin frees all registers.
func (a *goAssignment) begin() {
	a.ints, a.floats = nil, 0
	if !a.registers {
		return
	}
	a.ints, a.floats = abi.Go(a.machine).Arguments, 15
	if a.machine == elf.EM_AARCH64 {
		a.floats = 16
	}
}

// word skips a parameter of one word that the debugging information does not show.
func (a *goAssignment) word() {
	if a.ints.take() == abi.NoRegister {
		a.stack.take(8, 8)
	}
}

// goDictionary returns the number of the parameter that follows the type dictionary of a generic
// function, by the name of the function, or -1 if it gets none. In "f[go.shape.int]" the dictionary
// comes first, in the method "(*t[go.shape.int]).m" after the receiver. "f[go.shape.int].func1" is
// a closure, which has the dictionary already.
func goDictionary(name string) int {
	if !strings.Contains(name, "[go.shape.") || strings.HasPrefix(name, "type:") { // type:.eq.T compares two T
		return -1
	}
	rest := name[strings.LastIndexByte(name, ']')+1:]
	_, inner, closure := strings.Cut(rest, ".func")
	closure = closure && inner != "" && inner[0] >= '0' && inner[0] <= '9'
	switch {
	case closure || strings.HasPrefix(rest, ".gowrap") || strings.HasPrefix(rest, ".deferwrap") || strings.HasPrefix(rest, "-range"):
		return -1
	case rest == "":
		return 0
	}
	return 1
}

// assign locates the next parameter or result.
func (a *goAssignment) assign(ref typeRef) location {
	t := a.typeOf(ref)
	if t.size == 0 && t.shape != shapeUnknownType {
		a.stack.next = alignUp(a.stack.next, a.alignOf(ref))
		return missing(0, whyEmpty)
	}
	ints, floats := a.ints, a.floats
	if out, ok := a.inRegisters(nil, ref, 0, 0); ok && a.registers {
		return out
	}
	a.ints, a.floats = ints, floats
	return a.stack.take(t.size, a.alignOf(ref))
}

// inRegisters appends the registers of a type. ok is false if the type cannot be in registers, or
// if too few are free.
func (a *goAssignment) inRegisters(out location, ref typeRef, off uint64, depth int) (_ location, ok bool) {
	t := a.typeOf(ref)
	if depth == maxTypeDepth || !a.spend(1) {
		return out, false
	}
	number := func(off, size uint64) bool {
		r := a.ints.take()
		out = append(out, piece{off: off, size: size, kind: pieceNumber, expr: registerExpr(r)})
		return r != abi.NoRegister
	}
	float := func(off, size uint64) bool {
		a.floats--
		out = append(out, piece{off: off, size: size, why: whyVector})
		return a.floats >= 0
	}
	switch t.shape {
	case shapeBase:
		switch t.encoding {
		case encFloat:
			return out, float(off, t.size)
		case encComplexFloat:
			ok = float(off, t.size/2) && float(off+t.size/2, t.size/2)
			return out, ok
		}
		return out, t.size <= 8 && number(off, t.size)
	case shapePointer, shapeFunction:
		return out, number(off, 8)
	case shapeArray:
		switch t.count {
		case 0:
			return out, true
		case 1:
			return a.inRegisters(out, t.elem, off, depth+1)
		}
		return out, false
	case shapeStruct:
		for _, m := range a.members(t) {
			if out, ok = a.inRegisters(out, m.typ, off+m.off, depth+1); !ok {
				return out, false
			}
		}
		return out, true
	}
	return out, false
}
