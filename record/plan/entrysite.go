package plan

import (
	"debug/elf"

	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
	"utrace/record/internal/insn"
)

// classAt says how the kernel treats the instruction at an address of a file.
func classAt(file *elffile.File, a abi.Addr, k insn.Kernel) insn.Class {
	for n := uint64(5); n > 0; n-- { // fewer at the end of the code
		if code, err := file.Code(a, n); err == nil {
			return insn.Classify(file.Machine, code, a, k)
		}
	}
	return insn.Stepped
}

// entryOf finds the site of a function's entry in its file: see insn.FindEntry. A function that cannot be decoded to its end is probed
// at its first instruction, since nothing is known of its branches.
func entryOf(file *elffile.File, fn elffile.Func, exits elffile.Exits, err error, isGo, args bool, k insn.Kernel) (site insn.Entry, ok bool) {
	if err != nil {
		return insn.Entry{Addr: fn.Addr, Why: err.Error()}, true
	}
	code, err := file.Code(fn.Addr, fn.Size)
	if err != nil {
		return insn.Entry{Addr: fn.Addr, Why: err.Error()}, true
	}
	f := insn.Func{Addr: fn.Addr, Code: code, Targets: exits.Targets, MoreTargets: exits.MoreTargets, SelfEntry: exits.SelfEntry}
	site, ok = insn.FindEntry(file.Machine, f, isGo, args, k)
	if !ok || file.Machine == elf.EM_AARCH64 {
		return site, ok
	}
	// Two decoders must agree on where the instructions begin.
	if ok, err := file.IsInstruction(fn, site.Addr); !ok || err != nil {
		return insn.Entry{Addr: fn.Addr, Why: "its first instructions are not all understood"}, !isGo || !exits.SelfEntry
	}
	return site, true
}
