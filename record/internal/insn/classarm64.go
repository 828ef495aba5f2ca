package insn

// The kernel's side on arm64 is in arch/arm64/kernel/probes/decode-insn.c and simulate-insn.c, read
// for Linux 6.1 to 6.18. Encodings are in the Arm Architecture Reference Manual.

const (
	nopARM64        = 0xd503201f
	wordBytes       = 4
	maxGoCheckARM64 = 10 // instructions of a stack check
)

// classifyARM64 is Classify for arm64. The kernel simulates branches, including returns, and
// instructions that compute an address from the program counter.
func classifyARM64(w uint32, k Kernel) Class {
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
