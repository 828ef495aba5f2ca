#include "textflag.h"

// func nopCall()
TEXT ·nopCall(SB), NOSPLIT|NOFRAME, $0-0
	BYTE $0x0f; BYTE $0x1f; BYTE $0x44; BYTE $0x00; BYTE $0x00 // nop of 5 bytes
	RET

// func emulated()
TEXT ·emulated(SB), NOSPLIT|NOFRAME, $0-0
	BYTE $0x55 // push %rbp
	BYTE $0x5d // pop %rbp
	RET

// func stepped()
TEXT ·stepped(SB), NOSPLIT|NOFRAME, $0-0
	BYTE $0x48; BYTE $0x89; BYTE $0xc0 // mov %rax,%rax
	RET

// func returning()
TEXT ·returning(SB), NOSPLIT|NOFRAME, $0-0
	BYTE $0x55 // push %rbp
	BYTE $0x5d // pop %rbp
	RET

// func static()
TEXT ·static(SB), NOSPLIT|NOFRAME, $0-0
	LEAQ text<>(SB), AX // 7 bytes
	BYTE $0x90          // nop
	RET

DATA text<>+0(SB)/8, $"cost of "
DATA text<>+8(SB)/8, $"static p"
DATA text<>+16(SB)/8, $"robes\x00\x00\x00"
GLOBL text<>(SB), RODATA|NOPTR, $24

// func addresses() (nopCall, emulated, stepped, returning, static uintptr)
TEXT ·addresses(SB), NOSPLIT, $0-40
	LEAQ ·nopCall(SB), AX
	MOVQ AX, nopCall+0(FP)
	LEAQ ·emulated(SB), AX
	MOVQ AX, emulated+8(FP)
	LEAQ ·stepped(SB), AX
	MOVQ AX, stepped+16(FP)
	LEAQ ·returning(SB), AX
	MOVQ AX, returning+24(FP)
	LEAQ ·static(SB), AX
	ADDQ $7, AX
	MOVQ AX, static+32(FP)
	RET
