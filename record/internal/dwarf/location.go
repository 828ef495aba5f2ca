package dwarf

import (
	"utrace/record/internal/abi"
)

// expr computes a number: A = base + disp, plus the load bias if relative. Then for each d of derefs A = the 8 bytes of memory at A, plus d.
type expr struct {
	base     abi.Register
	disp     int64
	relative bool
	derefs   []int64
}

func constantExpr(v int64) expr { return expr{base: abi.NoRegister, disp: v} }

func registerExpr(r abi.Register) expr { return expr{base: r} }

// isRegister says that the number is that of a register as it is.
func (e expr) isRegister() bool { return e.base != abi.NoRegister && e.disp == 0 && len(e.derefs) == 0 }

func (e expr) isConstant() bool { return e.base == abi.NoRegister && !e.relative && len(e.derefs) == 0 }

// plus adds to the number.
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

// place is where the bytes of a value are. Its parts do not overlap and are in order.
type location []piece

// part is where some bytes of a value are.
type piece struct {
	off, size uint64 // in the value
	kind      pieceKind
	expr      expr   // of partNumber the bytes themselves, as a number; of partMemory their address
	skip      uint64 // of partNumber: bytes of the number before those of the value
	why       string // of partMissing
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
	whySplit           = "it is in several places"
	whyUnknownLocation = "the compiler says where it is in a way that is not understood"
	whyNotMemory       = "it is in registers, and has no address"
	whyThreadLocal     = "it is thread-local"
)

func missing(size uint64, why string) location { return location{{size: max(size, 1), why: why}} }

func inMemory(size uint64, address expr) location {
	return location{{size: max(size, 1), kind: pieceMemory, expr: address}}
}

// known says that all bytes of a value are somewhere.
func (p location) complete(size uint64) bool {
	end := uint64(0)
	for _, part := range p {
		if part.kind == pieceMissing || part.off > end {
			return false
		}
		end = max(end, part.off+part.size)
	}
	return end >= size && len(p) > 0
}

// at returns the part that has the bytes from off up to off+size, or why there is none.
func (p location) at(off, size uint64) (piece, string) {
	for _, part := range p {
		if off < part.off || off-part.off >= part.size {
			continue
		}
		switch {
		case part.kind == pieceMissing:
			return part, part.why
		case part.size < size || off-part.off > part.size-size:
			return part, whySplit
		}
		return part, ""
	}
	return piece{}, whyGone
}

// number returns the 8 bytes at off, mostly a pointer.
func (p location) number(off uint64) (expr, string) {
	part, why := p.at(off, 8)
	switch {
	case why != "":
		return expr{}, why
	case part.kind == pieceMemory:
		return part.expr.plus(int64(off - part.off)).load(), ""
	case off != part.off || part.skip != 0:
		return expr{}, whySplit
	}
	return part.expr, ""
}

// sub is the place of the bytes from off up to off+size.
func (p location) sub(off, size uint64) location {
	part, why := p.at(off, max(size, 1))
	switch {
	case why == whySplit:
		var out location
		for _, part := range p {
			if part.off+part.size > off && part.off < off+size && part.off >= off {
				part.off -= off
				out = append(out, part)
			}
		}
		return out
	case why != "":
		return missing(size, why)
	case part.kind == pieceMemory:
		return inMemory(size, part.expr.plus(int64(off-part.off)))
	}
	return location{{size: max(size, 1), kind: pieceNumber, expr: part.expr, skip: part.skip + off - part.off}}
}

// operand makes an operand of the size bytes at off.
func (p location) operand(off, size uint64, signed bool) (abi.Operand, string) {
	part, why := p.at(off, size)
	if why != "" {
		return abi.Operand{}, why
	}
	if size != 1 && size != 2 && size != 4 && size != 8 {
		return abi.Operand{}, "it has a size that cannot be read: 1, 2, 4 or 8 bytes can"
	}
	if part.kind == pieceMemory {
		op := addressOperand(part.expr.plus(int64(off - part.off)))
		op.Kind, op.Size, op.Signed = abi.InMemory, uint8(size), signed
		if len(op.Derefs) >= abi.MaxLoads {
			return abi.Operand{}, whyDeep
		}
		return op, ""
	}
	op := numberOperand(part.expr)
	op.Size, op.Signed = uint8(size), signed
	if len(op.Derefs) >= abi.MaxLoads {
		return abi.Operand{}, whyDeep
	}
	shift := 8 * (part.skip + off - part.off)
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

func addressOperand(e expr) abi.Operand {
	op := abi.Operand{Kind: abi.AddressOf, Size: 8, Base: e.base, Index: abi.NoRegister, Scale: 1, Disp: e.disp, Relative: e.relative}
	if len(e.derefs) > 0 {
		op.Derefs = e.derefs[:len(e.derefs):len(e.derefs)]
	}
	return op
}
