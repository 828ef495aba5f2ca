package insn

import (
	"encoding/binary"
	"slices"

	"utrace/record/internal/abi"
)

// findEntryARM64 returns the first instruction of a function. For a Go function that starts over
// after its stack has grown, it returns the instruction after the check of the stack's size: see
// findEntryGo.
func findEntryARM64(code []byte, entry abi.Addr, branches []abi.Addr, startsOver bool, k Kernel) (site Entry, ok bool) {
	at := 0
	if startsOver {
		if at, ok = passGoCheckARM64(code); !ok || slices.Contains(branches, entry+abi.Addr(at)) {
			return site, false
		}
	}
	if len(code) < at+wordBytes {
		return site, false
	}
	site = Entry{Addr: entry + abi.Addr(at), Class: classifyARM64(binary.LittleEndian.Uint32(code[at:]), k)}
	if site.Class == Stepped {
		site.Why = "cheaper sites are looked for on x86-64 only"
	}
	return site, true
}

// passGoCheckARM64 returns the length of the stack check at the beginning of code, in bytes
// (cmd/internal/obj/arm64, stacksplit):
//
//	ldr x16, [x28, #16]; cmp sp, x16; b.ls grow
//
// x28 is the goroutine. #24 in place of #16 is the limit of functions that run on the system's
// stack. A function with a larger frame compares x17 after sub x17, sp, #size, and has b.lo grow in
// case that wraps around. The check changes only x16, x17 and x27.
func passGoCheckARM64(code []byte) (length int, ok bool) {
	limit, compared := false, false
	for at := 0; at+wordBytes <= len(code) && at < maxGoCheckARM64*wordBytes; at += wordBytes {
		switch w := binary.LittleEndian.Uint32(code[at:]); {
		case w == 0xf9400b90, w == 0xf9400f90: // ldr x16, [x28, #16 or #24]
			limit = true
		case w&0xdf8003ff == 0xd10003f1, w&0xdfffffff == 0xcb3b63f1: // sub and subs x17, sp, #size or x27
		case w&0xdf8003ff == 0xd1000231: // sub and subs x17, x17, #size
		case w&0x9f80001f == 0x9280001b, w&0xff8003ff == 0xb20003fb: // x27 = a number: movn, movz, movk; orr
		case w == 0xeb3063ff, w == 0xeb10023f: // cmp sp, x16; cmp x17, x16
			compared = limit
		case w&0xff00001f == 0x54000003: // b.lo
		case w&0xff00001f == 0x54000009: // b.ls
			return at + wordBytes, compared
		default:
			return 0, false
		}
	}
	return 0, false
}
