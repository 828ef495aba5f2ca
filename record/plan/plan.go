//go:build linux

package plan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"utrace/format"
	"utrace/record/internal/abi"
	"utrace/record/internal/image"
	"utrace/record/internal/insn"
	"utrace/record/internal/probe"
)

var (
	// ErrNothing is wrapped when what was asked for leaves nothing to probe.
	ErrNothing = errors.New("nothing to probe")
	// ErrLate is wrapped where Config.Sched or a probe on an instruction is asked for, and calls are followed to their return.
	ErrLate = errors.New("it excludes --slower-than, and conditions on ret or duration: a call that is kept by its end is written when it ends, behind what happens inside of it")
)

// Plan is what a recording will attach, and what it leaves out.
type Plan struct {
	Modules []*Module        // by path
	LeftOut []format.LeftOut // by module and address
	Startup []string         // start-up code of the compiler, which "all functions" does not mean

	// Chosen are the presets that utrace has chosen itself, as nothing was asked for, and Passed what it has
	// passed over, and why.
	Chosen []Choice
	Passed []string

	// Pending are the probes that name nothing yet, each as an error that says so. What they name
	// may be in a program that is executed later, or a library that is loaded later.
	Pending []error

	// Problems say what of the presets, or of stacks, cannot be recorded, and why.
	Problems []string

	PIDs        []int          // with their descendants, if these are recorded
	program     *image.Image   // of the command, nil if none
	programs    []*image.Image // of the command and the processes
	Images      image.Set
	sites       insn.Kernel
	atFirstByte bool // probe every entry at its first byte
	follow      bool
	slower      time.Duration // see Config.SlowerThan
	Probes      []*probe.Probe
	presets     []probe.Preset
	reported    map[string]map[image.Version]bool // by preset: files whose problems have been told
	pending     []*probe.Probe
	refused     map[*image.Image]string // by file: why the probes that break some processes must not be attached, see refuse
	// planned are the probes that have been looked up in each file, and the addresses of the functions found.
	planned map[image.Version]*plannedFile
}

type plannedFile struct {
	probes []*probe.Probe
	addrs  map[uint64]bool
	usdt   map[string]bool // static probes, see addStatics
}

// Close closes the files of the plan.
func (p *Plan) Close() { p.Images.Close() }

// Command reports whether the plan is for a command that is yet to be started.
func (p *Plan) Command() bool { return p.program != nil }

// Follow reports whether children are recorded, too.
func (p *Plan) Follow() bool { return p.follow }

// followsCalls reports whether calls are followed from their entry to their return in the kernel, since it depends on the return
// whether some are kept.
func (p *Plan) DefersCalls() bool {
	return p.slower > 0 || slices.ContainsFunc(p.Probes, func(pr *probe.Probe) bool { return probe.NeedsReturn(pr.Values.Condition) })
}

// Funcs returns the number of functions in the plan.
func (p *Plan) Funcs() int {
	n := 0
	for _, m := range p.Modules {
		n += len(m.Funcs)
	}
	return n
}

// How many sites of countDataSites there is room for that are found while recording, three for a function. The kernel has 1,776 bytes
// for each, be it used or not: 11 MB where some functions need them, 44 MB where all do. The help of record says how many functions that is.
const (
	maxLaterSites         = 3 << 11
	maxLaterDeferredSites = 3 << 13
)

// countDataSites returns how many sites there can be that are data for the program in the kernel (bpf.Site).
func (p *Plan) CountTableSites(later bool) int {
	n := 0
	for _, m := range p.Modules {
		for _, fn := range m.Funcs {
			sites := len(fn.USDTSites)
			if fn.Entry != nil {
				sites++
			}
			if fn.Exit != nil {
				sites += 2
			}
			n += sites * max(1, len(m.PIDs)+1)
		}
	}
	switch {
	case !later:
	case p.DefersCalls():
		n += maxLaterDeferredSites
	case slices.ContainsFunc(p.Probes, func(pr *probe.Probe) bool { return pr.USDT != nil || pr.Values.Any() }):
		n += maxLaterSites
	}
	return n
}

// canGrow reports whether the probes may speak of files that appear while recording:
// programs that are executed, libraries that are loaded.
func (p *Plan) CanGrow() bool {
	return slices.ContainsFunc(p.Probes, func(pr *probe.Probe) bool {
		return !pr.Exclude && pr.Path == "" && (pr.Lib != "" || pr.USDT != nil || p.follow)
	})
}

// NewPlan resolves the probes of a PlanConfig. It attaches nothing and runs
// nothing. Errors wrap ErrProbe where the text of a probe is at fault,
// ErrNothing where all that it matches is left out, or ErrLate.
//
//  1. Parse the probes, and open the files of each target: its program, its libraries.
//  2. Without any probe, choose them (auto.go).
//  3. For each file, collect the probes that speak of it.
//  4. Match its functions, take away the excluded, place the rest.
func New(cfg Config) (*Plan, error) {
	p := &Plan{Images: image.NewSet(), follow: cfg.Follow, slower: cfg.SlowerThan, planned: map[image.Version]*plannedFile{}, reported: map[string]map[image.Version]bool{}, refused: map[*image.Image]string{}, sites: runningKernel(), atFirstByte: cfg.PlaceAtEntry}
	if err := p.resolve(cfg); err != nil {
		p.Close()
		return nil, err
	}
	if cfg.Stacks {
		p.addStackProblems()
	}
	return p, nil
}

