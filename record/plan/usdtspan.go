//go:build linux

package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
	"utrace/record/internal/probe"
	"utrace/record/internal/values"
)

// usdtSpan is a static probe as one probe selects it: a span with the static probes that end it, or
// a hit without any.
type usdtSpan struct {
	begin   usdtName
	probe   *probe.Probe
	name    string
	ends    []usdtName
	results []probe.Argument // recorded at the end
}

// keyed reports whether an argument identifies overlapping spans.
func (sp *usdtSpan) keyed() bool { return sp.probe.Span.Key != "" && len(sp.ends) > 0 }

// ends returns the static probes that end a span which n begins, and the span's name. It returns
// none for a hit.
func (u *usdtPlan) ends(n usdtName, pr *probe.Probe, excluded func(usdtName) bool) (ends []usdtName, span string) {
	usual, span := probe.UsualEnds(n.name)
	switch {
	case probe.NamesFunctions(n.provider, n.name): // "function" would say nothing
		span = n.String()
	case span == "":
		span = n.name
	}
	switch {
	case pr.Span.None:
		return nil, n.name
	case pr.Span.Ends != nil:
		for _, other := range u.order {
			if other != n && pr.Span.Ends.Match(other.provider, other.name) && !excluded(other) {
				ends = append(ends, other)
			}
		}
		return ends, span
	}
	for _, name := range usual {
		if end := (usdtName{n.provider, name}); u.groups[end] != nil && !excluded(end) {
			return []usdtName{end}, span
		}
	}
	return nil, n.name
}

// results returns the arguments that the probes of an end record.
func (u *usdtPlan) results(end usdtName, selected []*probe.Probe) (results []probe.Argument) {
	for _, pr := range selected {
		results = pr.Values.Args
		if pr.Values.All {
			results = describedArguments(end, u.groups[end], results)
		}
	}
	return results
}

// plan plans a static probe, or the span that it begins:
//
//  1. Resolve the names in its condition, which may need more arguments.
//  2. Set how the BPF side treats it: the flags of its sites.
//  3. At both ends, find the argument that identifies overlapping spans.
//  4. At both ends, make a site for each location.
func (u *usdtPlan) plan(sp usdtSpan) (Func, error) {
	locations := u.locations(sp.begin, sp.probe)
	args, cond, err := u.bind(&sp, locations)
	if err != nil {
		return Func{}, err
	}
	fn := Func{
		Name: sp.name, Symbol: sp.begin.String(), USDT: sp.begin.String(),
		Addr: uint64(locations[0].Addr), Site: uint64(locations[0].Addr),
		Hit: len(sp.ends) == 0, ReturnBy: Never, Args: args, Results: sp.results, Names: sp.probe.Names,
		usdtProbes: append([]usdtName{sp.begin}, sp.ends...),
	}
	if sp.probe.Names != probe.NoNames { // the arguments are its name
		fn.Args = nil
	}

	begin := u.template(&sp, cond != nil)
	end := begin
	begin.NumConds = uint8(copy(begin.Conds[:], values.Compile(cond)))
	if begin.Flags&bpf.SiteDeferred != 0 { // the end decides the rest of the condition
		end = begin
	}
	end.Kind = format.Return

	if sp.probe.Span.Key != "" {
		if fn.Results, err = setKeys(&begin, &end, sp.probe.Span.Key, args, sp.results); err != nil {
			return fn, err
		}
		fn.Keyed = true
	}

	if fn.USDTSites, err = u.locate(sp.begin, sp.probe, args, begin); err != nil {
		return fn, err
	}
	fn.FileOff, fn.Class = fn.USDTSites[0].FileOff, fn.USDTSites[0].Class
	endArgs := fn.Results
	if sp.probe.Names != probe.NoNames { // an entry and its return have the same name
		endArgs = args
	}
	for _, n := range sp.ends {
		sites, err := u.locate(n, sp.probe, endArgs, end)
		if err != nil {
			return fn, fmt.Errorf("%s, which ends the span: %w", n, err)
		}
		fn.USDTSites = append(fn.USDTSites, sites...)
	}
	return fn, nil
}

