package plan

import (
	"errors"
	"slices"

	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
	"utrace/record/internal/insn"
)

// ReturnBy says how the return of a function is seen.
type ReturnBy int

const (
	// ByTrampoline: at the entry the kernel replaces the return address (a uretprobe). It is cheap.
	// But a C++ exception or a Rust panic cannot unwind past a replaced address, which aborts the
	// program. A switch of stacks between entry and return goes wrong as well.
	ByTrampoline ReturnBy = iota
	// ByInstruction: a probe on each return instruction. It is always safe, but the kernel must
	// step over each one.
	ByInstruction
	// Never: only entries are seen.
	Never
)

// String returns the name that utrace plan shows.
func (r ReturnBy) String() string {
	switch r {
	case ByTrampoline:
		return "uretprobe"
	case ByInstruction:
		return "ret"
	}
	return "none"
}

// placement says where the probes of a function go.
type placement struct {
	entry insn.Entry
	by    ReturnBy
	why   string // with Never: the reason

	// With ByInstruction: the instructions that end the function, see elffile.Exits.
	returns, tailCalls []abi.Addr
}

// placer decides where the probes of a file's functions go.
type placer struct {
	file        *elffile.File
	hazards     fileHazards
	kernel      insn.Kernel
	atFirstByte bool // probe each entry at its first byte, see Config.PlaceAtEntry
}

// place decides where to probe a function. leftOut is the reason not to probe it, "" if it is
// probed. With keepArgs, the arguments must still be in place at the site of the entry.
//
//  1. Code that is not entered by a call has no return address: no probe.
//  2. Find the site of the entry: see entrySite. If the kernel refuses it: no probe.
//  3. A function that returns twice, unwinds, or asks who called it: the entry only.
//  4. See the return by the trampoline if that is safe: see returnHazard.
//  5. Otherwise see it by the return instructions, if all of the function can be decoded.
func (pl *placer) place(fn elffile.Func, keepArgs bool) (p placement, leftOut string) {
	names := append([]string{fn.Name}, fn.Aliases...)
	if why := pl.notCalled(fn, names); why != "" {
		return p, why
	}
	exits, exitsErr := pl.file.Exits(fn)
	if why := pl.ambiguousEntry(names, exits, exitsErr); why != "" {
		return p, why
	}

	var ok bool
	if p.entry, ok = pl.entrySite(fn, exits, exitsErr, keepArgs); !ok {
		return p, whyLoop
	}
	if why := refusedByKernel(pl.file, p.entry.Addr); why != "" {
		return p, why
	}

	for _, name := range names {
		if why := unsafeReturn(name); why != "" {
			p.by, p.why = Never, why
			return p, ""
		}
	}
	pl.placeReturn(&p, fn, names, exits, exitsErr)
	return p, ""
}

// whyLoop is the reason to leave out a function whose entry looks the same as a pass of a loop.
const whyLoop = "a loop leads back to its first instruction: calls and passes of the loop look the same"

// notCalled says why a function is not entered by a call, "" if it is.
func (pl *placer) notCalled(fn elffile.Func, names []string) string {
	for _, name := range names {
		if why := neverCalled(name); why != "" {
			return why
		}
	}
	if fn.Addr == pl.file.Entry {
		return whyEntryPoint
	}
	if _, ok := pl.file.FileOff(fn.Addr); !ok {
		return whyNotInFile
	}
	return ""
}

// whyNotInFile is the reason to leave out an address outside the contents of the file.
const whyNotInFile = "its code is not in the file"

// ambiguousEntry says why a hit at a function's entry would not identify the call or its goroutine,
// "" if it would.
func (pl *placer) ambiguousEntry(names []string, exits elffile.Exits, exitsErr error) string {
	switch h := pl.hazards; {
	case errors.Is(exitsErr, elffile.ErrOverlapping):
		return exitsErr.Error()
	case !h.isGo && exitsErr == nil && exits.SelfEntry:
		return whyLoop
	case !h.isGo:
		return ""
	case h.goid == 0:
		return "this version of Go is not supported: its goroutines cannot be told apart"
	case slices.ContainsFunc(names, isOldABI):
		return "assembly with Go's old calling convention, in which no register holds the goroutine"
	case exitsErr != nil:
		return exitsErr.Error()
	}
	return ""
}

// placeReturn decides how the return of a function is seen.
func (pl *placer) placeReturn(p *placement, fn elffile.Func, names []string, exits elffile.Exits, exitsErr error) {
	why, inLeaves := pl.returnHazard(fn, names)
	isLeaf := exitsErr == nil && !exits.Calls && !exits.Outside
	switch {
	case why == "" || isLeaf && !inLeaves:
		p.by = ByTrampoline
		return
	case exitsErr != nil:
		p.by, p.why = Never, why+", and "+exitsErr.Error()
		return
	case len(exits.Returns)+len(exits.TailCalls) == 0:
		p.by, p.why = Never, why+", and it has no return instruction"
		return
	}

	for _, a := range exits.Returns {
		if refused := refusedByKernel(pl.file, a); refused != "" {
			p.by, p.why = Never, why+", and its return instruction cannot be probed: "+refused
			return
		}
	}
	p.by, p.returns, p.tailCalls = ByInstruction, exits.Returns, exits.TailCalls
}

// returnHazard says why the return address of a function must not be replaced, "" if it may be.
// inLeaves extends this to leaf functions, which are otherwise safe: nothing below them can unwind
// or switch stacks.
//
// In a file without hazards, two kinds of functions still have one:
//
//   - C library functions that call back into a program which throws or switches stacks.
//   - Nameless functions, leaf or not: they may be the stack switch itself.
func (pl *placer) returnHazard(fn elffile.Func, names []string) (why string, inLeaves bool) {
	h := pl.hazards
	why, inLeaves = h.why, h.leaves
	// A local function of the C library can be a part of one that calls back.
	if why == "" && h.callbacks != "" && (!fn.Global || slices.ContainsFunc(names, callsBack)) {
		why = h.callbacks
	}
	if fn.Recovered {
		inLeaves = true
		if why == "" {
			why = h.nameless
		}
	}
	return why, inLeaves
}

// refusedByKernel says why there can be no breakpoint on an instruction, "" if there can: see
// insn.Refused, whyWritable and whyRelocated.
func refusedByKernel(file *elffile.File, a abi.Addr) string {
	if file.IsWritable(a) {
		return whyWritable
	}
	code := codeAt(file, a)
	switch {
	case code == nil:
		return ""
	case file.IsRelocated(a, uint64(len(instructionAt(file, a)))):
		return whyRelocated
	}
	return insn.Refused(file.Machine, code)
}

// whyRelocated is the reason to leave out an instruction that the dynamic linker changes: the kernel
// executes the one of the file.
const whyRelocated = "the dynamic linker changes this instruction (a text relocation), and the kernel would execute the unchanged one"

// codeAt returns as many bytes of code as an instruction may have, fewer at the end of the code,
// nil if there are none.
func codeAt(file *elffile.File, a abi.Addr) []byte {
	for n := uint64(insn.MaxLen); n > 0; n-- {
		if code, err := file.Code(a, n); err == nil {
			return code
		}
	}
	return nil
}

// instructionAt returns the bytes of an instruction in the file, nil if they cannot be read.
func instructionAt(file *elffile.File, a abi.Addr) []byte {
	code := codeAt(file, a)
	if in, ok := insn.Decode(file.Machine, code, a); ok {
		code = code[:in.Len]
	}
	return slices.Clone(code)
}
