//go:build linux

package plan

import (
	"cmp"
	"fmt"
	"slices"

	"utrace/bpf"
	"utrace/record/internal/abi"
	"utrace/record/internal/demangle"
	"utrace/record/internal/elffile"
	"utrace/record/internal/insn"
	"utrace/record/internal/probe"
)

// addFuncs plans the functions of the file.
func (f *filePlan) addFuncs() error {
	funcs, err := f.img.File.Funcs()
	if err != nil {
		return fmt.Errorf("%s: symbols: %w", f.img.Path, err)
	}
	h := newHazards(f.img.File, f.around)
	f.m.Hazard, f.m.Goid = h.why, h.goid
	if f.m.Hazard == "" && h.nameless != "" && slices.ContainsFunc(funcs, func(fn elffile.Func) bool { return fn.Recovered }) {
		f.m.Hazard = h.nameless
	}

	probes := make([]*probe.Probe, len(f.probes)) // as they are to be read for this file
	for i, pr := range f.probes {
		probes[i] = forFuncs(pr, funcs)
	}
	for _, fn := range funcs {
		symbol, by := selectFunc(fn, probes, f.matched)
		if by == nil || f.done.addrs[uint64(fn.Addr)] {
			continue
		}
		if IsStartup(symbol) && !slices.ContainsFunc(probes, func(pr *probe.Probe) bool { return pr.IsName(symbol) }) {
			f.p.Startup = append(f.p.Startup, symbol)
			continue
		}
		if err := f.addFunc(fn, symbol, by, h); err != nil {
			return err
		}
	}
	for _, fn := range f.img.File.IFuncs() {
		if symbol, by := selectFunc(fn, probes, f.matched); by != nil {
			f.leaveOut(symbol, fn.Addr, "an indirect function: the code there only chooses the implementation; probe that instead")
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
	return nil
}

// addFunc plans a function that a probe selects by one of its symbols.
func (f *filePlan) addFunc(fn elffile.Func, symbol string, by *probe.Probe, h hazards) error {
	file, name := f.img.File, demangle.Short(symbol)
	placed, why := place(file, fn, h, f.p.sites, f.p.atFirstByte, by.Values.Any())
	if why != "" {
		f.leaveOut(name, fn.Addr, why)
		return nil
	}
	off, _ := file.FileOff(placed.entry.Addr)
	planned := Func{
		Name: name, Symbol: symbol, Addr: uint64(fn.Addr), Size: fn.Size,
		Site: uint64(placed.entry.Addr), FileOff: uint64(off), Class: placed.entry.Class, SiteWhy: placed.entry.Why,
		SourceFile: fn.SourceFile, ReturnBy: placed.by, Why: placed.why,
		Returns: fileOffs(file, placed.returns), TailCalls: fileOffs(file, placed.tailCalls), Returning: insn.ReturnClass(file.Machine),
	}
	if f.p.slower > 0 && planned.ReturnBy == Never {
		f.leaveOut(name, fn.Addr, "its return is not seen, so its duration is not known: "+planned.Why)
		return nil
	}
	if err := f.p.bindValues(&planned, file, fn, by, h); err != nil {
		if by.Pattern == nil || by.Pattern.Literal != "" {
			return fmt.Errorf("%w %q: %s of %s: %w", probe.ErrProbe, by.Text, name, f.img.Path, err)
		}
		f.leaveOut(name, fn.Addr, err.Error())
		return nil
	}
	f.m.Funcs = append(f.m.Funcs, planned)
	return nil
}

// finishFuncs drops functions that were planned before, and puts the others in order.
func (f *filePlan) finishFuncs() {
	m := f.m
	m.Funcs = slices.DeleteFunc(m.Funcs, func(fn Func) bool { return f.done.addrs[fn.Addr] })
	for _, fn := range m.Funcs {
		f.done.addrs[fn.Addr] = true
	}
	distinguish(m.Funcs)
	slices.SortStableFunc(m.Funcs, func(a, b Func) int { return cmp.Compare(a.Addr, b.Addr) })
}

// fileOffs returns where in the file addresses are.
func fileOffs(file *elffile.File, addrs []abi.Addr) (list []uint64) {
	for _, a := range addrs {
		if off, ok := file.FileOff(a); ok {
			list = append(list, uint64(off))
		}
	}
	return list
}

// bindValues finds what a probe wants of a function beside the time.
func (p *Plan) bindValues(fn *Func, file *elffile.File, f elffile.Func, pr *probe.Probe, h hazards) error {
	follow := p.DefersCalls()
	if !pr.Values.Any() && !follow {
		return nil
	}
	s := valueFinder{file: file, fn: f, site: abi.Addr(fn.Site), isGo: h.isGo}
	b, err := s.bind(&pr.Values, fn.ReturnBy != Never, p.slower)
	if err != nil {
		return err
	}
	fn.Args, fn.Results = declared(b.args), declared(b.results)
	fn.Values = b.describe(pr.Values.ConditionText, file.Machine)
	template := bpf.Site{Flags: bpf.SiteFunction | bpf.SiteFrame, GoID: h.goid}
	if follow {
		template.Flags |= bpf.SiteDeferred
	}
	if fn.ReturnBy == Never {
		template.Flags |= bpf.SiteNoReturn
	}
	fn.Entry, fn.Exit = b.sites(template, s.site, file.Machine)
	if fn.Exit != nil && fn.ReturnBy == ByTrampoline {
		fn.Exit.Flags |= bpf.SiteTrampoline
	}
	return nil
}
