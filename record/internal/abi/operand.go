package abi

import (
	"debug/elf"
	"fmt"
	"strings"
)

// Operand says where a value is when a probe is passed: an argument of a static probe, a parameter of a function, or a part of one. It is
// fetched so:
//
//	Constant    Disp.
//	InRegister  the register Base (its second byte for HighByte), shifted right by Shift bits.
//	InMemory    A = Base + Index*Scale + Disp, plus the load bias for Relative. Then for each d of Derefs, in order: A = the 8 bytes
//	            of memory at A, plus d. The value is in memory at A.
//	AddressOf   A, computed as for InMemory: nothing is loaded at the end. The value is the address itself.
//
// Of all kinds the low Size bytes count, extended by the sign if Signed says so. There are at most MaxLoads loads, the last one included: an
// operand in memory has at most MaxLoads-1 Derefs.
type Operand struct {
	Text   string // as the note has it, "-4@%edi"; "" if it does not come from a note
	Size   uint8  // of the argument in bytes: 1, 2, 4 or 8; 0 in an unreadable one of another size
	Signed bool
	Float  bool
	Kind   OperandKind
	Base   Register // InRegister: the register; InMemory: the base, or NoRegister
	Index  Register // InMemory: the index, or NoRegister
	Scale  uint8    // of Index: 1, 2, 4 or 8
	// IndexLow says that the low 32 bits of Index count alone, and IndexSigned that they are signed (aarch64's uxtw and sxtw).
	IndexLow, IndexSigned bool
	HighByte              bool    // InRegister: bits 8 to 15 of it (%ah and its like)
	Shift                 uint8   // InRegister: 0 to 56; a struct in a register holds a member there
	Disp                  int64   // Constant: the value, to be cut to Size; InMemory and AddressOf: the displacement
	Derefs                []int64 // InMemory and AddressOf: what is added after each load on the way
	// Relative says of an operand InMemory or AddressOf that Disp is a virtual address of the file (a global variable): the load
	// bias of the process is to be added.
	Relative bool
	// Unreadable tells why the argument cannot be fetched, "" if it can. Only Text counts then.
	Unreadable string
}

// OperandKind says what kind of place an operand is.
type OperandKind uint8

// The kinds of operands.
const (
	Constant OperandKind = iota
	InRegister
	InMemory
	AddressOf
)

// MaxLoads is how many loads from memory an operand takes at most.
const MaxLoads = 4

// PlaceName writes where a value is: "%edi", "8(%rsp)"; "*(16(%rdi))" is what the pointer there leads to.
func (op Operand) LocationName(machine elf.Machine) string {
	switch {
	case op.Unreadable != "":
		return "nowhere: " + op.Unreadable
	case op.Text != "":
		return op.Text
	case op.Kind == Constant:
		return fmt.Sprintf("$%d", op.Disp)
	case op.Kind == InRegister:
		name := "%" + registerName(op.Base, machine)
		if op.Shift > 0 {
			name += fmt.Sprintf(">>%d", op.Shift)
		}
		return fmt.Sprintf("%s, %d bytes", name, op.Size)
	}
	var b strings.Builder
	if op.Disp != 0 || op.Base == NoRegister {
		fmt.Fprintf(&b, "%#x", op.Disp)
	}
	switch {
	case op.Relative:
		b.WriteString("(%rip)")
	case op.Base != NoRegister:
		fmt.Fprintf(&b, "(%%%s)", registerName(op.Base, machine))
	}
	place := b.String()
	for _, d := range op.Derefs {
		place = fmt.Sprintf("*(%s)", place)
		if d != 0 {
			place += fmt.Sprintf("+%#x", d)
		}
	}
	if op.Kind == AddressOf {
		return "&" + place
	}
	return fmt.Sprintf("%s, %d bytes", place, op.Size)
}
