package elffile

import "encoding/binary"

// decodeARM64 decodes the instruction at the start of code, which lies at address at. ok is false if the word is in a part of
// the encoding space that is not allocated (Arm ARM, C4.1: bits 28 to 25 are 0001 or 0011, or 0000 with bit 31
// clear, which has UDF): data between the code, then.
func decodeARM64(code []byte, at Addr) (in inst, ok bool) {
	if len(code) < 4 {
		return inst{}, false
	}
	w := binary.LittleEndian.Uint32(code)
	switch group := w >> 25 & 15; {
	case group == 1, group == 3, group == 0 && w>>31 == 0:
		return inst{}, false
	}
	in.len = 4
	// relative is a signed field of the given width at bit low, in words.
	relative := func(low, width int) Addr {
		field := int32(w<<(32-low-width)) >> (32 - width)
		return at + Addr(int64(field)*4)
	}
	switch {
	case w&0xfffffc1f == 0xd65f0000, w == 0xd65f0bff, w == 0xd65f0fff: // ret, retaa, retab
		in.flow = flowReturn
	case w>>26 == 0x05: // b
		in.flow, in.target = flowJump, relative(0, 26)
	case w>>26 == 0x25: // bl
		in.flow, in.target = flowCall, relative(0, 26)
	case w>>24 == 0x54, w>>25&0x3f == 0x1a: // b.cond and bc.cond; cbz and cbnz
		in.flow, in.target = flowBranch, relative(5, 19)
	case w>>25&0x3f == 0x1b: // tbz, tbnz
		in.flow, in.target = flowBranch, relative(5, 14)
	case w&0xfffffc1f == 0xd61f0000, w&0xfefff800 == 0xd61f0800: // br; braa, brab and their zero forms
		in.flow = flowJumpIndirect
	case w&0xfffffc1f == 0xd63f0000, w&0xfefff800 == 0xd63f0800: // blr; blraa, blrab and their zero forms
		in.flow = flowCallIndirect
	}
	return in, true
}
