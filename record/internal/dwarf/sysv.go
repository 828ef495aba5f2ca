package dwarf

import (
	"strings"

	"utrace/record/internal/abi"
)

// sysVClass is the class of eight bytes of a value (System V ABI for AMD64, 3.2.3).
type sysVClass uint8

const (
	classNone sysVClass = iota
	classInteger
	classSSE
	classSSEUp // the second half of a vector register
	classX87
	classMemory
)

// assignSysV locates parameters and the result by the System V ABI for AMD64, 3.2.3, and the
// Itanium C++ ABI, 3.1. An object that is not trivially copyable is passed by its address.
func (w *walk) assignSysV(f funcInfo) (params, results []location) {
	registers := intRegisters(abi.SysV().Arguments)
	vectors := 8
	stack := stackArea{base: abi.RSP, start: 8} // above the return address
	if len(f.results) > 0 {
		result, hidden := w.sysVResult(f.results[0])
		if hidden {
			registers.take()
		}
		results = []location{result}
	}

	lost := ""
	for _, p := range f.params {
		t := w.typeOf(p.typ)
		if lost == "" && p.typ.unit == nil {
			lost = "its type, or that of a parameter before it, is not known"
		}
		if lost != "" {
			params = append(params, missing(t.size, lost))
			continue
		}
		if w.byReference(t) {
			where := location{{size: 8, kind: pieceNumber}}
			if r := registers.take(); r != abi.NoRegister {
				where[0].expr = registerExpr(r)
			} else {
				where = stack.take(8, 8)
			}
			address, _ := where.number(0)
			params = append(params, inMemory(t.size, address))
			continue
		}
		classes, why := w.classifySysV(p.typ, t)
		if why != "" {
			lost = why
			params = append(params, missing(t.size, lost))
			continue
		}
		params = append(params, locateSysV(t.size, w.alignOf(p.typ), classes, &registers, &vectors, &stack))
	}
	return params, results
}

// locateSysV locates one parameter: in registers if enough are free for all of it, else on the
// stack.
func locateSysV(size, align uint64, classes []sysVClass, registers *intRegisters, vectors *int, stack *stackArea) location {
	if len(classes) == 0 {
		return missing(size, whyEmpty)
	}
	ints, floats := 0, 0
	for _, c := range classes {
		switch c {
		case classInteger:
			ints++
		case classSSE:
			floats++
		case classX87, classMemory:
			ints = 1 << 20
		}
	}

	if ints > len(*registers) || floats > *vectors {
		return stack.take(alignUp(size, 8), max(8, min(align, 64)))
	}
	*vectors -= floats
	var out location
	for i, c := range classes {
		switch c {
		case classInteger:
			out = append(out, piece{off: 8 * uint64(i), size: 8, kind: pieceNumber, expr: registerExpr(registers.take())})
		case classNone: // padding
		default:
			out = append(out, piece{off: 8 * uint64(i), size: 8, why: whyVector})
		}
	}
	return out
}

// sysVResult locates the result. hidden reports whether the caller passes an address for it, before
// the parameters.
func (w *walk) sysVResult(p parameter) (where location, hidden bool) {
	t := w.typeOf(p.typ)
	if w.byReference(t) {
		return inMemory(t.size, registerExpr(abi.RAX)), true
	}
	classes, why := w.classifySysV(p.typ, t)
	switch {
	case p.typ.unit == nil:
		return missing(0, whyOutside), false
	case why != "":
		return missing(t.size, why), false
	case len(classes) == 0:
		return missing(t.size, whyEmpty), false
	case classes[0] == classMemory:
		return inMemory(t.size, registerExpr(abi.RAX)), true
	}

	registers := intRegisters(abi.SysV().Results)
	for i, c := range classes {
		switch c {
		case classInteger:
			where = append(where, piece{off: 8 * uint64(i), size: 8, kind: pieceNumber, expr: registerExpr(registers.take())})
		case classNone:
		default:
			where = append(where, piece{off: 8 * uint64(i), size: 8, why: whyVector})
		}
	}
	return where, false
}

