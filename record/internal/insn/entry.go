package insn

import (
	"debug/elf"
	"fmt"
	"slices"

	"golang.org/x/arch/x86/x86asm"

	"utrace/record/internal/abi"
)

// maxEntrySteps limits how many instructions a site may lie after the entry. More than two are
// rare.
const maxEntrySteps = 16

// Func is what is known of a function whose entry is to be probed.
type Func struct {
	Addr abi.Addr
	Code []byte
	// Targets are the addresses in the function, beyond its first, that its own branches lead to.
	// MoreTargets reports whether branches may lead to further addresses. SelfEntry reports whether
	// a branch leads back to the first byte.
	Targets                []abi.Addr
	MoreTargets, SelfEntry bool
}

// Entry is the site of a function's entry.
type Entry struct {
	Addr  abi.Addr
	Class Class
	Why   string // why the site is not a cheaper one, "" if it is cheap
}

// FindEntry finds the cheapest safe site for the entry of a function. isGo is set if Go's compiler
// made the function, args if its arguments are recorded. It reports false for a Go function without
// an instruction that runs exactly once a call.
func FindEntry(machine elf.Machine, fn Func, isGo, args bool, k Kernel) (site Entry, ok bool) {
	switch {
	case machine == elf.EM_AARCH64:
		return findEntryARM64(fn.Code, fn.Addr, fn.Targets, isGo && fn.SelfEntry, k)
	case isGo:
		return findEntryGo(fn, args, k)
	case args:
		return findEntryX86(fn.Code, fn, keepArgs, k), true
	}
	return findEntryX86(fn.Code, fn, keepNoArgs, k), true
}

// findEntryX86 finds the site for a function, or for the rest of it that begins with code:
//
//  1. A 5-byte nop at the entry, on kernels that replace it by a call.
//  2. The first instruction that the kernel emulates, if control comes straight to it from the
//     entry. Nothing before it may move the stack pointer: a return probe needs the return address
//     on top, and pairing needs the value at the entry. Nor may it overwrite an argument to be
//     recorded, or memory that one may point to. No branch may lead to the site, or between it and
//     the entry: it would count twice.
//  3. If not all branches are known, only an instruction that no loop contains: a push, or the one
//     right after the endbr64 at the entry. Jump tables and parts that lie elsewhere hide
//     branches.
//  4. The entry itself, also if an instruction on the way is not understood.
func findEntryX86(code []byte, fn Func, keep keptArgs, k Kernel) Entry {
	entry := fn.Addr + abi.Addr(len(fn.Code)-len(code))
	at := 0
	for range maxEntrySteps {
		class := classifyX86(code[at:], entry+abi.Addr(at), k)
		if class != Stepped {
			if fn.MoreTargets && at > 0 && !isPush(code[at:]) && string(code[:at]) != endbr64 {
				return Entry{Addr: entry, Why: fmt.Sprintf("a branch may lead to the instruction at +%#x: not all are known (a jump table, or a part that lies elsewhere)", at)}
			}
			return Entry{Addr: entry + abi.Addr(at), Class: class}
		}
		n, why := passOver(code[at:], keep)
		if why != "" {
			return Entry{Addr: entry, Why: why}
		}
		at += n
		if slices.Contains(fn.Targets, entry+abi.Addr(at)) {
			return Entry{Addr: entry, Why: fmt.Sprintf("a branch leads to the instruction at +%#x", at)}
		}
	}
	return Entry{Addr: entry, Why: "no cheaper instruction near its entry"}
}

// endbr64 marks a target of indirect branches. It has no other effect, and x86asm does not know it.
const endbr64 = "\xf3\x0f\x1e\xfa"

