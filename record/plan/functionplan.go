//go:build linux

package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"utrace/bpf"
	"utrace/record/internal/abi"
	"utrace/record/internal/demangle"
	"utrace/record/internal/elffile"
	"utrace/record/internal/insn"
	"utrace/record/internal/probe"
	"utrace/record/internal/values"
)

// addFuncs plans the functions and single instructions of the file:
//
//  1. Find the hazards of the file.
//  2. Plan each function that a probe selects, except the compiler's start-up code. If utrace chose
//     the probes, plan the most useful ones.
//  3. Leave out indirect functions.
//  4. Plan single instructions.
//  5. Note the calls that the compiler has put elsewhere.
func (f *filePlan) addFuncs() error {
	funcs, err := f.img.File.Funcs()
	if err != nil {
		return err
	}
	pl := f.newPlacer(funcs)

	probes := make([]*probe.Probe, len(f.probes)) // each as it reads for this file
	for i, pr := range f.probes {
		probes[i] = forFuncs(pr, funcs)
	}

	for _, s := range f.keepMost(f.selectFuncs(funcs, probes)) {
		if err := f.addFunc(pl, *s.Func, s.symbol, s.by); err != nil {
			return err
		}
	}

	for _, fn := range f.img.File.IFuncs() {
		if symbol, by := selectFunc(fn, probes, f.matched); by != nil {
			f.leaveOut(symbol, fn.Addr, "an indirect function: the code there only chooses the implementation; probe that instead"+implementations(symbol, funcs))
		}
	}

	for _, pr := range probes {
		if !pr.Exclude && (pr.Addr != nil || pr.Offset != 0) {
			if err := f.addInstructions(pr, funcs); err != nil {
				return err
			}
		}
	}

	for i, pr := range probes {
		if f.matched[pr] {
			f.matched[f.probes[i]] = true
		}
	}
	f.finishFuncs()
	f.noteCopies(probes, funcs)
	f.addHandoffs(pl, funcs)
	return nil
}

// implementations names the functions among which an indirect one chooses, as a pattern in
// parentheses: NAME.* of the compiler's target_clones, or __NAME_* of glibc. It is "" if there are
// no such functions.
func implementations(symbol string, funcs []elffile.Func) string {
	for _, prefix := range []string{symbol + ".", "__" + strings.TrimPrefix(symbol, "__") + "_"} {
		if slices.ContainsFunc(funcs, func(fn elffile.Func) bool { return strings.HasPrefix(fn.Name, prefix) }) {
			return fmt.Sprintf(" (%s*)", prefix)
		}
	}
	return ""
}

// selectFuncs returns the functions that the probes select and that are not planned yet. It leaves
// out the compiler's start-up code, unless a probe names it.
func (f *filePlan) selectFuncs(funcs []elffile.Func, probes []*probe.Probe) (list []selectedFunc) {
	for i := range funcs {
		fn := &funcs[i]
		symbol, by := selectFunc(*fn, probes, f.matched)
		if by == nil || f.done.addrs[uint64(fn.Addr)] {
			continue
		}
		isNamed := func(pr *probe.Probe) bool { return pr.IsName(symbol) }
		if elffile.IsStartup(symbol) && !slices.ContainsFunc(probes, isNamed) {
			f.p.Startup = append(f.p.Startup, symbol)
			continue
		}
		list = append(list, selectedFunc{Func: fn, symbol: symbol, by: by})
	}
	return list
}

// newPlacer returns the placer of the file's functions. It notes the file's hazards in the module.
func (f *filePlan) newPlacer(funcs []elffile.Func) *placer {
	h := newFileHazards(f.img.File, f.hazards)
	if f.p.filtered {
		h.why, h.leaves = cmp.Or(h.why, whyFiltered), true
	}
	f.m.Hazard, f.m.Goid = h.why, h.goid
	isRecovered := func(fn elffile.Func) bool { return fn.Recovered }
	if f.m.Hazard == "" && h.nameless != "" && slices.ContainsFunc(funcs, isRecovered) {
		f.m.Hazard = h.nameless
	}
	return &placer{file: f.img.File, hazards: h, kernel: f.p.kernel, atFirstByte: f.p.placeAtEntry}
}

