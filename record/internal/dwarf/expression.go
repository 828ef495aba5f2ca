package dwarf

import (
	"debug/elf"

	"utrace/record/internal/abi"
	"utrace/record/internal/cursor"
)

// Operations of DWARF expressions (DWARF 5, 7.7.1), and GNU's from before they were standard.
const (
	opAddr           = 0x03
	opDeref          = 0x06
	opConst1u        = 0x08
	opConsts         = 0x11
	opPlus           = 0x22
	opPlusUconst     = 0x23
	opMinus          = 0x1c
	opNot            = 0x20
	opLit0           = 0x30
	opReg0           = 0x50
	opBreg0          = 0x70
	opRegx           = 0x90
	opFbreg          = 0x91
	opBregx          = 0x92
	opPiece          = 0x93
	opNop            = 0x96
	opCallFrameCFA   = 0x9c
	opBitPiece       = 0x9d
	opImplicitValue  = 0x9e
	opStackValue     = 0x9f
	opImplicitPtr    = 0xa0
	opAddrx          = 0xa1
	opEntryValue     = 0xa3
	opGNUImplicitPtr = 0xf2
	opGNUEntryValue  = 0xf3
	opGNUParamRef    = 0xfa
	opFormTLSAddress = 0x9b
	opGNUTLSAddress  = 0xe0

	maxExprOps   = 64
	maxExprParts = 16
	maxListWork  = 1 << 16 // entries of one location list
)

// entryState is the state at the entry of a function. Expressions for the locations of its
// parameters are evaluated in it.
type entryState struct {
	machine elf.Machine
	// If frameIsCFA, DW_OP_fbreg counts from the call frame address (CFA): the stack pointer before
	// the call.
	frameIsCFA bool
}

// cfa is the call frame address. On x86-64 it is just above the return address.
func (s entryState) cfa() expr {
	if s.machine == elf.EM_AARCH64 {
		return registerExpr(abi.SPARM64)
	}
	return expr{base: abi.RSP, disp: 8}
}

// evalLocation returns the location of a value of size bytes, by a DWARF expression.
func (d *Info) evalLocation(u *infoUnit, code []byte, size uint64, s entryState) location {
	ev := evaluator{Info: d, unit: u, state: s, size: size}
	return ev.run(code)
}

// evaluator runs a DWARF expression on symbolic numbers.
type evaluator struct {
	*Info
	unit  *infoUnit
	state entryState
	size  uint64
	stack []expr
}

// run runs an expression and returns the location that it describes.
func (ev *evaluator) run(code []byte) location {
	c := cursor.Cursor{Bytes: code}
	var out location
	pending := piece{kind: pieceMissing, why: whyGone} // of the next piece
	some := false                                      // pending is set
	for ops := 0; c.Left() > 0; ops++ {
		if ops == maxExprOps || len(out) == maxExprParts {
			return missing(ev.size, whyUnknownLocation)
		}
		op := c.Byte()
		switch {
		case op == opPiece:
			if !some && len(ev.stack) > 0 {
				pending = piece{kind: pieceMemory, expr: ev.pop()}
			}
			pending.size = c.Uleb()
			for _, p := range out {
				pending.off = p.off + p.size
			}
			if pending.size > 1<<16 {
				return missing(ev.size, whyUnknownLocation)
			}
			out = append(out, pending)
			pending, some = piece{kind: pieceMissing, why: whyGone}, false
		case op >= opReg0 && op < opReg0+32 || op == opRegx:
			n := uint64(op - opReg0)
			if op == opRegx {
				n = c.Uleb()
			}
			pending, some = ev.register(n), true
		case op == opStackValue:
			pending, some = piece{kind: pieceNumber, expr: ev.pop()}, true
		case op == opImplicitValue:
			n := c.Uleb()
			if n == 0 || n > 8 || n > c.Left() {
				return missing(ev.size, whyUnknownLocation)
			}
			pending, some = piece{kind: pieceNumber, expr: constantExpr(int64(c.Uint(n)))}, true
		case op == opFormTLSAddress || op == opGNUTLSAddress:
			return missing(ev.size, whyThreadLocal)
		case op == opImplicitPtr || op == opGNUImplicitPtr || op == opGNUParamRef:
			return missing(ev.size, whyGone)
		default:
			if !ev.step(&c, op) {
				return missing(ev.size, whyUnknownLocation)
			}
		}
		if c.Bad {
			return missing(ev.size, whyUnknownLocation)
		}
	}

	if out != nil {
		return out
	}
	switch {
	case some:
	case len(ev.stack) > 0:
		pending = piece{kind: pieceMemory, expr: ev.pop()}
	}
	pending.size = max(ev.size, 1)
	if pending.kind == pieceNumber && pending.size > 8 {
		return missing(ev.size, whyUnknownLocation)
	}
	return location{pending}
}

