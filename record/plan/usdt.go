//go:build linux

package plan

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/insn"
	"utrace/record/internal/probe"
	"utrace/record/internal/suggest"
)

// StaticSite is a location of a static probe, and what to do there.
type USDTSite struct {
	Addr         uint64 // virtual address as the file has it
	FileOff      uint64
	SemaphoreOff uint64 // as an offset into the file, 0 for none
	Class        insn.Class
	Site         bpf.Site // but for Func
}

// staticName is what locations of one static probe have in common.
type usdtName struct{ provider, name string }

func (n usdtName) String() string { return n.provider + ":" + n.name }

// staticPlan plans the static probes of one file.
type usdtPlan struct {
	file   *elffile.File
	sites  insn.Kernel
	defers bool          // see Plan.followsCalls
	slower time.Duration // see Config.SlowerThan
	groups map[usdtName][]elffile.USDTProbe
	order  []usdtName
	// misplaced are the locations that no group has, because a breakpoint there would do harm.
	misplaced []misplaced
}

func newUSDTPlan(file *elffile.File, sites insn.Kernel) (*usdtPlan, error) {
	list, err := file.USDTProbes()
	s := &usdtPlan{file: file, sites: sites, groups: map[usdtName][]elffile.USDTProbe{}}
	list, s.misplaced = placeUSDT(file, list)
	for _, p := range list {
		n := usdtName{p.Provider, p.Name}
		if s.groups[n] == nil {
			s.order = append(s.order, n)
		}
		s.groups[n] = append(s.groups[n], p)
	}
	return s, err
}

// hasStatic reports whether a file has a static probe that the pattern matches.
func hasUSDT(file *elffile.File, pattern *probe.USDTPattern) bool {
	list, _ := file.USDTProbes()
	return slices.ContainsFunc(list, func(p elffile.USDTProbe) bool { return pattern.Match(p.Provider, p.Name) })
}

// addStatics plans the static probes of a file:
//
//  1. Locations that are no place for a breakpoint are left out: see elffile.File.UnprobeableUSDT.
//  2. Which probes select each of its names; of those that record nothing special one is enough.
//  3. Names that end a span are no probes of their own.
//  4. Each location gets a site with the operands that it has.
func (p *Plan) addUSDT(m *Module, probes []*probe.Probe, done *plannedFile, matched map[*probe.Probe]bool, leaveOut func(string, abi.Addr, string)) error {
	s, err := newUSDTPlan(m.Image.File, p.sites)
	s.defers, s.slower = p.DefersCalls(), p.slower
	if err != nil {
		leaveOut("*", 0, err.Error())
	}
	excluded := func(n usdtName) bool {
		return p.harm(m.Image, n) != "" || slices.ContainsFunc(probes, func(pr *probe.Probe) bool {
			return pr.Exclude && pr.USDT != nil && pr.USDT.Match(n.provider, n.name)
		})
	}
	s.leaveOutMisplaced(probes, excluded, matched, leaveOut)
	selected := map[usdtName][]*probe.Probe{}
	for _, n := range s.order {
		for _, pr := range probes {
			if pr.USDT == nil || !pr.USDT.Match(n.provider, n.name) {
				continue
			}
			matched[pr] = true
			if !pr.Exclude && !excluded(n) {
				selected[n] = append(selected[n], pr)
			}
		}
		if why := p.harm(m.Image, n); why != "" && slices.ContainsFunc(probes, func(p *probe.Probe) bool { return !p.Exclude && p.USDT != nil && p.USDT.Match(n.provider, n.name) }) {
			leaveOut(n.String(), s.groups[n][0].Addr, why)
		}
		selected[n] = mostDetailed(selected[n])
	}
	ends := map[usdtName]bool{}
	type planned struct {
		begin usdtName
		probe *probe.Probe
		span  string
		ends  []usdtName
	}
	var list []planned
	for _, n := range s.order {
		for _, pr := range selected[n] {
			pl := planned{begin: n, probe: pr}
			pl.ends, pl.span = s.ends(n, pr, excluded)
			for _, end := range pl.ends {
				ends[end] = true
			}
			list = append(list, pl)
		}
	}
	for _, pl := range list {
		key := pl.begin.String() + " " + pl.probe.Text
		if done.usdt[key] || ends[pl.begin] && !pl.probe.Span.None {
			continue
		}
		var results []probe.Argument
		if len(pl.ends) > 0 {
			for _, pr := range selected[pl.ends[0]] {
				results = pr.Values.Args
				if pr.Values.All {
					results = describedArguments(s.groups[pl.ends[0]][0].Args, results)
				}
			}
		}
		fn, err := s.function(pl.begin, pl.probe, pl.span, pl.ends, results)
		if err != nil {
			if pl.probe.USDT.IsLiteral() && len(pl.probe.Values.Args) > 0 {
				return fmt.Errorf("%w %q: %s: %w", probe.ErrProbe, pl.probe.Text, m.Path, err)
			}
			leaveOut(pl.begin.String(), s.groups[pl.begin][0].Addr, err.Error())
			continue
		}
		fn.Raised = s.raised(pl.begin)
		m.Funcs = append(m.Funcs, fn)
		done.usdt[key] = true
	}
	return nil
}

