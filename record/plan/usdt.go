//go:build linux

package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"utrace/bpf"
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

// matches reports whether a probe names it.
func (n usdtName) matches(pr *probe.Probe) bool {
	return pr.USDT != nil && pr.USDT.Match(n.provider, n.name)
}

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

// hasUSDT reports whether a file has a static probe that the pattern matches.
func hasUSDT(file *elffile.File, pattern *probe.USDTPattern) bool {
	list, _ := file.USDTProbes()
	return slices.ContainsFunc(list, func(p elffile.USDTProbe) bool { return pattern.Match(p.Provider, p.Name) })
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

// noUSDT explains a probe that matches no static probe of the files in which it was looked for.
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
		return fmt.Errorf("%w %q: %w: none of the files that were looked at has any", probe.ErrProbe, pr.Text, ErrNoUSDT)
	}
	return fmt.Errorf("%w %q: %w among the %d of %d files%s", probe.ErrProbe, pr.Text, ErrNoUSDT, total, files, hint)
}
