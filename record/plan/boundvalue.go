package plan

import (
	"debug/elf"
	"fmt"
	"slices"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/abi"
	"utrace/record/internal/probe"
)

// boundArgument is an argument or result of a function, found in one function.
type boundArgument struct {
	probe.Argument
	op abi.Operand // where it is
}

// asScope are the arguments of a function, for a condition.
type boundValueScope struct {
	list *[]boundArgument
	find func(list []boundArgument, name string, like probe.Type) (at int, with []boundArgument, err error)
}

func (s boundValueScope) Recorded(name string) bool {
	return slices.ContainsFunc(*s.list, func(a boundArgument) bool { return a.Name == name && !a.Hidden })
}

func (s boundValueScope) LookUp(name string, like probe.Type) (at int, typ probe.Type, err error) {
	if at, *s.list, err = s.find(*s.list, name, like); err != nil {
		return 0, typ, err
	}
	return at, (*s.list)[at].Type, nil
}

// declared returns the arguments without where they are.
func declared(list []boundArgument) (args []probe.Argument) {
	for _, a := range list {
		args = append(args, a.Argument)
	}
	return args
}

// boundValues are the values of a probe, found in one function.
type boundValues struct {
	args, results []boundArgument
	conds         []bpf.Cond
}

// fetch says how to fetch the values, at their site.
func (b *boundValues) fetch(list []boundArgument, site *bpf.Site, addr abi.Addr, machine elf.Machine) {
	site.NumArgs = uint8(len(list))
	for i, a := range list {
		site.Args[i] = fetchArg(a.Argument, a.op, addr, machine)
		if a.LengthAt > 0 {
			site.Args[i].LengthArg = uint8(a.LengthAt - 1)
		}
	}
}

// sites returns what to do at the entry of a function, and at its return. Either is nil where nothing but the time is
// wanted.
func (b *boundValues) sites(template bpf.Site, addr abi.Addr, machine elf.Machine) (entry, exit *bpf.Site) {
	followed := template.Flags&bpf.SiteDeferred != 0
	errno := slices.ContainsFunc(b.results, func(a boundArgument) bool { return a.Type.Kind == probe.KindErrno })
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
	add := func(values []boundArgument, arrow string) {
		for _, a := range values {
			if !a.Hidden {
				list = append(list, fmt.Sprintf("%s%s:%s in %s", arrow, a.Name, a.Type.Name, a.op.LocationName(machine)))
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