// mostSpecial leaves of the probes that select a name those that say what to record, or else
// the first.
func mostDetailed(probes []*probe.Probe) []*probe.Probe {
	var special []*probe.Probe
	for _, p := range probes {
		v := p.Values
		if len(v.Args) > 0 || v.All || v.Condition != nil || p.Span != (probe.Span{}) {
			special = append(special, p)
		}
	}
	if len(special) > 0 {
		return special
	}
	return probes[:min(1, len(probes))]
}

// ends returns the probes that end what a probe begins, and the name of the span.
func (s *usdtPlan) ends(n usdtName, pr *probe.Probe, excluded func(usdtName) bool) (ends []usdtName, span string) {
	usual, span := probe.UsualEnds(n.name)
	if span == "" {
		span = n.name
	}
	switch {
	case pr.Span.None:
		return nil, n.name
	case pr.Span.Ends != nil:
		for _, other := range s.order {
			if other != n && pr.Span.Ends.Match(other.provider, other.name) && !excluded(other) {
				ends = append(ends, other)
			}
		}
		return ends, span
	}
	for _, name := range usual {
		if end := (usdtName{n.provider, name}); s.groups[end] != nil && !excluded(end) {
			return []usdtName{end}, span
		}
	}
	return nil, n.name
}

// function plans a static probe, or the span that it begins.
func (s *usdtPlan) function(begin usdtName, pr *probe.Probe, span string, ends []usdtName, results []probe.Argument) (Func, error) {
	locations := s.locations(begin, pr)
	args := pr.Values.Args
	if pr.Values.All {
		args = describedArguments(locations[0].Args, args)
	}
	if pr.Span.Ends != nil && len(ends) == 0 {
		return Func{}, fmt.Errorf("no static probe ends the span (=>)")
	}
	keyed := pr.Span.Key != "" && len(ends) > 0
	if keyed && (s.slower > 0 || probe.NeedsReturn(pr.Values.Condition)) {
		return Func{}, errors.New("a span that an argument tells apart is not followed to its end in the kernel: it cannot be kept or not by its duration")
	}
	least := s.slower
	if len(ends) == 0 {
		least = 0
	}
	args = slices.Clone(args)
	cond, err := probe.Bind(probe.AtLeast(pr.Values.Condition, least), (*probe.Arguments)(&args), probe.End{Duration: len(ends) > 0})
	if err != nil {
		return Func{}, err
	}
	conds := compile(cond)
	fn := Func{
		Name: span, Symbol: begin.String(), Addr: uint64(locations[0].Addr), Site: uint64(locations[0].Addr), USDT: begin.String(),
		Hit: len(ends) == 0, ReturnBy: Never, Args: args, Results: results, Names: pr.Names,
		usdtProbes: append([]usdtName{begin}, ends...),
	}
	template := bpf.Site{Kind: format.Hit}
	if !fn.Hit {
		template.Kind = format.Entry
	}
	if pr.Names != probe.NoNames {
		template.Flags |= bpf.SiteNamed
		template.Named = pr.Names.Mask()
		fn.Args = nil // they are its name
	}
	if pr.Names != probe.PythonNames && s.sameFunctions(begin, ends, pr) {
		template.Flags |= bpf.SiteFrame
	}
	switch {
	case s.defers && !keyed:
		template.Flags |= bpf.SiteDeferred
	case cond == nil || fn.Hit:
	case keyed || template.Flags&bpf.SiteFrame != 0:
		template.Flags |= bpf.SitePaired
	default:
		template.Flags |= bpf.SiteNested
	}
	end := template
	template.NumConds = uint8(copy(template.Conds[:], conds))
	if template.Flags&bpf.SiteDeferred != 0 { // what is left of it is decided there
		end = template
	}
	if pr.Span.Key != "" {
		at, err := (*probe.Arguments)(&args).Find(pr.Span.Key, probe.Type{})
		if err != nil {
			return fn, err
		}
		template.Flags |= bpf.SiteKeyed
		template.Key = uint8(at)
		// The end has it under the same name, or in the same place.
		results = slices.Clone(results)
		atEnd, err := (*probe.Arguments)(&results).Find(pr.Span.Key, probe.Type{})
		if err != nil {
			key := args[at]
			key.Hidden = true
			results, atEnd = append(results, key), len(results)
		}
		end.Flags |= bpf.SiteKeyed
		end.Key = uint8(atEnd)
		fn.Results, fn.Keyed = results, true
	}
	if fn.USDTSites, err = s.locate(begin, pr, args, template); err != nil {
		return fn, err
	}
	fn.FileOff, fn.Class = fn.USDTSites[0].FileOff, fn.USDTSites[0].Class
	end.Kind = format.Return
	for _, n := range ends {
		endArgs := results
		if pr.Names != probe.NoNames { // an entry and its return have the same name
			endArgs = args
		}
		sites, err := s.locate(n, pr, endArgs, end)
		if err != nil {
			return fn, fmt.Errorf("%s, which ends it: %w", n, err)
		}
		fn.USDTSites = append(fn.USDTSites, sites...)
	}
	return fn, nil
}

