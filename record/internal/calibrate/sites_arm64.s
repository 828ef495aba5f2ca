#include "textflag.h"

// func nopCall()
TEXT ·nopCall(SB), NOSPLIT|NOFRAME, $0-0
	WORD $0xd503201f // nop
	RET

// func emulated()
TEXT ·emulated(SB), NOSPLIT|NOFRAME, $0-0
	WORD $0xd503201f // nop
	RET

// func stepped()
TEXT ·stepped(SB), NOSPLIT|NOFRAME, $0-0
	WORD $0x91000000 // add x0, x0, #0
	RET

// func returning()
TEXT ·returning(SB), NOSPLIT|NOFRAME, $0-0
	WORD $0xd503201f // nop
	RET

// func static()
TEXT ·static(SB), NOSPLIT|NOFRAME, $0-0
	MOVD $text<>(SB), R0 // 8 bytes
	WORD $0xd503201f     // nop
	RET

DATA text<>+0(SB)/8, $"cost of "
DATA text<>+8(SB)/8, $"static p"
DATA text<>+16(SB)/8, $"robes\x00\x00\x00"
GLOBL text<>(SB), RODATA|NOPTR, $24

// func addresses() (nopCall, emulated, stepped, returning, static uintptr)
TEXT ·addresses(SB), NOSPLIT, $0-40
	MOVD $·nopCall(SB), R0
	MOVD R0, nopCall+0(FP)
	MOVD $·emulated(SB), R0
	MOVD R0, emulated+8(FP)
	MOVD $·stepped(SB), R0
	MOVD R0, stepped+16(FP)
	MOVD $·returning(SB), R0
	MOVD R0, returning+24(FP)
	MOVD $·static(SB), R0
	ADD $8, R0
	MOVD R0, static+32(FP)
	RET
