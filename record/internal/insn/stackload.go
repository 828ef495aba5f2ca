package insn

import (
	"debug/elf"
	"encoding/binary"
)

// stackAddressesARM64 has a bit for each register that holds an address of the function's own
// stack, or a value loaded from its frame, after the instructions so far. Compiled code frees the
// memory of alloca and of arrays of variable length with
//
//	ldr x0, [x29, #176]; mov sp, x0
//
// which does not switch stacks.
type stackAddressesARM64 uint32

// StackSetter returns a function that takes the instructions of a function in order. It says of
// each whether it sets the stack pointer as only a switch of stacks does: to an argument, or to a
// value in memory that an argument points to.
func StackSetter(machine elf.Machine) func(code []byte) bool {
	if machine == elf.EM_AARCH64 {
		return new(stackAddressesARM64).sets
	}
	return setsStackX86
}

// MaySetStack reports whether some bytes of code look like an instruction that StackSetter finds. It
// saves decoding the code of most functions. For arm64 it is always true.
func MaySetStack(machine elf.Machine, code []byte) bool {
	if machine == elf.EM_AARCH64 {
		return true
	}
	for i := range code {
		if code[i]&0xf8 == 0x48 && setsStackX86(code[i:]) {
			return true
		}
	}
	return false
}

// sets takes the next instruction, and looks for add sp, xN, #imm, which is also mov sp, xN. It
// returns true if a callee may overwrite register xN and its value does not come from the
// function's own stack.
func (own *stackAddressesARM64) sets(code []byte) bool {
	w := binary.LittleEndian.Uint32(code)
	d, n := w&31, w>>5&31
	const fp, sp = 29, 31
	ours := n == fp || n == sp || *own>>n&1 != 0 // of an instruction that computes from xn
	switch {
	case w&0xff80001f == 0x9100001f && n <= 18:
		return !ours
	case w&0xffc00000 == 0xf9400000 || w&0xffe00c00 == 0xf8400000: // ldr and ldur xd, [xn, #imm]
		own.hold(d, n == fp || n == sp)
	case w&0xbf800000 == 0x91000000: // add and sub xd, xn, #imm; mov xd, sp
		own.hold(d, ours)
	case w&0xffe00000 == 0xcb200000, w&0xff200000 == 0xcb000000 && n != sp: // sub xd, xn, xm; 31 is zero in the second
		own.hold(d, ours)
	case w&0xff800000 == 0x92000000: // and xd, xn, #imm
		own.hold(d, ours && n != sp)
	case w>>26 == 0x25, w&0xfffffc1f == 0xd63f0000: // bl, blr
		*own = 0
	default: // of other instructions only these fields can name a register that they write
		own.hold(d, false)
		own.hold(w>>10&31, false)
	}
	return false
}

func (own *stackAddressesARM64) hold(register uint32, ours bool) {
	*own &^= 1 << register
	if ours {
		*own |= 1 << register
	}
}

// setsStackX86 matches three instructions:
//
//   - mov (%reg),%rsp for any register except rsp, rbp and rip;
//   - mov %reg,%rsp for the registers of arguments;
//   - xchg for both.
//
// lea and pop do not count. The assembly of libcrypto, gnutls and libjpeg uses them to return to
// its frame.
func setsStackX86(b []byte) bool {
	if len(b) < 3 || b[0]&0xf8 != 0x48 { // REX.W
		return false
	}
	const rsp, rbp = 4, 5
	rex, mod, reg, rm := b[0], b[2]>>6, b[2]>>3&7, b[2]&7
	extended := rex&1 != 0
	argument := func(r byte, high bool) bool { return !high && (r == 7 || r == 6) || high && r <= 1 } // rdi, rsi, r8, r9
	switch {
	case b[1] == 0x8b && rex&4 == 0 && reg == rsp && mod == 3, b[1] == 0x89 && !extended && rm == rsp && mod == 3:
		from, high := rm, extended
		if b[1] == 0x89 {
			from, high = reg, rex&4 != 0
		}
		return argument(from, high)
	case b[1] == 0x87 && mod == 3:
		return rex&4 == 0 && reg == rsp && argument(rm, extended) || !extended && rm == rsp && argument(reg, rex&4 != 0)
	case b[1] == 0x87 && rex&4 == 0 && reg == rsp:
		return extended || rm != rsp && rm != rbp
	case b[1] == 0x8b && rex&4 == 0 && reg == rsp:
		return extended && rm != rsp || rm != rsp && rm != rbp
	}
	return false
}