// locations returns the locations of a static probe that count for a probe.
func (s *usdtPlan) locations(n usdtName, pr *probe.Probe) []elffile.USDTProbe {
	all := s.groups[n]
	if pr.Within == "" {
		return all
	}
	inside := slices.DeleteFunc(slices.Clone(all), func(loc elffile.USDTProbe) bool {
		fn, ok := s.file.FuncAt(loc.Addr)
		return !ok || fn.Name != pr.Within
	})
	if len(inside) == 0 {
		return all
	}
	return inside
}

// sameFunctions reports whether a span ends in the functions that it begins in. Then the stack pointer is the
// same at both, which pairs them even where an error has jumped over the end. Not so in an interpreter that runs
// calls of its own language in one frame, as CPython 3.11 does.
func (s *usdtPlan) sameFunctions(begin usdtName, ends []usdtName, pr *probe.Probe) bool {
	starts := func(n usdtName) map[abi.Addr]bool {
		set := map[abi.Addr]bool{}
		for _, loc := range s.locations(n, pr) {
			fn, ok := s.file.FuncAt(loc.Addr)
			if !ok {
				return nil
			}
			set[fn.Addr] = true
		}
		return set
	}
	first := starts(begin)
	for _, end := range ends {
		if !maps.Equal(first, starts(end)) {
			return false
		}
	}
	return len(ends) > 0 && len(first) > 0
}

