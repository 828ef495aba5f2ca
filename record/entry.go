package record

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/arch/x86/x86asm"

	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
)

// SiteClass says how the kernel deals with a breakpoint on an instruction, and
// so what a hit costs.
type SiteClass int

const (
	// Stepped: the kernel runs the instruction from a copy, with a second trap behind it.
	Stepped SiteClass = iota
	// Emulated: the kernel does the instruction's work itself.
	Emulated
	// NopCall: the kernel replaces a 5-byte nop by a call: no trap at all.
	NopCall
)

func (c SiteClass) String() string {
	switch c {
	case Emulated:
		return "emulated"
	case NopCall:
		return "nop5"
	}
	return "stepped"
}

// kernelSites says which instructions a kernel treats specially.
type kernelSites struct {
	longNops bool // nops of more than one byte are emulated
	nopCall  bool // 5-byte nops are replaced

	simulatedNops bool // on arm64
}

// newKernelSites goes by the version of the kernel. push, jmp, jcc, call and
// one-byte nops are emulated by all that utrace supports (push since 4.18).
func newKernelSites(major, minor int) kernelSites {
	version := major*1000 + minor
	return kernelSites{longNops: version >= 6016, nopCall: version >= 6018, simulatedNops: version >= 6013}
}

// entrySite is where the entry of a function is probed.
type entrySite struct {
	addr  abi.Addr
	class SiteClass
	why   string // for a class that is not the cheapest
}

// maxEntrySteps bounds how many instructions a site may lie behind the entry.
// More than two are rare.
const maxEntrySteps = 16

// findEntry finds the cheapest safe site for the entry of a function in its code.
// It is a pure function of the bytes and of what is known of the function's branches.
//
//  1. A 5-byte nop at the entry, on kernels that make it a call.
//  2. The first instruction that the kernel emulates, if it is reached in a
//     straight line from the entry: nothing before it leaves the line, moves the
//     stack pointer (a return probe needs the return address on top, pairing needs
//     the value at the entry) or overwrites an argument that is to be kept, or memory, which it may point to; and no
//     branch leads to it or to an instruction before it, which would count twice.
//  3. Where not all branches are known (a jump table, a part of the function that lies elsewhere), only
//     what no loop has inside: a push, or what directly follows the endbr64 at the entry.
//  4. Otherwise, or if anything on the way is not understood, the entry itself.
func findEntry(code []byte, entry abi.Addr, exits elffile.Exits, keep keptArgs, k kernelSites) entrySite {
	at := 0
	for range maxEntrySteps {
		class := classify(code[at:], entry+abi.Addr(at), k)
		if class != Stepped {
			if exits.MoreTargets && at > 0 && !isPush(code[at:]) && string(code[:at]) != endbr64 {
				return entrySite{addr: entry, why: fmt.Sprintf("a branch may lead to the instruction at +%#x: not all are known (a jump table, or a part that lies elsewhere)", at)}
			}
			return entrySite{addr: entry + abi.Addr(at), class: class}
		}
		n, why := passOver(code[at:], keep)
		if why != "" {
			return entrySite{addr: entry, why: why}
		}
		at += n
		if slices.Contains(exits.Targets, entry+abi.Addr(at)) {
			return entrySite{addr: entry, why: fmt.Sprintf("a branch leads to the instruction at +%#x", at)}
		}
	}
	return entrySite{addr: entry, why: "no cheaper instruction near its entry"}
}

// classAt says how the kernel treats the instruction at an address of a file.
func classAt(file *elffile.File, a abi.Addr, k kernelSites) SiteClass {
	code, err := file.Code(a, 4)
	if err != nil { // at the end of the code
		code, err = file.Code(a, 1)
	}
	switch {
	case err != nil:
		return Stepped
	case file.Machine == elf.EM_AARCH64:
		if len(code) < 4 {
			return Stepped
		}
		return classifyARM64(binary.LittleEndian.Uint32(code), k)
	}
	if more, err := file.Code(a, 5); err == nil {
		code = more
	}
	return classify(code, a, k)
}

// pageSize is that of x86-64.
const pageSize = 4096

// classify says how the kernel treats the instruction at the start of code;
// arch/x86/kernel/uprobes.c: is_optimized, branch_setup_xol_ops, push_setup_xol_ops.
func classify(code []byte, at abi.Addr, k kernelSites) SiteClass {
	is := func(prefix ...byte) bool { return len(code) >= len(prefix) && slices.Equal(code[:len(prefix)], prefix) }
	switch {
	case k.nopCall && is(0x0f, 0x1f, 0x44, 0x00, 0x00) && at%pageSize+5 <= pageSize:
		return NopCall
	case len(code) == 0:
		return Stepped
	case isPush(code):
		return Emulated
	case code[0] == 0x90, code[0] == 0xeb, code[0] == 0xe9, code[0] == 0xe8, code[0]&0xf0 == 0x70: // nop, jmp, call, jcc
		return Emulated
	case code[0] == 0x0f && len(code) > 1 && code[1]&0xf0 == 0x80: // jcc with a 32-bit distance
		return Emulated
	case k.longNops && (is(0x0f, 0x1f) || is(0x66, 0x0f, 0x1f) || is(0x66, 0x90)):
		return Emulated
	}
	return Stepped
}

// isPush reports whether code begins with the push of a register.
func isPush(code []byte) bool {
	if len(code) > 1 && code[0] == 0x41 {
		code = code[1:]
	}
	return len(code) > 0 && code[0] >= 0x50 && code[0] <= 0x57
}

// endbr64 marks where an indirect branch may lead to. It does nothing else, and
// x86asm does not know it.
const endbr64 = "\xf3\x0f\x1e\xfa"

// passOver returns the length of the instruction at the start of code, if a site may lie behind
// it, or why it may not.
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

// belowStack reports whether memory is below the stack pointer: of the function itself, as nothing else can be there.
func belowStack(m x86asm.Mem) bool {
	return m.Base == x86asm.RSP && m.Index == 0 && m.Segment == 0 && m.Disp < 0
}

// keptArgs says which registers carry arguments that must still be there at the site.
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

// entryOf finds the site of a function's entry in its file. Without exits, where the function
// could not be decoded to its end, nothing is known of its branches: the entry. It
// reports false for a Go function without a place that is passed once a call.
func entryOf(file *elffile.File, fn elffile.Func, exits elffile.Exits, err error, isGo, args bool, k kernelSites) (site entrySite, ok bool) {
	if err != nil {
		return entrySite{addr: fn.Addr, why: err.Error()}, true
	}
	code, err := file.Code(fn.Addr, fn.Size)
	if err != nil {
		return entrySite{addr: fn.Addr, why: err.Error()}, true
	}
	if file.Machine == elf.EM_AARCH64 {
		return entryARM64(code, fn.Addr, exits.Targets, isGo && exits.SelfEntry, k)
	}
	if isGo {
		if site, ok = findGoEntry(code, fn.Addr, exits, args, k); !ok {
			return site, false
		}
	} else {
		keep := keepNoArgs
		if args {
			keep = keepArgs
		}
		site = findEntry(code, fn.Addr, exits, keep, k)
	}
	// Two decoders must agree on where the instructions begin.
	if ok, err := file.IsInstruction(fn, site.addr); !ok || err != nil {
		return entrySite{addr: fn.Addr, why: "its first instructions are not all understood"}, !isGo || !exits.SelfEntry
	}
	return site, true
}
