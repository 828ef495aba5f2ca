//go:build linux

package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"utrace/bpf"
	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
	"utrace/record/internal/insn"
	"utrace/record/internal/probe"
	"utrace/record/internal/values"
)

// USDTSite is a location of a static probe, and what the BPF side does at it.
type USDTSite struct {
	Addr         uint64     // virtual address in the file
	FileOff      uint64     // file offset of the breakpoint
	SemaphoreOff uint64     // file offset of its semaphore, 0 for none
	Class        insn.Class // how the kernel treats the instruction
	Site         bpf.Site   // complete except for Func
	code         []byte     // the instruction
}

// usdtName is the name that all locations of a static probe share.
type usdtName struct{ provider, name string }

func (n usdtName) String() string { return n.provider + ":" + n.name }

// matches reports whether a probe names the static probe.
func (n usdtName) matches(pr *probe.Probe) bool {
	return pr.USDT != nil && pr.USDT.Match(n.provider, n.name)
}

// hasUSDT reports whether a file has a static probe that a pattern matches.
func hasUSDT(file *elffile.File, pattern *probe.USDTPattern) bool {
	list, _ := file.USDTProbes()
	return slices.ContainsFunc(list, func(p elffile.USDTProbe) bool { return pattern.Match(p.Provider, p.Name) })
}

// usdtPlan plans the static probes of one file.
type usdtPlan struct {
	file       *elffile.File
	kernel     insn.Kernel
	defers     bool          // see Plan.DefersCalls
	slowerThan time.Duration // see Config.SlowerThan

	order      []usdtName                       // as the file has them
	groups     map[usdtName][]elffile.USDTProbe // the locations of each
	unsafeLocs []unsafeLocation                 // locations that are in no group
}

// unsafeLocation is a location of a static probe at which a breakpoint would do harm.
type unsafeLocation struct {
	name usdtName
	addr abi.Addr
	why  string
}

// newUSDTPlan reads the static probes of a file. Locations that the linker has discarded are
// ignored. whyNot says why a location gets no breakpoint. With an error, the plan has the probes
// that could be read.
func newUSDTPlan(file *elffile.File, kernel insn.Kernel, whyNot func(abi.Addr) string) (*usdtPlan, error) {
	list, err := file.USDTProbes()
	list = slices.DeleteFunc(slices.Clone(list), func(p elffile.USDTProbe) bool {
		_, ok := file.FileOff(p.Addr)
		return !ok
	})

	u := &usdtPlan{file: file, kernel: kernel, groups: map[usdtName][]elffile.USDTProbe{}}
	why := file.UnprobeableUSDT(list)
	for _, p := range list {
		n := usdtName{p.Provider, p.Name}
		why := cmp.Or(why[p.Addr], refusedByKernel(file, p.Addr), whyNot(p.Addr))
		if why != "" {
			u.unsafeLocs = append(u.unsafeLocs, unsafeLocation{n, p.Addr, why})
			continue
		}
		if u.groups[n] == nil {
			u.order = append(u.order, n)
		}
		u.groups[n] = append(u.groups[n], p)
	}
	return u, err
}

// locations returns the locations of a static probe that a probe selects: those in the function
// that it prefers, or else all.
func (u *usdtPlan) locations(n usdtName, pr *probe.Probe) []elffile.USDTProbe {
	all := u.groups[n]
	if pr.Within == "" {
		return all
	}
	inside := slices.DeleteFunc(slices.Clone(all), func(loc elffile.USDTProbe) bool {
		fn, ok := u.file.FuncAt(loc.Addr)
		return !ok || fn.Name != pr.Within
	})
	if len(inside) == 0 {
		return all
	}
	return inside
}

// locate returns the sites of all locations of a static probe. Each is the template, completed by
// how to fetch the location's arguments.
func (u *usdtPlan) locate(n usdtName, pr *probe.Probe, args []probe.Argument, template bpf.Site) ([]USDTSite, error) {
	if len(args) > bpf.MaxArgs {
		return nil, fmt.Errorf("%d arguments, including those that conditions and lengths need: at most %d can be fetched", len(args), bpf.MaxArgs)
	}

	var sites []USDTSite
	for _, loc := range u.locations(n, pr) {
		site, err := u.siteAt(loc, template)
		if err != nil {
			return nil, err
		}
		site.Site.NumArgs = uint8(len(args))
		for i, a := range args {
			op := operandFor(loc, a)
			if op.Unreadable != "" && template.Flags&bpf.SiteKeyed != 0 && i == int(template.Key) {
				return nil, fmt.Errorf("%s at %#x: argument %d (%s), which tells spans apart, cannot be read: %s", n, uint64(loc.Addr), a.Pos+1, a.Name, op.Unreadable)
			}
			site.Site.Args[i] = values.FetchArg(a, op, loc.Addr, u.file.Machine)
			if a.LengthAt > 0 {
				site.Site.Args[i].LengthArg = uint8(a.LengthAt - 1)
			}
		}
		sites = append(sites, site)
	}
	return sites, u.checkReadable(n, pr, args)
}

