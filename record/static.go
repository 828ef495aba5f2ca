//go:build linux

package record

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/target"
)

// StaticSite is a location of a static probe, and what to do there.
type StaticSite struct {
	Addr         uint64 // virtual address as the file has it
	FileOff      uint64
	SemaphoreOff uint64 // as an offset into the file, 0 for none
	Class        SiteClass
	site         bpf.Site // but for Func
}

// staticName is what locations of one static probe have in common.
type staticName struct{ provider, name string }

func (n staticName) String() string { return n.provider + ":" + n.name }

// staticPlan plans the static probes of one file.
type staticPlan struct {
	file   *target.File
	sites  kernelSites
	follow bool          // see Plan.followsCalls
	slower time.Duration // see Config.SlowerThan
	groups map[staticName][]target.StaticProbe
	order  []staticName
	// misplaced are the locations that no group has, because a breakpoint there would do harm.
	misplaced []misplaced
}

func newStaticPlan(file *target.File, sites kernelSites) (*staticPlan, error) {
	list, err := file.StaticProbes()
	s := &staticPlan{file: file, sites: sites, groups: map[staticName][]target.StaticProbe{}}
	list, s.misplaced = placeStatics(file, list)
	for _, p := range list {
		n := staticName{p.Provider, p.Name}
		if s.groups[n] == nil {
			s.order = append(s.order, n)
		}
		s.groups[n] = append(s.groups[n], p)
	}
	return s, err
}

// hasStatic reports whether a file has a static probe that the pattern matches.
func hasStatic(file *target.File, pattern *staticPattern) bool {
	list, _ := file.StaticProbes()
	return slices.ContainsFunc(list, func(p target.StaticProbe) bool { return pattern.match(p.Provider, p.Name) })
}

// addStatics plans the static probes of a file:
//
//  1. Locations that are no place for a breakpoint are left out: see target.Misplaced.
//  2. Which probes select each of its names; of those that record nothing special one is enough.
//  3. Names that end a span are no probes of their own.
//  4. Each location gets a site with the operands that it has.
func (p *Plan) addStatics(m *PlannedModule, probes []*Probe, done *plannedFile, matched map[*Probe]bool, leaveOut func(string, target.Addr, string)) error {
	s, err := newStaticPlan(m.image.file, p.sites)
	s.follow, s.slower = p.followsCalls(), p.slower
	if err != nil {
		leaveOut("*", 0, err.Error())
	}
	excluded := func(n staticName) bool {
		return m.image.harm(n) != "" || slices.ContainsFunc(probes, func(p *Probe) bool {
			return p.Exclude && p.static != nil && p.static.match(n.provider, n.name)
		})
	}
	s.leaveOutMisplaced(probes, excluded, matched, leaveOut)
	selected := map[staticName][]*Probe{}
	for _, n := range s.order {
		for _, probe := range probes {
			if probe.static == nil || !probe.static.match(n.provider, n.name) {
				continue
			}
			matched[probe] = true
			if !probe.Exclude && !excluded(n) {
				selected[n] = append(selected[n], probe)
			}
		}
		if why := m.image.harm(n); why != "" && slices.ContainsFunc(probes, func(p *Probe) bool { return !p.Exclude && p.static != nil && p.static.match(n.provider, n.name) }) {
			leaveOut(n.String(), s.groups[n][0].Addr, why)
		}
		selected[n] = mostSpecial(selected[n])
	}
	ends := map[staticName]bool{}
	type planned struct {
		begin staticName
		probe *Probe
		span  string
		ends  []staticName
	}
	var list []planned
	for _, n := range s.order {
		for _, probe := range selected[n] {
			pl := planned{begin: n, probe: probe}
			pl.ends, pl.span = s.ends(n, probe, excluded)
			for _, end := range pl.ends {
				ends[end] = true
			}
			list = append(list, pl)
		}
	}
	for _, pl := range list {
		key := pl.begin.String() + " " + pl.probe.Text
		if done.statics[key] || ends[pl.begin] && !pl.probe.spans.none {
			continue
		}
		var results []argument
		if len(pl.ends) > 0 {
			for _, probe := range selected[pl.ends[0]] {
				results = probe.values.args
				if probe.values.all {
					results = describedArguments(s.groups[pl.ends[0]][0].Args, results)
				}
			}
		}
		fn, err := s.function(pl.begin, pl.probe, pl.span, pl.ends, results)
		if err != nil {
			if pl.probe.static.literal() && len(pl.probe.values.args) > 0 {
				return fmt.Errorf("%w %q: %s: %w", ErrProbe, pl.probe.Text, m.Path, err)
			}
			leaveOut(pl.begin.String(), s.groups[pl.begin][0].Addr, err.Error())
			continue
		}
		fn.Raised = s.raised(pl.begin)
		m.Funcs = append(m.Funcs, fn)
		done.statics[key] = true
	}
	return nil
}

