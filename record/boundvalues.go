package record

import (
	"debug/elf"
	"fmt"
	"slices"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/target"
)

// boundValues are the values of a probe, found in one function.
type boundValues struct {
	args, results []argument
	conds         []bpf.Cond
}

// fetch says how to fetch the values, at their site.
func (b *boundValues) fetch(list []argument, site *bpf.Site, addr target.Addr, machine elf.Machine) {
	site.NumArgs = uint8(len(list))
	for i, a := range list {
		site.Args[i] = fetchArg(a, a.op, addr, machine)
		if a.lengthAt > 0 {
			site.Args[i].LengthArg = uint8(a.lengthAt - 1)
		}
	}
}

// sites returns what to do at the entry of a function, and at its return. Either is nil where nothing but the time is
// wanted.
func (b *boundValues) sites(template bpf.Site, addr target.Addr, machine elf.Machine) (entry, exit *bpf.Site) {
	followed := template.Flags&bpf.SiteDeferred != 0
	errno := slices.ContainsFunc(b.results, func(a argument) bool { return a.typ.kind == kindErrno })
	if errno {
		template.Flags |= bpf.SiteThread
	}
	if !followed && len(b.conds) > 0 {
		template.Flags |= bpf.SitePaired
	}
	template.NumConds = uint8(copy(template.Conds[:], b.conds))
	if len(b.args) > 0 || len(b.conds) > 0 || followed || errno {
		with := template
		b.fetch(b.args, &with, addr, machine)
		entry = &with
	}
	if len(b.results) > 0 || len(b.conds) > 0 || followed {
		with := template
		with.Kind = format.Return
		if !followed { // they have been decided on at the entry
			with.NumConds = 0
		}
		b.fetch(b.results, &with, addr, machine)
		exit = &with
	}
	return entry, exit
}

// describe says for people what the values are and where.
func (b *boundValues) describe(cond string, machine elf.Machine) (list []string) {
	add := func(values []argument, arrow string) {
		for _, a := range values {
			if !a.hidden {
				list = append(list, fmt.Sprintf("%s%s:%s in %s", arrow, a.name, a.typ.name, a.op.PlaceName(machine)))
			}
		}
	}
	add(b.args, "")
	add(b.results, "-> ")
	if cond != "" {
		list = append(list, "if "+cond)
	}
	return list
}
