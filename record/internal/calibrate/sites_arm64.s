#include "textflag.h"

// Functions that are probed: those called usdt after an instruction, the others at their first byte. Some
// are also probed at their return, see sites_arm64.go.

#define NOPCALL WORD $0xd503201f; RET // nop
#define EMULATED WORD $0x10000010; RET // adr x16, .
#define STEPPED WORD $0x91000000; RET // add x0, x0, #0
#define USDT MOVD $text<>(SB), R0; WORD $0xd503201f; WORD $0xd503201f; RET // 8 bytes, nop, nop

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

TEXT usdt<>(SB), NOSPLIT|NOFRAME, $0-0
	USDT

TEXT usdtSpan<>(SB), NOSPLIT|NOFRAME, $0-0
	USDT

TEXT usdtArgs<>(SB), NOSPLIT|NOFRAME, $0-0
	USDT

TEXT usdtArgsSpan<>(SB), NOSPLIT|NOFRAME, $0-0
	USDT

TEXT usdtSpanArgs<>(SB), NOSPLIT|NOFRAME, $0-0
	USDT

TEXT usdtArgsSpanArgs<>(SB), NOSPLIT|NOFRAME, $0-0
	USDT

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
DATA ·functions+104(SB)/8, $usdt<>(SB)
DATA ·functions+112(SB)/8, $usdtSpan<>(SB)
DATA ·functions+120(SB)/8, $usdtArgs<>(SB)
DATA ·functions+128(SB)/8, $usdtArgsSpan<>(SB)
DATA ·functions+136(SB)/8, $usdtSpanArgs<>(SB)
DATA ·functions+144(SB)/8, $usdtArgsSpanArgs<>(SB)
GLOBL ·functions(SB), NOPTR, $152

// func call(function uintptr)
TEXT ·call(SB), NOSPLIT, $8-8
	MOVD function+0(FP), R1
	CALL (R1)
	RET
