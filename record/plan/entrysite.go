package plan

import (
	"debug/elf"

	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
	"utrace/record/internal/insn"
)

// entrySite finds the site of a function's entry: see insn.FindEntry. If exitsErr is set, the
// function could not be fully decoded. Its branches are unknown, so the site is its first
// instruction.
func (pl *placer) entrySite(fn elffile.Func, exits elffile.Exits, exitsErr error, keepArgs bool) (site insn.Entry, ok bool) {
	isGo := pl.hazards.isGo
	if pl.atFirstByte && !isGo {
		return insn.Entry{Addr: fn.Addr, Class: insn.Stepped, Why: "as asked for"}, true
	}
	if exitsErr != nil {
		return insn.Entry{Addr: fn.Addr, Why: exitsErr.Error()}, true
	}
	code, err := pl.file.Code(fn.Addr, fn.Size)
	if err != nil {
		return insn.Entry{Addr: fn.Addr, Why: err.Error()}, true
	}

	f := insn.Func{Addr: fn.Addr, Code: code, Targets: exits.Targets, MoreTargets: exits.MoreTargets, SelfEntry: exits.SelfEntry}
	site, ok = insn.FindEntry(pl.file.Machine, f, isGo, keepArgs, pl.kernel)
	if !ok || pl.file.Machine == elf.EM_AARCH64 {
		return site, ok
	}

	// Two decoders must agree on where instructions begin.
	if ok, err := pl.file.IsInstruction(fn, site.Addr); !ok || err != nil {
		return insn.Entry{Addr: fn.Addr, Why: "its first instructions are not all understood"}, !isGo || !exits.SelfEntry
	}
	return site, true
}

// classAt says how the kernel treats the instruction at an address of a file.
func classAt(file *elffile.File, a abi.Addr, k insn.Kernel) insn.Class {
	for n := uint64(5); n > 0; n-- { // fewer at the end of the code
		if code, err := file.Code(a, n); err == nil {
			return insn.Classify(file.Machine, code, a, k)
		}
	}
	return insn.Stepped
}
