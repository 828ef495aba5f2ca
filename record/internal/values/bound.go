package values

import (
	"debug/elf"
	"fmt"
	"slices"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/abi"
	"utrace/record/internal/probe"
)

// Value is an argument or result, with its location in one function.
type Value struct {
	probe.Argument
	op abi.Operand // its location
}

// Declared returns the arguments without their locations.
func Declared(list []Value) (args []probe.Argument) {
	for _, a := range list {
		args = append(args, a.Argument)
	}
	return args
}

// conditionScope resolves the names in a condition: a probe.Scope. lookUp returns the index of the
// value with a name, in a list to which it may add a hidden value.
type conditionScope struct {
	list   *[]Value
	lookUp func(list []Value, name string, like probe.Type) (at int, extended []Value, err error)
}

// Recorded reports whether a value that is recorded has the name.
func (s conditionScope) Recorded(name string) bool {
	return slices.ContainsFunc(*s.list, func(a Value) bool { return a.Name == name && !a.Hidden })
}

// LookUp returns the index and the type of the value with a name.
func (s conditionScope) LookUp(name string, like probe.Type) (at int, typ probe.Type, err error) {
	if at, *s.list, err = s.lookUp(*s.list, name, like); err != nil {
		return 0, typ, err
	}
	return at, (*s.list)[at].Type, nil
}

// Bound are the values and the condition of a probe, bound to one function.
type Bound struct {
	Args, Results []Value
	conds         []bpf.Cond
}

// setArgs sets how a site fetches values. addr is its address in the file.
func setArgs(site *bpf.Site, list []Value, addr abi.Addr, machine elf.Machine) {
	site.NumArgs = uint8(len(list))
	for i, a := range list {
		site.Args[i] = FetchArg(a.Argument, a.op, addr, machine)
		if a.LengthAt > 0 {
			site.Args[i].LengthArg = uint8(a.LengthAt - 1)
		}
	}
}

// Sites returns what the BPF side does at a function's entry, and at its return. Either is nil if
// it records only the time. addr is the address of the entry's site in the file.
func (b *Bound) Sites(template bpf.Site, addr abi.Addr, machine elf.Machine) (entry, exit *bpf.Site) {
	deferred := template.Flags&bpf.SiteDeferred != 0
	isErrno := func(a Value) bool { return a.Type.Kind == probe.KindErrno }
	errno := slices.ContainsFunc(b.Results, isErrno)
	if errno {
		template.Flags |= bpf.SiteThread
	}
	if !deferred && len(b.conds) > 0 {
		template.Flags |= bpf.SitePaired
	}
	template.NumConds = uint8(copy(template.Conds[:], b.conds))

	if len(b.Args) > 0 || len(b.conds) > 0 || deferred || errno {
		site := template
		setArgs(&site, b.Args, addr, machine)
		entry = &site
	}
	if len(b.Results) > 0 || len(b.conds) > 0 || deferred {
		site := template
		site.Kind = format.Return
		if !deferred { // the entry has decided them
			site.NumConds = 0
		}
		setArgs(&site, b.Results, addr, machine)
		exit = &site
	}
	return entry, exit
}

// Describe says for people what each value is, and where. cond is the text of the condition.
func (b *Bound) Describe(cond string, machine elf.Machine) (list []string) {
	add := func(values []Value, arrow string) {
		for _, a := range values {
			if !a.Hidden {
				list = append(list, fmt.Sprintf("%s%s:%s in %s", arrow, a.Name, a.Type.Name, a.op.LocationName(machine)))
			}
		}
	}
	add(b.Args, "")
	add(b.Results, "-> ")
	if cond != "" {
		list = append(list, "if "+cond)
	}
	return list
}