// mostSpecial leaves of the probes that select a name those that say what to record, or else
// the first.
func mostSpecial(probes []*Probe) []*Probe {
	var special []*Probe
	for _, p := range probes {
		v := p.values
		if len(v.args) > 0 || v.all || v.cond != nil || p.spans != (spanRule{}) {
			special = append(special, p)
		}
	}
	if len(special) > 0 {
		return special
	}
	return probes[:min(1, len(probes))]
}

// ends returns the probes that end what a probe begins, and the name of the span.
func (s *staticPlan) ends(n staticName, probe *Probe, excluded func(staticName) bool) (ends []staticName, span string) {
	usual, span := usualEnds(n.name)
	if span == "" {
		span = n.name
	}
	switch {
	case probe.spans.none:
		return nil, n.name
	case probe.spans.ends != nil:
		for _, other := range s.order {
			if other != n && probe.spans.ends.match(other.provider, other.name) && !excluded(other) {
				ends = append(ends, other)
			}
		}
		return ends, span
	}
	for _, name := range usual {
		if end := (staticName{n.provider, name}); s.groups[end] != nil && !excluded(end) {
			return []staticName{end}, span
		}
	}
	return nil, n.name
}

// function plans a static probe, or the span that it begins.
func (s *staticPlan) function(begin staticName, probe *Probe, span string, ends []staticName, results []argument) (PlannedFunc, error) {
	locations := s.locations(begin, probe)
	args := probe.values.args
	if probe.values.all {
		args = describedArguments(locations[0].Args, args)
	}
	if probe.spans.ends != nil && len(ends) == 0 {
		return PlannedFunc{}, fmt.Errorf("no static probe ends the span (=>)")
	}
	keyed := probe.spans.key != "" && len(ends) > 0
	if keyed && (s.slower > 0 || waits(probe.values.cond)) {
		return PlannedFunc{}, errors.New("a span that an argument tells apart is not followed to its end in the kernel: it cannot be kept or not by its duration")
	}
	least := s.slower
	if len(ends) == 0 {
		least = 0
	}
	cond, args, err := bindCondition(slower(probe.values.cond, least), args, findArgument, endings{duration: len(ends) > 0})
	if err != nil {
		return PlannedFunc{}, err
	}
	conds, err := cond.compile()
	if err != nil {
		return PlannedFunc{}, err
	}
	fn := PlannedFunc{
		Name: span, Symbol: begin.String(), Addr: uint64(locations[0].Addr), Site: uint64(locations[0].Addr), Static: begin.String(),
		Hit: len(ends) == 0, ReturnBy: Never, args: args, results: results, names: probe.names,
		probes: append([]staticName{begin}, ends...),
	}
	template := bpf.Site{Kind: format.Hit}
	if !fn.Hit {
		template.Kind = format.Entry
	}
	if probe.names != noNames {
		template.Flags |= bpf.SiteNamed
		template.Named = probe.names.mask()
		fn.args = nil // they are its name
	}
	if probe.names != pythonNames && s.sameFunctions(begin, ends, probe) {
		template.Flags |= bpf.SiteFrame
	}
	switch {
	case s.follow && !keyed:
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
	if probe.spans.key != "" {
		at, _, err := findArgument(args, probe.spans.key, valueType{})
		if err != nil {
			return fn, err
		}
		template.Flags |= bpf.SiteKeyed
		template.Key = uint8(at)
		// The end has it under the same name, or in the same place.
		if _, _, err := findArgument(results, probe.spans.key, valueType{}); err != nil {
			key := args[at]
			key.hidden = true
			results = append(slices.Clone(results), key)
		}
		at, _, err = findArgument(results, probe.spans.key, valueType{})
		if err != nil {
			at = len(results) - 1
		}
		end.Flags |= bpf.SiteKeyed
		end.Key = uint8(at)
		fn.results, fn.keyed = results, true
	}
	if fn.Statics, err = s.locate(begin, probe, args, template); err != nil {
		return fn, err
	}
	fn.FileOff, fn.Class = fn.Statics[0].FileOff, fn.Statics[0].Class
	end.Kind = format.Return
	for _, n := range ends {
		endArgs := results
		if probe.names != noNames { // an entry and its return have the same name
			endArgs = args
		}
		sites, err := s.locate(n, probe, endArgs, end)
		if err != nil {
			return fn, fmt.Errorf("%s, which ends it: %w", n, err)
		}
		fn.Statics = append(fn.Statics, sites...)
	}
	return fn, nil
}

// locations returns the locations of a static probe that count for a probe.
func (s *staticPlan) locations(n staticName, probe *Probe) []target.StaticProbe {
	all := s.groups[n]
	if probe.within == "" {
		return all
	}
	inside := slices.DeleteFunc(slices.Clone(all), func(loc target.StaticProbe) bool {
		fn, ok := s.file.FuncAt(loc.Addr)
		return !ok || fn.Name != probe.within
	})
	if len(inside) == 0 {
		return all
	}
	return inside
}

// sameFunctions reports whether a span ends in the functions that it begins in. Then the stack pointer is the
// same at both, which pairs them even where an error has jumped over the end. Not so in an interpreter that runs
// calls of its own language in one frame, as CPython 3.11 does.
func (s *staticPlan) sameFunctions(begin staticName, ends []staticName, probe *Probe) bool {
	starts := func(n staticName) map[target.Addr]bool {
		set := map[target.Addr]bool{}
		for _, loc := range s.locations(n, probe) {
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
func describedArguments(ops []target.Operand, more []argument) []argument {
	var args []argument
	for i, op := range ops[:min(len(ops), bpf.MaxArgs)] {
		letter, kind := "u", kindNumber
		switch {
		case op.Float:
			letter, kind = "f", kindFloat
		case op.Signed:
			letter = "s"
		}
		args = append(args, argument{
			name: fmt.Sprintf("arg%d", i+1), pos: i, described: true,
			typ: valueType{name: fmt.Sprintf("%s%d", letter, 8*op.Size), kind: kind, size: op.Size, signed: op.Signed},
		})
	}
	return append(args, more...)
}

// locate returns the sites of all locations of a probe, with the operands that each has for the arguments.
func (s *staticPlan) locate(n staticName, probe *Probe, args []argument, template bpf.Site) ([]StaticSite, error) {
	var sites []StaticSite
	unreadable := make([]int, len(args)) // locations, by argument
	why := make([]string, len(args))
	if len(args) > bpf.MaxArgs {
		return nil, fmt.Errorf("%d arguments, those of conditions and lengths included: %d are the most", len(args), bpf.MaxArgs)
	}
	for _, loc := range s.locations(n, probe) {
		off, _ := s.file.FileOff(loc.Addr)
		st := StaticSite{Addr: uint64(loc.Addr), FileOff: uint64(off), Class: classAt(s.file, loc.Addr, s.sites), site: template}
		if loc.Semaphore != 0 {
			sem, ok := s.file.DataOff(loc.Semaphore)
			if !ok {
				return nil, fmt.Errorf("its semaphore at %#x is not in the file", uint64(loc.Semaphore))
			}
			st.SemaphoreOff = uint64(sem)
		}
		st.site.NumArgs = uint8(len(args))
		for i, a := range args {
			if a.pos >= len(loc.Args) {
				return nil, fmt.Errorf("%s has %d arguments (%s), no %d", n, len(loc.Args), loc.ArgText, a.pos+1)
			}
			op := loc.Args[a.pos]
			if op.Unreadable != "" {
				unreadable[i]++
				why[i] = op.Text + ": " + op.Unreadable
			}
			st.site.Args[i] = fetchArg(a, op, loc.Addr, s.file.Machine)
			if a.lengthAt > 0 {
				st.site.Args[i].LengthArg = uint8(a.lengthAt - 1)
			}
		}
		sites = append(sites, st)
	}
	for i, a := range args {
		if unreadable[i] == len(sites) && !a.described {
			return nil, fmt.Errorf("%s: argument %d (%s) cannot be read: %s", n, a.pos+1, a.name, why[i])
		}
	}
	return sites, nil
}

// noStatic explains a probe that matches no static probe of the files in which it was looked for.
func noStatic(probe *Probe, looked []*image) error {
	var near []string
	files, total := 0, 0
	for _, img := range looked {
		list, _ := img.file.StaticProbes()
		if len(list) == 0 {
			continue
		}
		files++
		for _, p := range list {
			total++
			n := staticName{p.Provider, p.Name}.String()
			if !slices.Contains(near, n) {
				near = append(near, n)
			}
		}
	}
	slices.SortFunc(near, cmp.Compare[string])
	hint := ""
	if probe.static.literal() {
		hint = target.Nearest(probe.static.provider.literal+":"+probe.static.name.literal, near)
	}
	if total == 0 {
		return fmt.Errorf("%w %q: %w: none of the files that were looked at has any", ErrProbe, probe.Text, errNoStatic)
	}
	return fmt.Errorf("%w %q: %w among the %d of %d files (utrace list shows them)%s", ErrProbe, probe.Text, errNoStatic, total, files, hint)
}
