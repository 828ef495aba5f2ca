//go:build linux

package record

import (
	"cmp"
	"fmt"
	"slices"

	"utrace/bpf"
	"utrace/record/internal/target"
)

// addFuncs plans the functions of a file.
func (p *Plan) addFuncs(m *PlannedModule, probes []*Probe, around surroundings, done *plannedFile, matched map[*Probe]bool, leaveOut func(string, target.Addr, string)) error {
	img := m.image
	funcs, err := img.file.Funcs()
	if err != nil {
		return fmt.Errorf("%s: symbols: %w", img.path, err)
	}
	h := newHazards(img.file, around)
	m.Hazard, m.Goid = h.why, h.goid
	if m.Hazard == "" && h.nameless != "" && slices.ContainsFunc(funcs, func(fn target.Func) bool { return fn.Recovered }) {
		m.Hazard = h.nameless
	}
	asked := probes
	probes = make([]*Probe, len(asked))
	for i, probe := range asked {
		probes[i] = probe.forFuncs(funcs)
	}
	for _, fn := range funcs {
		symbol, by := selectFunc(fn, probes, matched)
		if by == nil || done.addrs[uint64(fn.Addr)] {
			continue
		}
		if isStartup(symbol) && !slices.ContainsFunc(probes, func(p *Probe) bool { return p.isName(symbol) }) {
			p.Startup = append(p.Startup, symbol)
			continue
		}
		placed, why := place(img.file, fn, h, p.sites, p.naive, by.values.any())
		off, _ := img.file.FileOff(placed.entry.addr)
		if why != "" {
			leaveOut(target.DemangleNoParams(symbol), fn.Addr, why)
			continue
		}
		pf := PlannedFunc{
			Name: target.DemangleNoParams(symbol), Symbol: symbol, Addr: uint64(fn.Addr), Size: fn.Size,
			Site: uint64(placed.entry.addr), FileOff: uint64(off), Class: placed.entry.class, SiteWhy: placed.entry.why,
			SourceFile: fn.SourceFile, ReturnBy: placed.by, Why: placed.why,
		}
		pf.Returns, pf.TailCalls = fileOffs(img.file, placed.returns), fileOffs(img.file, placed.tailCalls)
		pf.Returning = returnClass(img.file.Machine)
		if p.slower > 0 && pf.ReturnBy == Never {
			leaveOut(pf.Name, fn.Addr, "its return is not seen, so that it is not known how long it takes (--slower-than): "+pf.Why)
			continue
		}
		if err := p.bindValues(&pf, img.file, fn, by, h); err != nil {
			if by.pattern == nil || by.pattern.literal != "" {
				return fmt.Errorf("%w %q: %s of %s: %w", ErrProbe, by.Text, pf.Name, img.path, err)
			}
			leaveOut(pf.Name, fn.Addr, err.Error())
			continue
		}
		m.Funcs = append(m.Funcs, pf)
	}
	for _, fn := range img.file.IFuncs() {
		if symbol, by := selectFunc(fn, probes, matched); by != nil {
			leaveOut(symbol, fn.Addr, "an indirect function: the code there only chooses the implementation; probe that instead")
		}
	}
	for _, probe := range probes {
		if !probe.Exclude && (probe.addr != nil || probe.delta != 0) {
			if err := p.addInstructions(m, probe, funcs, matched, leaveOut); err != nil {
				return err
			}
		}
	}
	for i, probe := range probes {
		if matched[probe] {
			matched[asked[i]] = true
		}
	}
	m.Funcs = slices.DeleteFunc(m.Funcs, func(fn PlannedFunc) bool { return done.addrs[fn.Addr] })
	for _, fn := range m.Funcs {
		done.addrs[fn.Addr] = true
	}
	distinguish(m.Funcs)
	slices.SortStableFunc(m.Funcs, func(a, b PlannedFunc) int { return cmp.Compare(a.Addr, b.Addr) })
	return nil
}

// fileOffs returns where in the file addresses are.
func fileOffs(file *target.File, addrs []target.Addr) (list []uint64) {
	for _, a := range addrs {
		if off, ok := file.FileOff(a); ok {
			list = append(list, uint64(off))
		}
	}
	return list
}

// bindValues finds what a probe wants of a function beside the time.
func (p *Plan) bindValues(fn *PlannedFunc, file *target.File, f target.Func, probe *Probe, h hazards) error {
	follow := p.followsCalls()
	if !probe.values.any() && !follow {
		return nil
	}
	s := signature{file: file, fn: f, site: target.Addr(fn.Site), isGo: h.isGo}
	b, err := s.bind(&probe.values, fn.ReturnBy != Never, p.slower)
	if err != nil {
		return err
	}
	fn.args, fn.results = b.args, b.results
	fn.Values = b.describe(probe.values.condText, file.Machine)
	template := bpf.Site{Flags: bpf.SiteFunction | bpf.SiteFrame, GoID: h.goid}
	if follow {
		template.Flags |= bpf.SiteDeferred
	}
	if fn.ReturnBy == Never {
		template.Flags |= bpf.SiteNoReturn
	}
	fn.entry, fn.exit = b.sites(template, s.site, file.Machine)
	if fn.exit != nil && fn.ReturnBy == ByTrampoline {
		fn.exit.Flags |= bpf.SiteTrampoline
	}
	return nil
}