// siteAt returns the site of a location, without its arguments.
func (u *usdtPlan) siteAt(loc elffile.USDTProbe, template bpf.Site) (USDTSite, error) {
	off, _ := u.file.FileOff(loc.Addr)
	site := USDTSite{
		Addr: uint64(loc.Addr), FileOff: uint64(off),
		Class: classAt(u.file, loc.Addr, u.kernel), Site: template,
	}
	if loc.Semaphore != 0 {
		sem, ok := u.file.DataOff(loc.Semaphore)
		if !ok {
			return site, fmt.Errorf("its semaphore at %#x is not in the file", uint64(loc.Semaphore))
		}
		site.SemaphoreOff = uint64(sem)
	}
	return site, nil
}

// operandFor returns where an argument is at a location. Locations of one static probe can have
// different numbers of arguments, and different types.
func operandFor(loc elffile.USDTProbe, a probe.Argument) abi.Operand {
	if a.Pos >= len(loc.Args) {
		return abi.Operand{Unreadable: fmt.Sprintf("there are %d arguments", len(loc.Args))}
	}
	op := loc.Args[a.Pos]
	if a.Described && op.Unreadable == "" && op.Float != (a.Type.Kind == probe.KindFloat) {
		return abi.Operand{Text: op.Text, Unreadable: "it is of another type than at other locations"}
	}
	return op
}

// checkReadable returns an error if an argument that was asked for, except by "...", can be read at
// no location.
func (u *usdtPlan) checkReadable(n usdtName, pr *probe.Probe, args []probe.Argument) error {
	for _, a := range args {
		why := ""
		for _, loc := range u.locations(n, pr) {
			op := operandFor(loc, a)
			if op.Unreadable == "" {
				why = ""
				break
			}
			why = strings.TrimPrefix(op.Text+": "+op.Unreadable, ": ")
		}
		if why != "" && !a.Described {
			return fmt.Errorf("%s: argument %d (%s) cannot be read: %s", n, a.Pos+1, a.Name, why)
		}
	}
	return nil
}

// describedArguments returns an argument for each operand that a static probe has at some location,
// and those of hidden. Its type is the operand's, or the known one (probe.StaticSignature).
func describedArguments(n usdtName, locations []elffile.USDTProbe, hidden []probe.Argument) []probe.Argument {
	var args []probe.Argument
	for i := range bpf.MaxArgs {
		var ops []abi.Operand
		for _, loc := range locations {
			if i < len(loc.Args) {
				ops = append(ops, loc.Args[i])
			}
		}
		if len(ops) == 0 {
			break
		}
		args = append(args, probe.Argument{Name: fmt.Sprintf("arg%d", i+1), Pos: i, Described: true, Type: operandType(ops)})
	}

	for i, known := range probe.StaticSignature(n.provider, n.name) {
		isAddress := i < len(args) && args[i].Type.Kind == probe.KindNumber && args[i].Type.Size == 8
		switch {
		case i >= len(args), known.Type.HasBytes() && (!isAddress || known.LengthAt > len(args)):
			return append(args, hidden...) // the rest is not as known
		case known.Type.HasBytes():
			args[i].Type, args[i].LengthAt = known.Type, known.LengthAt
		}
		args[i].Name = known.Name
	}
	return append(args, hidden...)
}

// operandType returns the type that fits an argument at all locations: the largest one, signed if
// one is, a floating-point number only if all are.
func operandType(ops []abi.Operand) probe.Type {
	t := probe.Type{Kind: probe.KindFloat}
	for _, op := range ops {
		t.Size, t.Signed = max(t.Size, op.Size), t.Signed || op.Signed
		if !op.Float {
			t.Kind = probe.KindNumber
		}
	}
	letter := "u"
	switch {
	case t.Kind == probe.KindFloat:
		letter = "f"
	case t.Signed:
		letter = "s"
	}
	t.Name = fmt.Sprintf("%s%d", letter, 8*t.Size)
	return t
}
