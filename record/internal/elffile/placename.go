package elffile

import (
	"debug/elf"
	"fmt"
	"strings"
)

// PlaceName writes where a value is: "%edi", "8(%rsp)"; "*(16(%rdi))" is what the pointer there leads to.
func (op Operand) PlaceName(machine elf.Machine) string {
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

// registerName returns the name of a word of struct pt_regs.
func registerName(r Register, machine elf.Machine) string {
	if machine == elf.EM_AARCH64 {
		if r == 31 {
			return "sp"
		}
		return fmt.Sprintf("x%d", r)
	}
	names := [...]string{"r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", "orig_rax", "rip", "cs", "eflags", "rsp", "ss"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("r%d", r)
}
