//go:build linux

package plan

import (
	"cmp"
	"fmt"

	"utrace/record/internal/abi"
	"utrace/record/internal/demangle"
	"utrace/record/internal/elffile"
	"utrace/record/internal/probe"
)

// addInstructions plans a probe on single instructions: FUNC+OFFSET, or an address at which no
// function begins. It is an error if the probe has values, or if calls are deferred.
func (f *filePlan) addInstructions(pr *probe.Probe, funcs []elffile.Func) error {
	if pr.Addr != nil {
		if fn, ok := f.img.File.FuncAt(abi.Addr(*pr.Addr)); ok && uint64(fn.Addr) == *pr.Addr {
			return nil // selectFunc has selected it
		}
	}
	if pr.Values.Any() {
		return fmt.Errorf("%w %q: %q: no function begins at %#x, and %s", probe.ErrProbe, probe.Shorten(pr.Text), probe.Shorten(pr.Tail), *pr.Addr, probe.WhyOfCalls)
	}
	if f.p.DefersCalls() {
		return fmt.Errorf("%w %q: a single instruction: %w", probe.ErrProbe, probe.Shorten(pr.Text), ErrLate)
	}

	if pr.Addr != nil {
		f.matched[pr] = true
		a := abi.Addr(*pr.Addr)
		fn, ok := f.img.File.FuncAt(a)
		if !ok {
			f.leaveOut(fmt.Sprintf("%#x", uint64(a)), a, "no function is known to cover this address, so an instruction may not begin there")
			return nil
		}
		f.addInstruction(fn, fn.Name, a)
		return nil
	}
	for _, fn := range funcs {
		symbol, ok := matchFunc(pr.Pattern, fn)
		if !ok {
			continue
		}
		f.matched[pr] = true
		if pr.Offset >= fn.Size {
			f.leaveOut(symbol, fn.Addr, fmt.Sprintf("it is %d bytes long: +%#x is beyond its end", fn.Size, pr.Offset))
			continue
		}
		f.addInstruction(fn, symbol, fn.Addr+abi.Addr(pr.Offset))
	}
	return nil
}

// addInstruction plans the instruction at an address of a function, or leaves it out.
func (f *filePlan) addInstruction(fn elffile.Func, symbol string, a abi.Addr) {
	file := f.img.File
	name := fmt.Sprintf("%s+%#x", demangle.Short(symbol)+fn.VersionOf(symbol), uint64(a-fn.Addr))
	off, mapped := file.FileOff(a)
	ok, err := file.IsInstruction(fn, a)
	why := ""
	switch {
	case !mapped:
		why = whyNotInFile
	case err != nil:
		why = err.Error()
	case !ok:
		why = "in the middle of an instruction: a breakpoint there would corrupt it"
	default:
		why = cmp.Or(refusedByKernel(file, a), f.whyNoBreakpoint(a))
	}
	if why != "" {
		f.leaveOut(name, a, why)
		return
	}

	f.m.Funcs = append(f.m.Funcs, Func{
		Name: name, Symbol: symbol, Addr: uint64(a), Site: uint64(a), FileOff: uint64(off),
		Class: classAt(file, a, f.p.kernel), SourceFile: fn.SourceFile, Hit: true, ReturnBy: Never,
	})
}
