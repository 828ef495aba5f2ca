package dwarf

import (
	"utrace/record/internal/abi"
)

// expr is a symbolic number. First A = base + disp, plus the load bias if relative. Then, for each
// d of derefs, A becomes the 8 bytes of memory at A, plus d. The number is A.
type expr struct {
	base     abi.Register
	disp     int64
	relative bool
	derefs   []int64
}

func constantExpr(v int64) expr { return expr{base: abi.NoRegister, disp: v} }

func registerExpr(r abi.Register) expr { return expr{base: r} }

// isRegister reports whether the number is the unchanged value of a register.
func (e expr) isRegister() bool { return e.base != abi.NoRegister && e.disp == 0 && len(e.derefs) == 0 }

func (e expr) isConstant() bool { return e.base == abi.NoRegister && !e.relative && len(e.derefs) == 0 }

// plus adds n to the number.
func (e expr) plus(n int64) expr {
	if len(e.derefs) == 0 {
		e.disp += n
		return e
	}
	derefs := append([]int64(nil), e.derefs...)
	derefs[len(derefs)-1] += n
	e.derefs = derefs
	return e
}

// load is the 8 bytes of memory at the number.
func (e expr) load() expr {
	e.derefs = append(append([]int64(nil), e.derefs...), 0)
	return e
}

// location is where the bytes of a value are. Its pieces do not overlap and are in order.
type location []piece

// piece is where some bytes of a value are.
type piece struct {
	off, size uint64 // in the value
	kind      pieceKind
	expr      expr   // of pieceNumber: the bytes themselves, as a number; of pieceMemory: their address
	skip      uint64 // of pieceNumber: bytes of the number before those of the value
	why       string // of pieceMissing
}

type pieceKind uint8

const (
	pieceMissing pieceKind = iota
	pieceNumber
	pieceMemory
)

// Reasons why a value cannot be fetched.
const (
	whyGone            = "optimised out: it is nowhere when the function is entered"
	whyVector          = "it is in a floating-point register, which a probe cannot read"
	whyDeep            = "it takes more than 4 loads from memory"
	whyEmpty           = "it is empty"
	whySplit           = "it is split over several locations"
	whyUnknownLocation = "the compiler describes its location in a way that is not understood"
	whyNotMemory       = "it is in registers, and has no address"
	whyThreadLocal     = "it is thread-local"
)

func missing(size uint64, why string) location { return location{{size: max(size, 1), why: why}} }

func inMemory(size uint64, address expr) location {
	return location{{size: max(size, 1), kind: pieceMemory, expr: address}}
}

// complete reports whether all bytes of a value are somewhere.
func (l location) complete(size uint64) bool {
	end := uint64(0)
	for _, pc := range l {
		if pc.kind == pieceMissing || pc.off > end {
			return false
		}
		end = max(end, pc.off+pc.size)
	}
	return end >= size && len(l) > 0
}

// at returns the piece that has the bytes from off to off+size, or the reason why there is none.
func (l location) at(off, size uint64) (piece, string) {
	for _, pc := range l {
		if off < pc.off || off-pc.off >= pc.size {
			continue
		}
		switch {
		case pc.kind == pieceMissing:
			return pc, pc.why
		case pc.size < size || off-pc.off > pc.size-size:
			return pc, whySplit
		}
		return pc, ""
	}
	return piece{}, whyGone
}

// number returns the 8 bytes at off, which are mostly a pointer.
func (l location) number(off uint64) (expr, string) {
	pc, why := l.at(off, 8)
	switch {
	case why != "":
		return expr{}, why
	case pc.kind == pieceMemory:
		return pc.expr.plus(int64(off - pc.off)).load(), ""
	case off != pc.off || pc.skip != 0:
		return expr{}, whySplit
	}
	return pc.expr, ""
}

// sub is the location of the bytes from off to off+size.
func (l location) sub(off, size uint64) location {
	pc, why := l.at(off, max(size, 1))
	switch {
	case why == whySplit:
		var out location
		for _, pc := range l {
			if pc.off+pc.size > off && pc.off < off+size && pc.off >= off {
				pc.off -= off
				out = append(out, pc)
			}
		}
		return out
	case why != "":
		return missing(size, why)
	case pc.kind == pieceMemory:
		return inMemory(size, pc.expr.plus(int64(off-pc.off)))
	}
	return location{{size: max(size, 1), kind: pieceNumber, expr: pc.expr, skip: pc.skip + off - pc.off}}
}

// operand makes an operand of the size bytes at off. The text is the reason why it cannot, "" if it
// can.
func (l location) operand(off, size uint64, signed bool) (abi.Operand, string) {
	pc, why := l.at(off, size)
	if why != "" {
		return abi.Operand{}, why
	}
	if size != 1 && size != 2 && size != 4 && size != 8 {
		return abi.Operand{}, "it has a size that cannot be read: 1, 2, 4 or 8 bytes can"
	}
	if pc.kind == pieceMemory {
		op := addressOperand(pc.expr.plus(int64(off - pc.off)))
		op.Kind, op.Size, op.Signed = abi.InMemory, uint8(size), signed
		if len(op.Derefs) >= abi.MaxLoads {
			return abi.Operand{}, whyDeep
		}
		return op, ""
	}

	op := numberOperand(pc.expr)
	op.Size, op.Signed = uint8(size), signed
	if len(op.Derefs) >= abi.MaxLoads {
		return abi.Operand{}, whyDeep
	}
	shift := 8 * (pc.skip + off - pc.off)
	switch {
	case shift == 0:
	case shift >= 64:
		return abi.Operand{}, whyUnknownLocation
	case op.Kind == abi.InRegister:
		op.Shift = uint8(shift)
	case op.Kind == abi.Constant:
		op.Disp >>= shift
	case op.Kind == abi.InMemory && len(op.Derefs) > 0:
		op.Derefs = append([]int64(nil), op.Derefs...)
		op.Derefs[len(op.Derefs)-1] += int64(shift / 8)
	case op.Kind == abi.InMemory:
		op.Disp += int64(shift / 8)
	default:
		return abi.Operand{}, whyUnknownLocation
	}
	return op, ""
}

// numberOperand makes an operand of 8 bytes whose value is the number.
func numberOperand(e expr) abi.Operand {
	op := addressOperand(e)
	switch n := len(e.derefs); {
	case e.isRegister():
		op.Kind = abi.InRegister
	case e.isConstant():
		op.Kind = abi.Constant
	case n > 0 && e.derefs[n-1] == 0:
		op.Kind, op.Derefs = abi.InMemory, op.Derefs[:n-1]
	}
	if len(op.Derefs) == 0 {
		op.Derefs = nil
	}
	return op
}

// addressOperand makes an operand whose value is an address: the number.
func addressOperand(e expr) abi.Operand {
	op := abi.Operand{Kind: abi.AddressOf, Size: 8, Base: e.base, Index: abi.NoRegister, Scale: 1, Disp: e.disp, Relative: e.relative}
	if len(e.derefs) > 0 {
		op.Derefs = e.derefs[:len(e.derefs):len(e.derefs)]
	}
	return op
}
