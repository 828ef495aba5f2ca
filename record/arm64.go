package record

import (
	"encoding/binary"
	"slices"

	"utrace/record/internal/abi"
)

// What the kernel does with a breakpoint on arm64 is read from arch/arm64/kernel/probes/decode-insn.c and
// simulate-insn.c, of Linux 6.1 to 6.18. Encodings are those of the Arm Architecture Reference Manual.

const (
	nopARM64        = 0xd503201f
	wordBytes       = 4
	maxGoCheckARM64 = 10 // instructions of the check of a stack's size
)

// classifyARM64 says how the kernel treats an instruction: it simulates branches, returns among them, and what
// takes an address from the program counter.
func classifyARM64(w uint32, k kernelSites) SiteClass {
	switch {
	case w>>26&0x1f == 0x05, w>>24 == 0x54, w>>25&0x3f == 0x1a, w>>25&0x3f == 0x1b: // b, bl; b.cond; cbz, cbnz; tbz, tbnz
		return Emulated
	case w&0xff9ffc1f == 0xd61f0000 && w>>21&3 != 3: // br, blr, ret
		return Emulated
	case w&0x1f000000 == 0x10000000: // adr, adrp
		return Emulated
	case w == nopARM64 && k.simulatedNops:
		return Emulated
	}
	return Stepped
}

// refusedARM64 says why there can be no breakpoint on an instruction, "" if there can. Most of it is what the kernel refuses;
// loads relative to the program counter it takes and gets wrong, by version: it loads vector registers from beside its copy of the
// instruction, and general ones it read, until it refused them (6.12), without the care that memory of user space needs.
func refusedARM64(w uint32) string {
	const refused = "the kernel refuses a breakpoint on this instruction"
	switch {
	case w&0x3b000000 == 0x18000000: // ldr, ldrsw, prfm of a literal, of vector registers, too
		return "the kernel gets a load relative to the program counter wrong"
	case w&0x3f800000 == 0x08000000: // ldxr, stxr, ldaxp and so on
		return refused + " (exclusive access)"
	case w&0x3b200c00 == 0x19000400: // cpyfp, setp and so on
		return refused + " (memory copy)"
	case w&0xff000000 == 0xd4000000: // svc, hvc, smc, brk, hlt
		return refused + " (exception)"
	case w == 0xd65f0bff, w == 0xd65f0fff, w&0xfedff800 == 0xd61f0800: // retaa, retab; braa, blraa and so on
		return refused + " (branch with authentication)"
	case w&0xfff8f01f == 0xd500401f: // msr of an immediate
		return refused + " (msr)"
	case w&0xfff00000 == 0xd5100000: // msr of a register
		return refused + " (msr)"
	case w&0xfffff01f == 0xd503201f && !steppedHint(w>>5&0x7f):
		return refused + " (hint)"
	}
	return ""
}

// steppedHint says of a hint instruction, by its number, whether the kernel steps over it: nop, bti,
// and those that make or strip authenticated pointers: what checks one can fault.
func steppedHint(n uint32) bool {
	switch n {
	case 0, 7, 8, 10, 24, 25, 26, 27, 32, 34, 36, 38:
		return true
	}
	return false
}

// entryARM64 finds the site of a function's entry, which is its first instruction. Of a function of Go that starts over after its stack has
// grown, it is the one behind the check of the stack's size, see findGoEntry.
func entryARM64(code []byte, entry abi.Addr, branches []abi.Addr, startsOver bool, k kernelSites) (site entrySite, ok bool) {
	at := 0
	if startsOver {
		if at, ok = passGoCheckARM64(code); !ok || slices.Contains(branches, entry+abi.Addr(at)) {
			return site, false
		}
	}
	if len(code) < at+wordBytes {
		return site, false
	}
	site = entrySite{addr: entry + abi.Addr(at), class: classifyARM64(binary.LittleEndian.Uint32(code[at:]), k)}
	if site.class == Stepped {
		site.why = "cheaper sites are looked for on x86-64 only"
	}
	return site, true
}

// passGoCheckARM64 returns how long the check of the stack's size at the beginning of code is (cmd/internal/obj/arm64, stacksplit):
//
//	ldr x16, [x28, #16]; cmp sp, x16; b.ls grow
//
// or, of functions with larger frames, with sub x17, sp, #size before a comparison of x17, and b.lo grow where that wraps around. x28
// is the goroutine; #24 is the limit of functions that run on the system's stack. Nothing but x16, x17 and x27 changes.
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
