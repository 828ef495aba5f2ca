#include "textflag.h"

// Functions that are probed: at their first byte, those called static behind an instruction, and some at their return,
// see sites_arm64.go.

#define NOPCALL WORD $0xd503201f; RET // nop
#define EMULATED WORD $0x10000010; RET // adr x16, .
#define STEPPED WORD $0x91000000; RET // add x0, x0, #0
#define STATIC MOVD $text<>(SB), R0; WORD $0xd503201f; WORD $0xd503201f; RET // 8 bytes, nop, nop

TEXT nopCall<>(SB), NOSPLIT|NOFRAME, $0-0
	NOPCALL

TEXT nopCallTrampoline<>(SB), NOSPLIT|NOFRAME, $0-0
	NOPCALL

TEXT nopCallStepped<>(SB), NOSPLIT|NOFRAME, $0-0
	NOPCALL

TEXT emulated<>(SB), NOSPLIT|NOFRAME, $0-0
	EMULATED

TEXT emulatedTrampoline<>(SB), NOSPLIT|NOFRAME, $0-0
	EMULATED

TEXT emulatedStepped<>(SB), NOSPLIT|NOFRAME, $0-0
	EMULATED

TEXT stepped<>(SB), NOSPLIT|NOFRAME, $0-0
	STEPPED

TEXT steppedTrampoline<>(SB), NOSPLIT|NOFRAME, $0-0
	STEPPED

TEXT steppedStepped<>(SB), NOSPLIT|NOFRAME, $0-0
	STEPPED

TEXT emulatedGo<>(SB), NOSPLIT|NOFRAME, $0-0
	EMULATED

TEXT emulatedGoStepped<>(SB), NOSPLIT|NOFRAME, $0-0
	EMULATED

TEXT steppedGo<>(SB), NOSPLIT|NOFRAME, $0-0
	STEPPED

TEXT steppedGoStepped<>(SB), NOSPLIT|NOFRAME, $0-0
	STEPPED

TEXT static<>(SB), NOSPLIT|NOFRAME, $0-0
	STATIC

TEXT staticSpan<>(SB), NOSPLIT|NOFRAME, $0-0
	STATIC

TEXT staticArgs<>(SB), NOSPLIT|NOFRAME, $0-0
	STATIC

TEXT staticArgsSpan<>(SB), NOSPLIT|NOFRAME, $0-0
	STATIC

TEXT staticSpanArgs<>(SB), NOSPLIT|NOFRAME, $0-0
	STATIC

TEXT staticArgsSpanArgs<>(SB), NOSPLIT|NOFRAME, $0-0
	STATIC

DATA text<>+0(SB)/8, $"cost of "
DATA text<>+8(SB)/8, $"static p"
DATA text<>+16(SB)/8, $"robes\x00\x00\x00"
GLOBL text<>(SB), RODATA|NOPTR, $24

// In the order of the constants of calibrate.go.
DATA ·functions+0(SB)/8, $nopCall<>(SB)
DATA ·functions+8(SB)/8, $nopCallTrampoline<>(SB)
DATA ·functions+16(SB)/8, $nopCallStepped<>(SB)
DATA ·functions+24(SB)/8, $emulated<>(SB)
DATA ·functions+32(SB)/8, $emulatedTrampoline<>(SB)
DATA ·functions+40(SB)/8, $emulatedStepped<>(SB)
DATA ·functions+48(SB)/8, $stepped<>(SB)
DATA ·functions+56(SB)/8, $steppedTrampoline<>(SB)
DATA ·functions+64(SB)/8, $steppedStepped<>(SB)
DATA ·functions+72(SB)/8, $emulatedGo<>(SB)
DATA ·functions+80(SB)/8, $emulatedGoStepped<>(SB)
DATA ·functions+88(SB)/8, $steppedGo<>(SB)
DATA ·functions+96(SB)/8, $steppedGoStepped<>(SB)
DATA ·functions+104(SB)/8, $static<>(SB)
DATA ·functions+112(SB)/8, $staticSpan<>(SB)
DATA ·functions+120(SB)/8, $staticArgs<>(SB)
DATA ·functions+128(SB)/8, $staticArgsSpan<>(SB)
DATA ·functions+136(SB)/8, $staticSpanArgs<>(SB)
DATA ·functions+144(SB)/8, $staticArgsSpanArgs<>(SB)
GLOBL ·functions(SB), NOPTR, $152

// func call(function uintptr)
TEXT ·call(SB), NOSPLIT, $8-8
	MOVD function+0(FP), R1
	CALL (R1)
	RET
