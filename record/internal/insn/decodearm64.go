package insn

import (
	"encoding/binary"

	"utrace/record/internal/abi"
)

// decodeARM64 is Decode for aarch64. ok is false for a word in a part of the encoding space that is
// not allocated: then it is data between the code. Those parts have 0001 or 0011 in bits 28 to 25,
// or 0000 with bit 31 clear, like UDF (Arm ARM, C4.1).
func decodeARM64(code []byte, at abi.Addr) (in Inst, ok bool) {
	if len(code) < 4 {
		return Inst{}, false
	}
	w := binary.LittleEndian.Uint32(code)
	switch group := w >> 25 & 15; {
	case group == 1, group == 3, group == 0 && w>>31 == 0:
		return Inst{}, false
	}
	in.Len = 4

	// relative reads a signed field of the given width, in words, whose lowest bit is low.
	relative := func(low, width int) abi.Addr {
		field := int32(w<<(32-low-width)) >> (32 - width)
		return at + abi.Addr(int64(field)*4)
	}
	switch {
	case w&0xfffffc1f == 0xd65f0000, w == 0xd65f0bff, w == 0xd65f0fff: // ret, retaa, retab
		in.Flow = FlowReturn
	case w>>26 == 0x05: // b
		in.Flow, in.Target = FlowJump, relative(0, 26)
	case w>>26 == 0x25: // bl
		in.Flow, in.Target = FlowCall, relative(0, 26)
	case w>>24 == 0x54, w>>25&0x3f == 0x1a: // b.cond and bc.cond; cbz and cbnz
		in.Flow, in.Target = FlowBranch, relative(5, 19)
	case w>>25&0x3f == 0x1b: // tbz, tbnz
		in.Flow, in.Target = FlowBranch, relative(5, 14)
	case w&0xfffffc1f == 0xd61f0000, w&0xfefff800 == 0xd61f0800: // br; braa, brab and their zero forms
		in.Flow = FlowJumpIndirect
	case w&0xfffffc1f == 0xd63f0000, w&0xfefff800 == 0xd63f0800: // blr; blraa, blrab and their zero forms
		in.Flow = FlowCallIndirect
	}
	return in, true
}