// addFunc plans a function that a probe selects by one of its symbols. Without a site, or if the
// values cannot be bound, it is left out. It is an error if a probe by a literal name cannot have
// its values.
func (f *filePlan) addFunc(pl *placer, fn elffile.Func, symbol string, by *probe.Probe) error {
	file, name := f.img.File, demangle.Short(symbol)+fn.VersionOf(symbol)
	placed, why := pl.place(fn, by.Values.Any())
	if why == "" {
		why = f.whyNoBreakpoint(placed.entry.Addr)
	}
	if why != "" {
		f.leaveOut(name, fn.Addr, why)
		return nil
	}

	off, _ := file.FileOff(placed.entry.Addr)
	planned := Func{
		Name: name, Symbol: symbol, Addr: uint64(fn.Addr), Size: fn.Size,
		Site: uint64(placed.entry.Addr), FileOff: uint64(off),
		Class: placed.entry.Class, SiteWhy: placed.entry.Why,
		SourceFile: fn.SourceFile, ReturnBy: placed.by, Why: placed.why,
		Returns: fileOffs(file, placed.returns), TailCalls: fileOffs(file, placed.tailCalls),
		Returning: insn.ReturnClass(file.Machine),
	}
	if f.p.slowerThan > 0 && planned.ReturnBy == Never {
		f.leaveOut(name, fn.Addr, "its return is not seen, so its duration is not known: "+planned.Why)
		return nil
	}

	vf := &values.Finder{File: file, Func: fn, Site: placed.entry.Addr, IsGo: pl.hazards.isGo}
	if err := f.bindValues(&planned, vf, by, pl.hazards.goid); err != nil {
		if by.Pattern == nil || by.Pattern.Literal != "" {
			return fmt.Errorf("%w %q: %s of %s: %w", probe.ErrProbe, by.Text, name, f.img.Path, err)
		}
		f.leaveOut(name, fn.Addr, err.Error())
		return nil
	}
	f.m.Funcs = append(f.m.Funcs, planned)
	return nil
}

// bindValues finds the values that a probe records of a function, and the values that its condition
// needs. goid is the offset of a goroutine's number: see Module.Goid.
func (f *filePlan) bindValues(fn *Func, vf *values.Finder, pr *probe.Probe, goid uint16) error {
	deferred := f.p.DefersCalls()
	if !pr.Values.Any() && !deferred {
		return nil
	}
	b, err := vf.Bind(&pr.Values, fn.ReturnBy != Never, f.p.slowerThan)
	if err != nil {
		return err
	}
	fn.Args, fn.Results = values.Declared(b.Args), values.Declared(b.Results)
	fn.Values = b.Describe(pr.Values.ConditionText, vf.File.Machine)

	template := bpf.Site{Flags: bpf.SiteFunction | bpf.SiteFrame, GoID: goid}
	if deferred {
		template.Flags |= bpf.SiteDeferred
	}
	if fn.ReturnBy == Never {
		template.Flags |= bpf.SiteNoReturn
	}
	fn.Entry, fn.Exit = b.Sites(template, vf.Site, vf.File.Machine)
	if fn.Exit != nil && fn.ReturnBy == ByTrampoline {
		fn.Exit.Flags |= bpf.SiteTrampoline
	}
	return nil
}

// finishFuncs drops functions that were planned before, and sorts the others.
func (f *filePlan) finishFuncs() {
	m := f.m
	m.Funcs = slices.DeleteFunc(m.Funcs, func(fn Func) bool { return f.done.addrs[fn.Addr] })
	for _, fn := range m.Funcs {
		f.done.addrs[fn.Addr] = true
	}
	addParams(m.Funcs)
	slices.SortStableFunc(m.Funcs, func(a, b Func) int { return cmp.Compare(a.Addr, b.Addr) })
}

// addParams adds the parameters to the names of functions that would otherwise read the same, such
// as overloads.
func addParams(funcs []Func) {
	symbols := map[string]string{}
	same := map[string]bool{}
	for _, fn := range funcs {
		if other, ok := symbols[fn.Name]; ok && other != fn.Symbol {
			same[fn.Name] = true
		}
		symbols[fn.Name] = fn.Symbol
	}
	for i, fn := range funcs {
		if same[fn.Name] && !fn.Hit {
			funcs[i].Name = demangle.Full(fn.Symbol)
		}
	}
}

// fileOffs returns the file offsets of addresses.
func fileOffs(file *elffile.File, addrs []abi.Addr) (list []uint64) {
	for _, a := range addrs {
		if off, ok := file.FileOff(a); ok {
			list = append(list, uint64(off))
		}
	}
	return list
}