// register is the piece in DWARF register n.
func (ev *evaluator) register(n uint64) piece {
	if r := abi.FromDWARF(ev.machine, n); r != abi.NoRegister {
		return piece{kind: pieceNumber, expr: registerExpr(r)}
	}
	return piece{why: whyVector}
}

func (ev *evaluator) pop() expr {
	if len(ev.stack) == 0 {
		return constantExpr(0)
	}
	e := ev.stack[len(ev.stack)-1]
	ev.stack = ev.stack[:len(ev.stack)-1]
	return e
}

// step runs an operation that works on the stack. It returns false if it does not know the
// operation.
func (ev *evaluator) step(c *cursor.Cursor, op byte) bool {
	push := func(e expr) bool {
		ev.stack = append(ev.stack, e)
		return true
	}
	switch {
	case op >= opLit0 && op < opLit0+32:
		return push(constantExpr(int64(op - opLit0)))
	case op >= opConst1u && op <= opConsts:
		return push(constantExpr(exprConstant(c, op)))
	case op >= opBreg0 && op < opBreg0+32 || op == opBregx:
		n := uint64(op - opBreg0)
		if op == opBregx {
			n = c.Uleb()
		}
		r := abi.FromDWARF(ev.machine, n)
		return r != abi.NoRegister && push(expr{base: r, disp: c.Sleb()})
	case op == opFbreg:
		return ev.state.frameIsCFA && push(ev.state.cfa().plus(c.Sleb()))
	case op == opCallFrameCFA:
		return push(ev.state.cfa())
	case op == opAddr:
		return push(expr{base: abi.NoRegister, disp: int64(c.Uint(ev.unit.addrSize)), relative: true})
	case op == opAddrx:
		a := ev.unit.indexed(ev.data.Addr, ev.unit.addrBase, c.Uleb(), ev.unit.addrSize)
		return push(expr{base: abi.NoRegister, disp: int64(a), relative: true})
	case op == opNop:
		return true
	case op == opEntryValue || op == opGNUEntryValue:
		return ev.entryValue(c)
	}

	if len(ev.stack) == 0 {
		return false
	}
	switch op {
	case opDeref:
		e := ev.pop()
		return len(e.derefs) < abi.MaxLoads && push(e.load())
	case opNot: // Clang 19.1 writes all ones as DW_OP_lit0, DW_OP_not
		e := ev.pop()
		return e.isConstant() && push(constantExpr(^e.disp))
	case opPlusUconst:
		return push(ev.pop().plus(int64(c.Uleb())))
	case opPlus, opMinus:
		b := ev.pop()
		if len(ev.stack) == 0 {
			return false
		}
		a := ev.pop()
		switch {
		case b.isConstant() && op == opPlus:
			return push(a.plus(b.disp))
		case b.isConstant():
			return push(a.plus(-b.disp))
		case a.isConstant() && op == opPlus:
			return push(b.plus(a.disp))
		}
	}
	return false
}

// entryValue reads an expression for the value at the entry of the function, which is now. It must
// be a register.
func (ev *evaluator) entryValue(c *cursor.Cursor) bool {
	n := c.Uleb()
	end := c.Off + n
	if n == 0 || n > c.Left() {
		return false
	}
	op := c.Byte()
	reg := uint64(op - opReg0)
	switch {
	case op == opRegx:
		reg = c.Uleb()
	case op < opReg0 || op >= opReg0+32:
		return false
	}
	r := abi.FromDWARF(ev.machine, reg)
	if r == abi.NoRegister || c.Off != end {
		return false
	}
	ev.stack = append(ev.stack, registerExpr(r))
	return true
}

// exprConstant reads the operand of DW_OP_const1u up to DW_OP_consts.
func exprConstant(c *cursor.Cursor, op byte) int64 {
	switch op - opConst1u {
	case 0:
		return int64(c.Uint(1))
	case 1:
		return int64(int8(c.Uint(1)))
	case 2:
		return int64(c.Uint(2))
	case 3:
		return int64(int16(c.Uint(2)))
	case 4:
		return int64(c.Uint(4))
	case 5:
		return int64(int32(c.Uint(4)))
	case 6, 7:
		return int64(c.Uint(8))
	case 8:
		return int64(c.Uleb())
	}
	return c.Sleb()
}
