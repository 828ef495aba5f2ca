package plan

import (
	"slices"

	"utrace/record/internal/elffile"
	"utrace/record/internal/probe"
)

// selection collects which probe selects a function, and by which of its symbols.
type selection struct {
	symbol   string
	by       *probe.Probe // nil: none does
	excluded bool
}

// selectFunc returns the probe that selects a function, nil if none does, and by which of the
// function's symbols. If several do, it is the first with values, or else the first. Probes that
// match are noted in matched.
func selectFunc(fn elffile.Func, probes []*probe.Probe, matched map[*probe.Probe]bool) (symbol string, by *probe.Probe) {
	var s selection
	for _, pr := range probes {
		switch {
		case pr.Addr != nil && *pr.Addr == uint64(fn.Addr):
			matched[pr] = true
			s.add(pr, fn.Name, false)
		case pr.Pattern == nil || pr.Offset != 0:
		default:
			if name, ok := matchFunc(pr.Pattern, fn); ok {
				matched[pr] = true
				s.add(pr, name, pr.Pattern.Literal != "")
			}
		}
	}
	if s.excluded {
		return s.symbol, nil
	}
	return s.symbol, s.by
}

// add adds a probe that matches a symbol. literal is set if it is a name, not a pattern.
func (s *selection) add(pr *probe.Probe, symbol string, literal bool) {
	if pr.Exclude {
		s.excluded = true
		return
	}
	if s.by == nil || literal {
		s.symbol = symbol
	}
	if s.by == nil || pr.Values.Any() && !s.by.Values.Any() {
		s.by = pr
	}
}

// matchFunc reports whether a pattern matches a function, and which of its symbols.
func matchFunc(p *probe.Pattern, fn elffile.Func) (symbol string, ok bool) {
	return p.MatchSymbols(fn.Name, fn.Aliases, fn.Versions)
}

// forFuncs returns a probe as it reads for the functions of a file. Names in parentheses are
// parameters if the file has such a function, and arguments to record otherwise.
func forFuncs(p *probe.Probe, funcs []elffile.Func) *probe.Probe {
	isOverload := func(fn elffile.Func) bool { _, ok := matchFunc(p.Overload, fn); return ok }
	if p.Overload != nil && slices.ContainsFunc(funcs, isOverload) {
		return p.AsOverload()
	}
	return p
}