// bind returns the arguments of a span at its locations, also the ones that only its condition
// needs, and the condition.
func (u *usdtPlan) bind(sp *usdtSpan, locations []elffile.USDTProbe) (args []probe.Argument, cond *probe.Bound, err error) {
	v := sp.probe.Values
	args = slices.Clone(v.Args)
	if v.All {
		args = describedArguments(sp.begin, locations, v.Args)
	}
	if sp.probe.Span.Ends != nil && len(sp.ends) == 0 {
		return nil, nil, errors.New("no static probe matches the end of the span (=>)")
	}
	if sp.keyed() && (u.slowerThan > 0 || probe.NeedsReturn(v.Condition)) {
		return nil, nil, errors.New("its duration cannot decide whether it is kept: a span that an argument tells apart (on) cannot be deferred to its end")
	}

	slowerThan := u.slowerThan
	if len(sp.ends) == 0 {
		slowerThan = 0
	}
	end := probe.End{Duration: len(sp.ends) > 0}
	cond, err = probe.Bind(probe.AtLeast(v.Condition, slowerThan), (*probe.Arguments)(&args), end)
	return args, cond, err
}

// template returns what all sites of a span have in common.
func (u *usdtPlan) template(sp *usdtSpan, conditional bool) bpf.Site {
	site := bpf.Site{Kind: format.Hit}
	hit := len(sp.ends) == 0
	if !hit {
		site.Kind = format.Entry
	}
	if sp.probe.Names != probe.NoNames {
		site.Flags |= bpf.SiteNamed
		site.Named = sp.probe.Names.Mask()
	}
	if sp.probe.Names != probe.PythonNames && u.endsWhereItBegins(sp) {
		site.Flags |= bpf.SiteFrame
	}

	switch {
	case u.defers && !sp.keyed():
		site.Flags |= bpf.SiteDeferred
	case !conditional || hit:
	case sp.keyed() || site.Flags&bpf.SiteFrame != 0:
		site.Flags |= bpf.SitePaired
	default:
		site.Flags |= bpf.SiteNested
	}
	return site
}

// setKeys sets the argument that identifies overlapping spans, at both ends. If no result has its
// name, the end fetches the same operand as a hidden result. setKeys returns the results with it.
func setKeys(begin, end *bpf.Site, key string, args, results []probe.Argument) ([]probe.Argument, error) {
	at, err := (*probe.Arguments)(&args).Find(key, probe.Type{})
	if err != nil {
		return nil, err
	}
	results = slices.Clone(results)
	atEnd, err := (*probe.Arguments)(&results).Find(key, probe.Type{})
	if err != nil {
		hidden := args[at]
		hidden.Hidden = true
		results, atEnd = append(results, hidden), len(results)
	}
	begin.Flags, begin.Key = begin.Flags|bpf.SiteKeyed, uint8(at)
	end.Flags, end.Key = end.Flags|bpf.SiteKeyed, uint8(atEnd)
	return results, nil
}

// endsWhereItBegins reports whether a span ends in the functions where it begins. Then the stack
// pointer is the same at both ends, and pairs them even if an error jumped over an end. This fails
// for CPython 3.11, which runs several Python calls in one C frame: the stack pointer cannot tell
// them apart.
func (u *usdtPlan) endsWhereItBegins(sp *usdtSpan) bool {
	funcs := func(n usdtName) map[abi.Addr]bool {
		set := map[abi.Addr]bool{}
		for _, loc := range u.locations(n, sp.probe) {
			fn, ok := u.file.FuncAt(loc.Addr)
			if !ok {
				return nil
			}
			set[fn.Addr] = true
		}
		return set
	}
	begins := funcs(sp.begin)
	for _, end := range sp.ends {
		if !maps.Equal(begins, funcs(end)) {
			return false
		}
	}
	return len(sp.ends) > 0 && len(begins) > 0
}