// classifySysV returns the classes of a type's eight bytes. It returns one classMemory if the type
// is on the stack as a whole, and none for an empty type. The text is the reason why it cannot, ""
// if it can.
func (w *walk) classifySysV(ref typeRef, t dwarfType) ([]sysVClass, string) {
	if t.shape == shapeUnknownType && t.tag != tagPtrToMember && t.tag != tagUnspecifiedType {
		return nil, t.why
	}
	size := t.size
	if t.tag == tagUnspecifiedType {
		size = 8
	}
	memory := []sysVClass{classMemory}
	wide := t.shape == shapeArray && t.vector && size <= 64
	if size > 16 && !wide {
		return memory, ""
	}
	classes := make([]sysVClass, (size+7)/8)
	onStack, any := false, false
	why := w.leaves(ref, 0, 0, func(l leaf) {
		any = true
		class := classInteger
		switch {
		case l.x87:
			class = classX87
		case l.float:
			class = classSSE
		}
		natural := l.size
		if l.size == 16 && !l.vector && !l.x87 {
			natural = 16
		}
		if !l.bits && natural > 0 && l.off%natural != 0 || l.off > size || l.size > size-l.off {
			onStack = true
			return
		}
		if l.size == 0 {
			return
		}
		for i := l.off / 8; i <= (l.off+l.size-1)/8; i++ {
			if l.vector && i > l.off/8 {
				class = classSSEUp
			}
			classes[i] = mergeSysV(classes[i], class)
		}
	})

	switch {
	case why != "":
		return nil, why
	case onStack:
		return memory, ""
	case !any:
		return nil, ""
	}

	for _, c := range classes {
		if c == classMemory {
			return memory, ""
		}
	}
	return classes, ""
}

func mergeSysV(a, b sysVClass) sysVClass {
	switch {
	case a == b || b == classNone:
		return a
	case a == classNone:
		return b
	case a == classMemory || b == classMemory:
		return classMemory
	case a == classInteger || b == classInteger:
		return classInteger
	case a == classX87 || b == classX87:
		return classMemory
	}
	return classSSE
}

// byReference reports whether objects of a type are passed by their address, because they cannot be
// copied byte by byte (Itanium C++ ABI, 1.1). Most compilers say so. For the others, byReference
// looks for special member functions.
func (w *walk) byReference(t dwarfType) bool {
	if w.isDeclaredString(t) {
		return true
	}
	return t.unit != nil && isCPlusPlus(t.unit.language) && w.notTrivial(t, 0)
}

func (w *walk) notTrivial(t dwarfType, depth int) bool {
	if t.shape != shapeStruct || depth == maxTypeDepth || !w.spend(1) {
		return false
	}
	switch t.convention {
	case callPassByReference:
		return true
	case callPassByValue:
		return false
	}

	found := false
	w.children(t.die, func(c die) bool {
		name := string(c.name)
		switch c.tag {
		case tagSubprogram:
			written := !c.artificial && !c.defaulted
			found = written && (strings.HasPrefix(name, "~") || name == withoutTemplate(t.name) && w.copies(c, t))
		case tagMember:
			found = strings.HasPrefix(name, "_vptr")
		}
		return !found
	})
	if found {
		return true
	}
	for _, m := range w.members(t) {
		inner := w.typeOf(m.typ)
		for range maxTypeDepth {
			if inner.shape != shapeArray {
				break
			}
			inner = w.typeOf(inner.elem)
		}
		if m.computed || w.notTrivial(inner, depth+1) {
			return true
		}
	}
	return false
}

// withoutTemplate cuts the template arguments from the name of a class, since constructors are
// named without them.
func withoutTemplate(name string) string {
	name, _, _ = strings.Cut(name, "<")
	return name
}

// copies reports whether a constructor of t has one parameter besides the object, a reference to a
// t.
func (w *walk) copies(constructor die, t dwarfType) bool {
	n, same := 0, false
	w.children(constructor, func(c die) bool {
		if c.tag == tagFormalParameter {
			n++
			ref := w.typeOf(typeRef{dieRef: c.typ})
			same = n == 2 && ref.shape == shapeReference && w.typeOf(ref.elem).dieRef == t.dieRef
		}
		return n < 3
	})
	return n == 2 && same
}
