//go:build linux

package plan

import (
	"cmp"
	"fmt"
	"slices"

	"utrace/bpf"
	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
	"utrace/record/internal/insn"
	"utrace/record/internal/probe"
)

// addFuncs plans the functions of a file.
func (p *Plan) addFuncs(m *Module, probes []*probe.Probe, around surroundings, done *plannedFile, matched map[*probe.Probe]bool, leaveOut func(string, abi.Addr, string)) error {
	img := m.Image
	funcs, err := img.File.Funcs()
	if err != nil {
		return fmt.Errorf("%s: symbols: %w", img.Path, err)
	}
	h := newHazards(img.File, around)
	m.Hazard, m.Goid = h.why, h.goid
	if m.Hazard == "" && h.nameless != "" && slices.ContainsFunc(funcs, func(fn elffile.Func) bool { return fn.Recovered }) {
		m.Hazard = h.nameless
	}
	asked := probes
	probes = make([]*probe.Probe, len(asked))
	for i, pr := range asked {
		probes[i] = forFuncs(pr, funcs)
	}
	for _, fn := range funcs {
		symbol, by := selectFunc(fn, probes, matched)
		if by == nil || done.addrs[uint64(fn.Addr)] {
			continue
		}
		if IsStartup(symbol) && !slices.ContainsFunc(probes, func(p *probe.Probe) bool { return p.IsName(symbol) }) {
			p.Startup = append(p.Startup, symbol)
			continue
		}
		placed, why := place(img.File, fn, h, p.sites, p.atFirstByte, by.Values.Any())
		off, _ := img.File.FileOff(placed.entry.Addr)
		if why != "" {
			leaveOut(elffile.DemangleNoParams(symbol), fn.Addr, why)
			continue
		}
		pf := Func{
			Name: elffile.DemangleNoParams(symbol), Symbol: symbol, Addr: uint64(fn.Addr), Size: fn.Size,
			Site: uint64(placed.entry.Addr), FileOff: uint64(off), Class: placed.entry.Class, SiteWhy: placed.entry.Why,
			SourceFile: fn.SourceFile, ReturnBy: placed.by, Why: placed.why,
		}
		pf.Returns, pf.TailCalls = fileOffs(img.File, placed.returns), fileOffs(img.File, placed.tailCalls)
		pf.Returning = insn.ReturnClass(img.File.Machine)
		if p.slower > 0 && pf.ReturnBy == Never {
			leaveOut(pf.Name, fn.Addr, "its return is not seen, so that it is not known how long it takes (--slower-than): "+pf.Why)
			continue
		}
		if err := p.bindValues(&pf, img.File, fn, by, h); err != nil {
			if by.Pattern == nil || by.Pattern.Literal != "" {
				return fmt.Errorf("%w %q: %s of %s: %w", probe.ErrProbe, by.Text, pf.Name, img.Path, err)
			}
			leaveOut(pf.Name, fn.Addr, err.Error())
			continue
		}
		m.Funcs = append(m.Funcs, pf)
	}
	for _, fn := range img.File.IFuncs() {
		if symbol, by := selectFunc(fn, probes, matched); by != nil {
			leaveOut(symbol, fn.Addr, "an indirect function: the code there only chooses the implementation; probe that instead")
		}
	}
	for _, pr := range probes {
		if !pr.Exclude && (pr.Addr != nil || pr.Offset != 0) {
			if err := p.addInstructions(m, pr, funcs, matched, leaveOut); err != nil {
				return err
			}
		}
	}
	for i, pr := range probes {
		if matched[pr] {
			matched[asked[i]] = true
		}
	}
	m.Funcs = slices.DeleteFunc(m.Funcs, func(fn Func) bool { return done.addrs[fn.Addr] })
	for _, fn := range m.Funcs {
		done.addrs[fn.Addr] = true
	}
	distinguish(m.Funcs)
	slices.SortStableFunc(m.Funcs, func(a, b Func) int { return cmp.Compare(a.Addr, b.Addr) })
	return nil
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
