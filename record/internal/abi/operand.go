package abi

import (
	"debug/elf"
	"fmt"
	"strings"
)

// Operand says where a value is when a probe fires: an argument of a USDT probe, a parameter of a
// function, or a part of one. Its value is:
//
//	Constant    Disp.
//	InRegister  Register Base (its second byte with HighByte), shifted right by Shift bits.
//	InMemory    First A = Base + Index*Scale + Disp, plus the load bias with Relative. Then, for
//	            each d of Derefs in order, A becomes the 8 bytes of memory at A, plus d.
//	            The value is the memory at A.
//	AddressOf   A itself, computed as for InMemory. The memory at A is not loaded.
//
// Only the low Size bytes of the value count. They are extended by their sign with Signed. At most
// MaxLoads loads are needed, including the last: an operand in memory has at most MaxLoads-1
// Derefs.
type Operand struct {
	Text   string // as the note of a USDT probe has it, "-4@%edi"; else ""
	Size   uint8  // in bytes: 1, 2, 4 or 8; 0 in an unreadable operand of another size
	Signed bool
	Float  bool
	Kind   OperandKind
	Base   Register // InRegister: the register; InMemory: the base, or NoRegister
	Index  Register // InMemory: the index, or NoRegister
	Scale  uint8    // of Index: 1, 2, 4 or 8
	// IndexLow reports whether only the low 32 bits of Index count. IndexSigned reports whether
	// they are signed (aarch64's uxtw and sxtw).
	IndexLow, IndexSigned bool
	HighByte              bool    // InRegister: bits 8 to 15 (%ah and the like)
	Shift                 uint8   // InRegister: 0 to 56, where a struct in a register holds a member
	Disp                  int64   // Constant: the value, to be cut to Size; InMemory and AddressOf: the displacement
	Derefs                []int64 // InMemory and AddressOf: added after each intermediate load
	// If Relative, Disp is a virtual address of the file, of a global variable: the load bias of
	// the process is added. It is only set with InMemory and AddressOf.
	Relative bool
	// Unreadable is the reason why the value cannot be fetched, "" if it can. With a reason, only
	// Text counts.
	Unreadable string
}

// OperandKind is the kind of location that an operand names.
type OperandKind uint8

// The kinds of operands: see Operand.
const (
	Constant OperandKind = iota
	InRegister
	InMemory
	AddressOf
)

// MaxLoads is the maximum number of loads from memory for one operand.
const MaxLoads = 4

// LocationName writes where the value is: "%edi" and "8(%rsp)", or "*(16(%rdi))" for the memory
// that the pointer there leads to.
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

	location := b.String()
	for _, d := range op.Derefs {
		location = fmt.Sprintf("*(%s)", location)
		if d != 0 {
			location += fmt.Sprintf("+%#x", d)
		}
	}

	if op.Kind == AddressOf {
		return "&" + location
	}
	return fmt.Sprintf("%s, %d bytes", location, op.Size)
}