func (p *Plan) resolve(cfg Config) error {
	probes := slices.Clone(cfg.Probes)
	includes := 0
	for _, pr := range probes {
		if !pr.Exclude {
			includes++
		}
	}
	for _, name := range cfg.Presets {
		preset, err := probe.FindPreset(name)
		if err != nil {
			return err
		}
		list, err := preset.Parse()
		if err != nil {
			return err
		}
		p.presets = append(p.presets, preset)
		probes = append(probes, list...)
		includes += len(list)
	}
	scopes, err := p.targetScopes(cfg)
	if err != nil {
		return err
	}
	if includes == 0 {
		chosen, err := p.autoProbes(scopes)
		if err != nil {
			return err
		}
		probes = append(probes, chosen...)
	}
	p.Probes = probes
	if cfg.Sched && p.DefersCalls() {
		return fmt.Errorf("--sched: %w; record all calls, and let utrace analyze choose (--slowest, --min)", ErrLate)
	}
	for _, sc := range scopes {
		p.programs = append(p.programs, sc.Program)
	}
	if len(scopes) == 0 {
		scopes = []*Scope{p.machineScope()}
	}
	targets := len(cfg.PIDs) > 0 || len(cfg.Command) > 0
	wanted := map[*image.Image][]*probe.Probe{}
	around := map[*image.Image]surroundings{}
	missing := map[*probe.Probe]error{}
	for _, sc := range scopes {
		surrounding := sc.surroundings()
		checked := map[*image.Image]bool{}
		for _, pr := range probes {
			list, err := find(&p.Images, sc, pr)
			if err != nil {
				if pr.Exclude { // nothing there to leave out
					continue
				}
				if pr.Preset != "" {
					missing[pr] = err
					continue
				}
				if targets && errors.Is(err, errNoLibrary) || errors.Is(err, errNoUSDT) {
					missing[pr] = err
					continue
				}
				return err
			}
			for _, img := range list {
				if pr.USDT != nil && !checked[img] && (!p.probesUnknownProcesses() || sc.command != nil) {
					checked[img] = true
					p.refuse(sc, img)
				}
				if !slices.Contains(wanted[img], pr) {
					wanted[img] = append(wanted[img], pr)
				}
				surrounding := surrounding
				if p.follow && img != sc.Program { // it is probed in every process that maps it
					surrounding.unknown = unknownProcess
				}
				around[img] = around[img].or(surrounding)
				if sc.Program == nil && img.File.Interp != "" && img.File.Soname == "" { // a program; the C library can be run, too
					around[img] = ofProgram(&p.Images, img, sc.finder)
				}
			}
		}
	}
	for _, sc := range scopes {
		p.AddProblems(sc, false)
	}
	matched := map[*probe.Probe]bool{}
	for img, list := range wanted {
		if err := p.addModule(img, list, around[img], matched); err != nil {
			return err
		}
	}
	slices.SortFunc(p.Modules, func(a, b *Module) int { return cmp.Compare(a.Path, b.Path) })
	slices.Sort(p.Startup)
	slices.SortFunc(p.LeftOut, func(a, b format.LeftOut) int {
		return cmp.Or(cmp.Compare(a.Module, b.Module), cmp.Compare(a.Addr, b.Addr), cmp.Compare(a.Name, b.Name))
	})
	presets := map[string]bool{} // that match something
	for pr := range matched {
		presets[pr.Preset] = true
	}
	for _, pr := range probes {
		if matched[pr] || pr.Exclude && p.CanGrow() || pr.Preset != "" && presets[pr.Preset] {
			continue
		}
		if pr.Preset != "" {
			if len(p.Modules) == 0 && len(p.Problems) > 0 {
				return fmt.Errorf("%w: %s", ErrNothing, strings.Join(p.Problems, "; "))
			}
			p.pending = append(p.pending, pr)
			presets[pr.Preset] = true // it is said once
			p.Pending = append(p.Pending, fmt.Errorf("preset %s: nothing there has any of its probes", pr.Preset))
			continue
		}
		err := missing[pr]
		switch {
		case err != nil:
		case pr.USDT != nil:
			var looked []*image.Image
			for img, list := range wanted {
				if slices.Contains(list, pr) {
					looked = append(looked, img)
				}
			}
			err = noUSDT(pr, looked)
		default:
			err = noMatch(pr, wanted, scopes)
		}
		inProgram := pr.Path == "" && pr.Lib == "" && pr.USDT == nil
		if pr.Exclude && len(wanted) == 0 {
			continue
		}
		if pr.Exclude || missing[pr] == nil && !(p.follow && inProgram) {
			return err
		}
		p.pending = append(p.pending, pr)
		p.Pending = append(p.Pending, err)
	}
	if len(p.Modules) == 0 && len(p.Pending) == 0 {
		if len(p.LeftOut) > 0 {
			first := p.LeftOut[0]
			return fmt.Errorf("%w: all %d functions were left out, such as %s: %s", ErrNothing, len(p.LeftOut), first.Name, first.Reason)
		}
		return fmt.Errorf("%w: every function is excluded", ErrNothing)
	}
	return nil
}

