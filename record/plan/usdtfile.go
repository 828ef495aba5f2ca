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
//  2. Select the probes for each name.
//  3. Find the names that end spans: these are no probes of their own.
//  4. Plan each name, with a site for each of its locations.
func (f *filePlan) addUSDT() error {
	s, err := newUSDTPlan(f.img.File, f.p.sites)
	s.defers, s.slower = f.p.DefersCalls(), f.p.slower
	if err != nil {
		f.leaveOut("*", 0, err.Error())
	}
	f.leaveOutMisplaced(s)
	selected := f.selectUSDT(s)
	spans, ends := f.findSpans(s, selected)
	for _, span := range spans {
		key := span.begin.String() + " " + span.probe.Text
		if f.done.usdt[key] || ends[span.begin] && !span.probe.Span.None {
			continue
		}
		fn, err := s.plan(span)
		if err != nil {
			if span.probe.USDT.IsLiteral() && len(span.probe.Values.Args) > 0 {
				return fmt.Errorf("%w %q: %s: %w", probe.ErrProbe, span.probe.Text, f.m.Path, err)
			}
			f.leaveOut(span.begin.String(), s.groups[span.begin][0].Addr, err.Error())
			continue
		}
		fn.Raised = s.raised(span.begin)
		f.m.Funcs = append(f.m.Funcs, fn)
		f.done.usdt[key] = true
	}
	return nil
}

// excludesUSDT reports whether a static probe must not be attached, or is excluded by a probe.
func (f *filePlan) excludesUSDT(n usdtName) bool {
	return f.p.harm(f.img, n) != "" || slices.ContainsFunc(f.probes, func(pr *probe.Probe) bool { return pr.Exclude && n.matches(pr) })
}

// selectUSDT returns the probes that select each name. It leaves out what must not be attached.
func (f *filePlan) selectUSDT(s *usdtPlan) map[usdtName][]*probe.Probe {
	selected := map[usdtName][]*probe.Probe{}
	for _, n := range s.order {
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
		if why := f.p.harm(f.img, n); why != "" && wanted {
			f.leaveOut(n.String(), s.groups[n][0].Addr, why)
		}
		selected[n] = mostDetailed(selected[n])
	}
	return selected
}

// mostDetailed returns those of the probes of a name that say what to record, or else the first probe.
func mostDetailed(probes []*probe.Probe) []*probe.Probe {
	var detailed []*probe.Probe
	for _, p := range probes {
		v := p.Values
		if len(v.Args) > 0 || v.All || v.Condition != nil || p.Span != (probe.Span{}) {
			detailed = append(detailed, p)
		}
	}
	if len(detailed) > 0 {
		return detailed
	}
	return probes[:min(1, len(probes))]
}

// findSpans returns what each probe of each name plans, and the names that end a span.
func (f *filePlan) findSpans(s *usdtPlan, selected map[usdtName][]*probe.Probe) (spans []usdtSpan, ends map[usdtName]bool) {
	ends = map[usdtName]bool{}
	for _, n := range s.order {
		for _, pr := range selected[n] {
			span := usdtSpan{begin: n, probe: pr}
			span.ends, span.name = s.ends(n, pr, f.excludesUSDT)
			for _, end := range span.ends {
				ends[end] = true
			}
			if len(span.ends) > 0 {
				span.results = s.results(span.ends[0], selected[span.ends[0]])
			}
			spans = append(spans, span)
		}
	}
	return spans, ends
}
