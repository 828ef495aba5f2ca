package dwarf

import (
	"debug/elf"

	"utrace/record/internal/cursor"
)

// unwindRules are the unwind rules at one address, as far as they distinguish a function's first
// instruction from others (DWARF 5, 6.4).
type unwindRules struct {
	machine      elf.Machine
	dataAlign    int64
	returnColumn uint64

	// The frame's address (CFA) is this register plus offset.
	register uint64
	offset   int64
	computed bool // by an expression instead

	saved     bool // a register other than the return address has been saved
	noReturn  bool // there is no return address: the outermost function
	signed    bool // the return address is signed (arm64)
	undefined bool // there was an unknown instruction
}

func newUnwindRules(m elf.Machine) unwindRules { return unwindRules{machine: m} }

// atEntry reports whether the rules are those right after a call.
func (r *unwindRules) atEntry() bool {
	const rsp, sp = 7, 31
	if r.computed || r.saved || r.noReturn || r.signed || r.undefined {
		return false
	}
	if r.machine == elf.EM_AARCH64 {
		return r.register == sp && r.offset == 0
	}
	return r.register == rsp && r.offset == 8
}

// run executes instructions up to the first that moves on to another address, or to the end (DWARF
// 5, 6.4.2).
func (r *unwindRules) run(c *cursor.Cursor) {
	for c.Left() > 0 && !c.Bad && !r.undefined {
		if op := c.Byte(); !r.step(c, op) {
			return
		}
	}
}

// step executes an instruction. It returns false for one that moves on.
func (r *unwindRules) step(c *cursor.Cursor, op byte) bool {
	const (
		advanceLoc, offset, restore                                  = 0x40, 0x80, 0xc0
		nop, setLoc, advance1, advance2, advance4                    = 0x00, 0x01, 0x02, 0x03, 0x04
		offsetExtended, restoreExtended, undefined, sameValue        = 0x05, 0x06, 0x07, 0x08
		register, rememberState, restoreState                        = 0x09, 0x0a, 0x0b
		defCFA, defCFARegister, defCFAOffset, defCFAExpression       = 0x0c, 0x0d, 0x0e, 0x0f
		expression, offsetExtendedSF, defCFASF, defCFAOffsetSF       = 0x10, 0x11, 0x12, 0x13
		valOffset, valOffsetSF, valExpression                        = 0x14, 0x15, 0x16
		negateRAState, negateRAStateWithPC, argsSize, negativeOffset = 0x2d, 0x2c, 0x2e, 0x2f
	)

	switch op & 0xc0 {
	case advanceLoc:
		return false
	case offset:
		r.save(uint64(op & 0x3f))
		c.Uleb()
		return true
	case restore:
		return true
	}

	switch op {
	case nop, rememberState, restoreState:
	case setLoc, advance1, advance2, advance4:
		return false
	case restoreExtended, sameValue, argsSize:
		c.Uleb()
	case undefined:
		if c.Uleb() == r.returnColumn {
			r.noReturn = true
		}
	case register, offsetExtended, valOffset, negativeOffset:
		r.save(c.Uleb())
		c.Uleb()
	case offsetExtendedSF, valOffsetSF:
		r.save(c.Uleb())
		c.Sleb()
	case expression, valExpression:
		r.save(c.Uleb())
		c.Skip(c.Uleb())
	case defCFA:
		r.register, r.offset = c.Uleb(), int64(c.Uleb())
	case defCFASF:
		r.register, r.offset = c.Uleb(), c.Sleb()*r.dataAlign
	case defCFARegister:
		r.register = c.Uleb()
	case defCFAOffset:
		r.offset = int64(c.Uleb())
	case defCFAOffsetSF:
		r.offset = c.Sleb() * r.dataAlign
	case defCFAExpression:
		r.computed = true
		c.Skip(c.Uleb())
	case negateRAState, negateRAStateWithPC:
		r.signed = !r.signed
	default:
		r.undefined = true
	}
	return true
}

// save notes that a register is not where the caller left it. The return address of x86-64 does not
// count, since the call itself stores it in memory.
func (r *unwindRules) save(register uint64) {
	if r.machine != elf.EM_X86_64 || register != r.returnColumn {
		r.saved = true
	}
}
