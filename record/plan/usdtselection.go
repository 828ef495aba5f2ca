//go:build linux

package plan

import (
	"fmt"
	"slices"

	"utrace/record/internal/probe"
)

// addUSDT plans the static probes of the file:
//
//  1. Leave out locations at which a breakpoint would do harm.
//  2. For each name, find the probes that select it.
//  3. Find the names that end spans. They get no function of their own.
//  4. Plan each other name, with a site for each of its locations.
func (f *filePlan) addUSDT() error {
	u, err := newUSDTPlan(f.img.File, f.p.kernel, f.whyNoBreakpoint)
	u.defers, u.slowerThan = f.p.DefersCalls(), f.p.slowerThan
	if err != nil {
		f.leaveOut("*", 0, err.Error())
	}

	f.leaveOutUnsafe(u)
	selected := f.selectUSDT(u)
	spans, ends := f.findSpans(u, selected)
	for _, span := range spans {
		key := span.begin.String() + " " + span.probe.Text
		if f.done.usdt[key] || ends[span.begin] && !span.probe.Span.None {
			continue
		}
		fn, err := u.plan(span)
		if err != nil {
			if span.probe.USDT.IsLiteral() && len(span.probe.Values.Args) > 0 {
				return fmt.Errorf("%w %q: %s: %w", probe.ErrProbe, span.probe.Text, f.m.Path, err)
			}
			f.leaveOut(span.begin.String(), u.groups[span.begin][0].Addr, err.Error())
			continue
		}
		fn.Raised = u.raised(span.begin)
		f.m.Funcs = append(f.m.Funcs, fn)
		f.done.usdt[key] = true
	}
	return nil
}

// leaveOutUnsafe leaves out the locations that probes select and at which a breakpoint would do
// harm.
func (f *filePlan) leaveOutUnsafe(u *usdtPlan) {
	for _, loc := range u.unsafeLocs {
		wanted := false
		for _, pr := range f.probes {
			if loc.name.matches(pr) {
				f.matched[pr] = true
				wanted = wanted || !pr.Exclude
			}
		}
		if wanted && !f.excludesUSDT(loc.name) {
			f.leaveOut(loc.name.String(), loc.addr, loc.why)
		}
	}
}

// excludesUSDT reports whether a static probe must not be attached, or a probe excludes it.
func (f *filePlan) excludesUSDT(n usdtName) bool {
	excludes := func(pr *probe.Probe) bool { return pr.Exclude && n.matches(pr) }
	return f.p.whyForbidden(f.img, n) != "" || slices.ContainsFunc(f.probes, excludes)
}

// selectUSDT returns the probes that select each name. It leaves out what must not be attached.
func (f *filePlan) selectUSDT(u *usdtPlan) map[usdtName][]*probe.Probe {
	selected := map[usdtName][]*probe.Probe{}
	for _, n := range u.order {
		excluded, wanted := f.excludesUSDT(n), false
		for _, pr := range f.probes {
			if !n.matches(pr) {
				continue
			}
			f.matched[pr] = true
			wanted = wanted || !pr.Exclude
			if !pr.Exclude && !excluded {
				selected[n] = append(selected[n], pr)
			}
		}
		if why := f.p.whyForbidden(f.img, n); why != "" && wanted {
			f.leaveOut(n.String(), u.groups[n][0].Addr, why)
		}
		selected[n] = detailed(selected[n])
	}
	return selected
}

// detailed returns the probes that say what to record, or else the first one.
func detailed(probes []*probe.Probe) []*probe.Probe {
	var list []*probe.Probe
	for _, p := range probes {
		v := p.Values
		if len(v.Args) > 0 || v.All || v.Condition != nil || p.Span != (probe.Span{}) {
			list = append(list, p)
		}
	}
	if len(list) > 0 {
		return list
	}
	return probes[:min(1, len(probes))]
}

// findSpans returns the span that each probe selects for each name, and the names that end a span.
func (f *filePlan) findSpans(u *usdtPlan, selected map[usdtName][]*probe.Probe) (spans []usdtSpan, ends map[usdtName]bool) {
	ends = map[usdtName]bool{}
	for _, n := range u.order {
		for _, pr := range selected[n] {
			span := usdtSpan{begin: n, probe: pr}
			span.ends, span.name = u.ends(n, pr, f.excludesUSDT)
			for _, end := range span.ends {
				ends[end] = true
			}
			if len(span.ends) > 0 {
				span.results = u.results(span.ends[0], selected[span.ends[0]])
			}
			spans = append(spans, span)
		}
	}
	return spans, ends
}