// describedArguments returns all arguments that a probe has itself, with the types that its operands tell;
// more are hidden ones.
func describedArguments(ops []abi.Operand, more []probe.Argument) []probe.Argument {
	var args []probe.Argument
	for i, op := range ops[:min(len(ops), bpf.MaxArgs)] {
		letter, kind := "u", probe.KindNumber
		switch {
		case op.Float:
			letter, kind = "f", probe.KindFloat
		case op.Signed:
			letter = "s"
		}
		args = append(args, probe.Argument{
			Name: fmt.Sprintf("arg%d", i+1), Pos: i, Described: true,
			Type: probe.Type{Name: fmt.Sprintf("%s%d", letter, 8*op.Size), Kind: kind, Size: op.Size, Signed: op.Signed},
		})
	}
	return append(args, more...)
}

// locate returns the sites of all locations of a probe, with the operands that each has for the arguments.
func (s *usdtPlan) locate(n usdtName, pr *probe.Probe, args []probe.Argument, template bpf.Site) ([]USDTSite, error) {
	var sites []USDTSite
	unreadable := make([]int, len(args)) // locations, by argument
	why := make([]string, len(args))
	if len(args) > bpf.MaxArgs {
		return nil, fmt.Errorf("%d arguments, those of conditions and lengths included: %d are the most", len(args), bpf.MaxArgs)
	}
	for _, loc := range s.locations(n, pr) {
		off, _ := s.file.FileOff(loc.Addr)
		st := USDTSite{Addr: uint64(loc.Addr), FileOff: uint64(off), Class: classAt(s.file, loc.Addr, s.sites), Site: template}
		if loc.Semaphore != 0 {
			sem, ok := s.file.DataOff(loc.Semaphore)
			if !ok {
				return nil, fmt.Errorf("its semaphore at %#x is not in the file", uint64(loc.Semaphore))
			}
			st.SemaphoreOff = uint64(sem)
		}
		st.Site.NumArgs = uint8(len(args))
		for i, a := range args {
			if a.Pos >= len(loc.Args) {
				return nil, fmt.Errorf("%s has %d arguments (%s), no %d", n, len(loc.Args), loc.ArgText, a.Pos+1)
			}
			op := loc.Args[a.Pos]
			if op.Unreadable != "" {
				unreadable[i]++
				why[i] = op.Text + ": " + op.Unreadable
			}
			st.Site.Args[i] = fetchArg(a, op, loc.Addr, s.file.Machine)
			if a.LengthAt > 0 {
				st.Site.Args[i].LengthArg = uint8(a.LengthAt - 1)
			}
		}
		sites = append(sites, st)
	}
	for i, a := range args {
		if unreadable[i] == len(sites) && !a.Described {
			return nil, fmt.Errorf("%s: argument %d (%s) cannot be read: %s", n, a.Pos+1, a.Name, why[i])
		}
	}
	return sites, nil
}

// noStatic explains a probe that matches no static probe of the files in which it was looked for.
func noUSDT(pr *probe.Probe, looked []*image.Image) error {
	var near []string
	files, total := 0, 0
	for _, img := range looked {
		list, _ := img.File.USDTProbes()
		if len(list) == 0 {
			continue
		}
		files++
		for _, p := range list {
			total++
			n := usdtName{p.Provider, p.Name}.String()
			if !slices.Contains(near, n) {
				near = append(near, n)
			}
		}
	}
	slices.SortFunc(near, cmp.Compare[string])
	hint := ""
	if pr.USDT.IsLiteral() {
		hint = suggest.Nearest(pr.USDT.Provider.Literal+":"+pr.USDT.Name.Literal, near)
	}
	if total == 0 {
		return fmt.Errorf("%w %q: %w: none of the files that were looked at has any", probe.ErrProbe, pr.Text, errNoUSDT)
	}
	return fmt.Errorf("%w %q: %w among the %d of %d files (utrace list shows them)%s", probe.ErrProbe, pr.Text, errNoUSDT, total, files, hint)
}
