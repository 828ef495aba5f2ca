package elffile

import "debug/elf"

// expr computes a number: A = base + disp, plus the load bias if relative. Then for each d of derefs A = the 8 bytes of memory at A, plus d.
type expr struct {
	base     Register
	disp     int64
	relative bool
	derefs   []int64
}

func constantExpr(v int64) expr { return expr{base: NoRegister, disp: v} }

func registerExpr(r Register) expr { return expr{base: r} }

// isRegister says that the number is that of a register as it is.
func (e expr) isRegister() bool { return e.base != NoRegister && e.disp == 0 && len(e.derefs) == 0 }

func (e expr) isConstant() bool { return e.base == NoRegister && !e.relative && len(e.derefs) == 0 }

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
type place []part

// part is where some bytes of a value are.
type part struct {
	off, size uint64 // in the value
	kind      partKind
	expr      expr   // of partNumber the bytes themselves, as a number; of partMemory their address
	skip      uint64 // of partNumber: bytes of the number before those of the value
	why       string // of partMissing
}

type partKind uint8

const (
	partMissing partKind = iota
	partNumber
	partMemory
)

// Reasons why a value cannot be fetched.
const (
	whyGone        = "optimised out: it is nowhere when the function is entered"
	whyVector      = "it is in a floating-point register, which a probe cannot read"
	whyDeep        = "it takes more than 4 loads from memory"
	whyEmpty       = "it is empty"
	whySplit       = "it is in several places"
	whyNotInPlace  = "the compiler says where it is in a way that is not understood"
	whyNotMemory   = "it is in registers, and has no address"
	whyThreadLocal = "it is thread-local"
)

func missing(size uint64, why string) place { return place{{size: max(size, 1), why: why}} }

func inMemory(size uint64, address expr) place {
	return place{{size: max(size, 1), kind: partMemory, expr: address}}
}

// known says that all bytes of a value are somewhere.
func (p place) known(size uint64) bool {
	end := uint64(0)
	for _, part := range p {
		if part.kind == partMissing || part.off > end {
			return false
		}
		end = max(end, part.off+part.size)
	}
	return end >= size && len(p) > 0
}

// at returns the part that has the bytes from off up to off+size, or why there is none.
func (p place) at(off, size uint64) (part, string) {
	for _, part := range p {
		if off < part.off || off-part.off >= part.size {
			continue
		}
		switch {
		case part.kind == partMissing:
			return part, part.why
		case part.size < size || off-part.off > part.size-size:
			return part, whySplit
		}
		return part, ""
	}
	return part{}, whyGone
}

// number returns the 8 bytes at off, mostly a pointer.
func (p place) number(off uint64) (expr, string) {
	part, why := p.at(off, 8)
	switch {
	case why != "":
		return expr{}, why
	case part.kind == partMemory:
		return part.expr.plus(int64(off - part.off)).load(), ""
	case off != part.off || part.skip != 0:
		return expr{}, whySplit
	}
	return part.expr, ""
}

// sub is the place of the bytes from off up to off+size.
func (p place) sub(off, size uint64) place {
	part, why := p.at(off, max(size, 1))
	switch {
	case why == whySplit:
		var out place
		for _, part := range p {
			if part.off+part.size > off && part.off < off+size && part.off >= off {
				part.off -= off
				out = append(out, part)
			}
		}
		return out
	case why != "":
		return missing(size, why)
	case part.kind == partMemory:
		return inMemory(size, part.expr.plus(int64(off-part.off)))
	}
	return place{{size: max(size, 1), kind: partNumber, expr: part.expr, skip: part.skip + off - part.off}}
}

// operand makes an operand of the size bytes at off.
func (p place) operand(off, size uint64, signed bool) (Operand, string) {
	part, why := p.at(off, size)
	if why != "" {
		return Operand{}, why
	}
	if size != 1 && size != 2 && size != 4 && size != 8 {
		return Operand{}, "it has a size that cannot be read: 1, 2, 4 or 8 bytes can"
	}
	if part.kind == partMemory {
		op := addressOperand(part.expr.plus(int64(off - part.off)))
		op.Kind, op.Size, op.Signed = InMemory, uint8(size), signed
		if len(op.Derefs) >= MaxLoads {
			return Operand{}, whyDeep
		}
		return op, ""
	}
	op := numberOperand(part.expr)
	op.Size, op.Signed = uint8(size), signed
	if len(op.Derefs) >= MaxLoads {
		return Operand{}, whyDeep
	}
	shift := 8 * (part.skip + off - part.off)
	switch {
	case shift == 0:
	case shift >= 64:
		return Operand{}, whyNotInPlace
	case op.Kind == InRegister:
		op.Shift = uint8(shift)
	case op.Kind == Constant:
		op.Disp >>= shift
	case op.Kind == InMemory && len(op.Derefs) > 0:
		op.Derefs = append([]int64(nil), op.Derefs...)
		op.Derefs[len(op.Derefs)-1] += int64(shift / 8)
	case op.Kind == InMemory:
		op.Disp += int64(shift / 8)
	default:
		return Operand{}, whyNotInPlace
	}
	return op, ""
}

// numberOperand makes an operand of 8 bytes whose value is the number.
func numberOperand(e expr) Operand {
	op := addressOperand(e)
	switch n := len(e.derefs); {
	case e.isRegister():
		op.Kind = InRegister
	case e.isConstant():
		op.Kind = Constant
	case n > 0 && e.derefs[n-1] == 0:
		op.Kind, op.Derefs = InMemory, op.Derefs[:n-1]
	}
	if len(op.Derefs) == 0 {
		op.Derefs = nil
	}
	return op
}

func addressOperand(e expr) Operand {
	op := Operand{Kind: AddressOf, Size: 8, Base: e.base, Index: NoRegister, Scale: 1, Disp: e.disp, Relative: e.relative}
	if len(e.derefs) > 0 {
		op.Derefs = e.derefs[:len(e.derefs):len(e.derefs)]
	}
	return op
}

// dwarfRegister returns the general register of a DWARF number (System V ABI for AMD64, figure 3.36; DWARF for the Arm 64-bit
// Architecture, table 1).
func dwarfRegister(machine elf.Machine, n uint64) Register {
	if machine == elf.EM_AARCH64 {
		if n <= 31 {
			return Register(n)
		}
		return NoRegister
	}
	x86 := [...]Register{regAX, regDX, regCX, regBX, regSI, regDI, regBP, regSP, regR8, regR9, regR10, regR11, 3, 2, 1, 0}
	if n < uint64(len(x86)) {
		return x86[n]
	}
	return NoRegister
}

// Registers of x86-64, as Register numbers them.
const (
	regBP  Register = 4
	regBX  Register = 5
	regR11 Register = 6
	regR10 Register = 7
	regR9  Register = 8
	regR8  Register = 9
	regAX  Register = 10
	regCX  Register = 11
	regDX  Register = 12
	regSI  Register = 13
	regDI  Register = 14
	regSP  Register = 19
)
