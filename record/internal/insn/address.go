package insn

import (
	"debug/elf"
	"encoding/binary"

	"utrace/record/internal/abi"
)

// addressesX86 returns the addresses that an instruction may put into a register or memory. It
// takes the last four bytes both as a number and as a distance from the end of the instruction
// (lea).
func addressesX86(b []byte, at abi.Addr) [2]abi.Addr {
	if len(b) < 5 {
		return [2]abi.Addr{}
	}
	v := binary.LittleEndian.Uint32(b[len(b)-4:])
	return [2]abi.Addr{abi.Addr(v), at + abi.Addr(len(b)) + abi.Addr(int64(int32(v)))}
}

// addressARM64 returns the address that adr makes, or adrp and a following add (Arm ARM, C6.2.10,
// C6.2.11, C6.2.4). pages holds, by register, the result of the last adrp.
func addressARM64(b []byte, at abi.Addr, pages *[32]abi.Addr) (abi.Addr, bool) {
	w := binary.LittleEndian.Uint32(b)
	imm := abi.Addr(int64(int32(w<<8)>>13<<2 | int32(w>>29&3))) // bits 23 to 5, then 30 and 29
	switch {
	case w&0x9f000000 == 0x10000000:
		return at + imm, true
	case w&0x9f000000 == 0x90000000:
		pages[w&31] = at&^0xfff + imm<<12
	case w&0xffc00000 == 0x91000000:
		return pages[w>>5&31] + abi.Addr(w>>10&0xfff), true
	}
	return 0, false
}

// AddressReader finds the addresses that the instructions of a function make. It is given the
// instructions in order. The zero value, with Machine set, is ready to use.
type AddressReader struct {
	Machine elf.Machine
	pages   [32]abi.Addr // by register of aarch64: the result of the last adrp
	last    [2]abi.Addr
}

// Take returns the addresses that an instruction, which lies at address at, may make. The slice is
// valid until the next call.
func (r *AddressReader) Take(code []byte, at abi.Addr) []abi.Addr {
	if r.Machine == elf.EM_AARCH64 {
		a, ok := addressARM64(code, at, &r.pages)
		if !ok {
			return nil
		}
		r.last[0] = a
		return r.last[:1]
	}
	r.last = addressesX86(code, at)
	return r.last[:]
}