// passOver returns the length of the instruction at the start of code if a site may lie after it,
// else the reason why not.
func passOver(code []byte, keep keptArgs) (n int, why string) {
	if len(code) >= 4 && string(code[:4]) == endbr64 {
		return 4, ""
	}
	inst, err := x86asm.Decode(code, 64)
	if err != nil || inst.Op == 0 {
		return 0, "its first instructions are not all understood"
	}
	switch inst.Op {
	case x86asm.CMP, x86asm.TEST, x86asm.BT, x86asm.NOP, x86asm.UCOMISS, x86asm.UCOMISD, x86asm.COMISS, x86asm.COMISD:
		return inst.Len, "" // these write flags only
	case x86asm.IMUL:
		if inst.Args[1] == nil { // the product goes to RDX:RAX
			return 0, "no cheaper instruction before IMUL"
		}
	case x86asm.MOV, x86asm.MOVZX, x86asm.MOVSX, x86asm.MOVSXD, x86asm.LEA,
		x86asm.XOR, x86asm.AND, x86asm.OR, x86asm.ADD, x86asm.SUB, x86asm.NEG, x86asm.NOT, x86asm.INC, x86asm.DEC,
		x86asm.SHL, x86asm.SHR, x86asm.SAR,
		x86asm.MOVAPS, x86asm.MOVAPD, x86asm.MOVUPS, x86asm.MOVUPD, x86asm.MOVSS, x86asm.MOVSD_XMM, x86asm.MOVD, x86asm.MOVQ,
		x86asm.MOVDQA, x86asm.MOVDQU, x86asm.PXOR, x86asm.XORPS, x86asm.XORPD,
		x86asm.CVTSI2SS, x86asm.CVTSI2SD, x86asm.CVTTSS2SI, x86asm.CVTTSD2SI:
	default:
		return 0, fmt.Sprintf("no cheaper instruction before %s", inst.Op)
	}

	if memory, ok := inst.Args[0].(x86asm.Mem); ok && keep != keepNoArgs && !belowStack(memory) {
		return 0, "memory is written, which an argument may point to, before a cheaper instruction"
	}
	reg, ok := inst.Args[0].(x86asm.Reg)
	if !ok {
		return inst.Len, ""
	}
	switch {
	case reg == x86asm.RSP || reg == x86asm.ESP || reg == x86asm.SP || reg == x86asm.SPB:
		return 0, "its stack pointer moves before a cheaper instruction"
	case keep.has(reg):
		return 0, "an argument is overwritten before a cheaper instruction"
	}
	return inst.Len, ""
}

// belowStack reports whether memory is below the stack pointer. Only the function itself can have
// data in it.
func belowStack(m x86asm.Mem) bool {
	return m.Base == x86asm.RSP && m.Index == 0 && m.Segment == 0 && m.Disp < 0
}

// keptArgs says which registers hold arguments that must be unchanged at the site.
type keptArgs uint8

const (
	keepNoArgs keptArgs = iota
	keepArgs            // the first six integer arguments (System V ABI, AMD64 supplement, 3.2.3)
	keepGoArgs          // the first nine (cmd/compile/abi-internal.md)
)

func (k keptArgs) has(reg x86asm.Reg) bool {
	switch reg {
	case x86asm.RAX, x86asm.EAX, x86asm.AX, x86asm.AL, x86asm.AH, x86asm.RBX, x86asm.EBX, x86asm.BX, x86asm.BL, x86asm.BH,
		x86asm.R10, x86asm.R10L, x86asm.R10W, x86asm.R10B, x86asm.R11, x86asm.R11L, x86asm.R11W, x86asm.R11B:
		return k == keepGoArgs
	case x86asm.RDI, x86asm.EDI, x86asm.DI, x86asm.DIB, x86asm.RSI, x86asm.ESI, x86asm.SI, x86asm.SIB,
		x86asm.RDX, x86asm.EDX, x86asm.DX, x86asm.DL, x86asm.DH, x86asm.RCX, x86asm.ECX, x86asm.CX, x86asm.CL, x86asm.CH,
		x86asm.R8, x86asm.R8L, x86asm.R8W, x86asm.R8B, x86asm.R9, x86asm.R9L, x86asm.R9W, x86asm.R9B:
		return k != keepNoArgs
	}
	return false
}