func baseName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// addModule plans the probes of one file. What is left out counts as matched:
// the reason is told.
func (p *Plan) addModule(img *image.Image, probes []*probe.Probe, around surroundings, matched map[*probe.Probe]bool) error {
	done := p.planned[img.Version]
	if done == nil {
		done = &plannedFile{addrs: map[uint64]bool{}, usdt: map[string]bool{}}
		p.planned[img.Version] = done
	}
	done.probes = probes
	m := &Module{Path: img.Path, BuildID: img.File.BuildID, Image: img}
	if !p.follow {
		m.PIDs = img.PIDs
	}
	leaveOut := func(name string, a abi.Addr, why string) {
		p.LeftOut = append(p.LeftOut, format.LeftOut{Name: name, Module: img.Path, Addr: uint64(a), Reason: why})
	}
	isStatic := func(pr *probe.Probe) bool { return pr.USDT != nil }
	if !slices.ContainsFunc(probes, func(pr *probe.Probe) bool { return !isStatic(pr) }) {
		// no functions to look for
	} else if err := p.addFuncs(m, probes, around, done, matched, leaveOut); err != nil {
		return err
	}
	if slices.ContainsFunc(probes, isStatic) {
		if err := p.addUSDT(m, probes, done, matched, leaveOut); err != nil {
			return err
		}
	}
	var others *Module
	if p.probesUnknownProcesses() {
		others = m.takePerProcess()
	}
	for _, m := range []*Module{m, others} {
		if m != nil && len(m.Funcs) > 0 {
			p.Modules = append(p.Modules, m)
		}
	}
	return nil
}

// guards reports whether processes are probed that the plan does not know.
func (p *Plan) probesUnknownProcesses() bool { return p.follow || len(p.programs) == 0 }

// guarded reports whether there may be modules for a guard.
func (p *Plan) NeedsPerProcess() bool {
	return p.probesUnknownProcesses() && slices.ContainsFunc(p.Probes, func(pr *probe.Probe) bool {
		return pr.USDT != nil && slices.ContainsFunc(breakingProbes(), func(n usdtName) bool {
			return pr.USDT.Match(n.provider, n.name) || pr.Span.Ends != nil && pr.Span.Ends.Match(n.provider, n.name)
		})
	})
}

// extend plans what the probes name in the files of a scope that has appeared while
// recording, as far as it is new, and returns the new modules. It is for one goroutine at a time.
func (p *Plan) Extend(files *image.Set, sc *Scope) (added []*Module) {
	wanted := map[*image.Image][]*probe.Probe{}
	var order []*image.Image
	for _, pr := range p.Probes {
		list, err := find(files, sc, pr)
		if err != nil {
			continue // still not there
		}
		for _, img := range list {
			if wanted[img] == nil {
				order = append(order, img)
				if !p.probesUnknownProcesses() {
					p.refuse(sc, img)
				}
			}
			wanted[img] = append(wanted[img], pr)
		}
	}
	before := len(p.Modules)
	matched := map[*probe.Probe]bool{}
	for _, img := range order {
		probes := wanted[img]
		if done := p.planned[img.Version]; done != nil {
			fresh := slices.DeleteFunc(slices.Clone(probes), func(pr *probe.Probe) bool { return slices.Contains(done.probes, pr) })
			if len(fresh) == 0 {
				continue
			}
			probes = append(slices.Clone(done.probes), fresh...)
		}
		around := sc.surroundings()
		if p.follow && img != sc.Program {
			around.unknown = unknownProcess
		}
		if err := p.addModule(img, probes, around, matched); err != nil {
			p.LeftOut = append(p.LeftOut, format.LeftOut{Name: "*", Module: img.Path, Reason: err.Error()})
		}
	}
	for i := len(p.pending) - 1; i >= 0; i-- {
		if matched[p.pending[i]] {
			p.pending = slices.Delete(p.pending, i, i+1)
			p.Pending = slices.Delete(p.Pending, i, i+1)
		}
	}
	return p.Modules[before:]
}

// runningKernel says which sites the running kernel treats specially.
func runningKernel() insn.Kernel {
	var uts unix.Utsname
	var major, minor int
	if unix.Uname(&uts) == nil {
		fmt.Sscanf(unix.ByteSliceToString(uts.Release[:]), "%d.%d", &major, &minor)
	}
	return insn.NewKernel(major, minor)
}

// readLines looks up the source lines of all functions.
func (p *Plan) ReadLines() {
	for _, m := range p.Modules {
		m.ReadLines()
	}
}
