//go:build linux

package record

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"utrace/format"
	"utrace/record/internal/target"
)

var (
	// ErrNothing is wrapped when what was asked for leaves nothing to probe.
	ErrNothing = errors.New("nothing to probe")
	// ErrLate is wrapped where Config.Sched or a probe on an instruction is asked for, and calls are followed to their return.
	ErrLate = errors.New("it excludes --slower-than, and conditions on ret or duration: a call that is kept by its end is written when it ends, behind what happens inside of it")
)

// Plan is what a recording will attach, and what it leaves out.
type Plan struct {
	Modules []*PlannedModule // by path
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

	pids     []int    // with their descendants, if these are recorded
	program  *image   // of the command, nil if none
	programs []*image // of the command and the processes
	images   images
	sites    kernelSites
	naive    bool // probe every entry at its first byte
	follow   bool
	slower   time.Duration // see Config.SlowerThan
	probes   []*Probe
	presets  []Preset
	told     map[string]map[fileVersion]bool // by preset: files whose problems have been told
	pending  []*Probe
	// planned are the probes that have been looked up in each file, and the addresses of the functions found.
	planned map[fileVersion]*plannedFile
}

type plannedFile struct {
	probes  []*Probe
	addrs   map[uint64]bool
	statics map[string]bool // static probes, see addStatics
}

// Close closes the files of the plan.
func (p *Plan) Close() { p.images.close() }

// Command reports whether the plan is for a command that is yet to be started.
func (p *Plan) Command() bool { return p.program != nil }

// Follow reports whether children are recorded, too.
func (p *Plan) Follow() bool { return p.follow }

// followsCalls reports whether calls are followed from their entry to their return in the kernel, since it depends on the return
// whether some are kept.
func (p *Plan) followsCalls() bool {
	return p.slower > 0 || slices.ContainsFunc(p.probes, func(probe *Probe) bool { return waits(probe.values.cond) })
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
	laterSites         = 3 << 11
	laterFollowedSites = 3 << 13
)

// countDataSites returns how many sites there can be that are data for the program in the kernel (bpf.Site).
func (p *Plan) countDataSites(later bool) int {
	n := 0
	for _, m := range p.Modules {
		for _, fn := range m.Funcs {
			sites := len(fn.Statics)
			if fn.entry != nil {
				sites++
			}
			if fn.exit != nil {
				sites += 2
			}
			n += sites * max(1, len(m.PIDs)+1)
		}
	}
	switch {
	case !later:
	case p.followsCalls():
		n += laterFollowedSites
	case slices.ContainsFunc(p.probes, func(probe *Probe) bool { return probe.static != nil || probe.values.any() }):
		n += laterSites
	}
	return n
}

// canGrow reports whether the probes may speak of files that appear while recording:
// programs that are executed, libraries that are loaded.
func (p *Plan) canGrow() bool {
	return slices.ContainsFunc(p.probes, func(probe *Probe) bool {
		return !probe.Exclude && probe.Path == "" && (probe.Lib != "" || probe.static != nil || p.follow)
	})
}

// NewPlan resolves the probes of a Config. It attaches nothing and runs
// nothing. Errors wrap ErrProbe where the text of a probe is at fault,
// ErrNothing where all that it matches is left out, or ErrLate.
//
//  1. Parse the probes, and open the files of each target: its program, its libraries.
//  2. Without any probe, choose them (auto.go).
//  3. For each file, collect the probes that speak of it.
//  4. Match its functions, take away the excluded, place the rest.
func NewPlan(cfg Config) (*Plan, error) {
	p := &Plan{images: newImages(), follow: cfg.Follow, slower: cfg.SlowerThan, planned: map[fileVersion]*plannedFile{}, told: map[string]map[fileVersion]bool{}, sites: runningKernel(), naive: cfg.PlaceAtEntry}
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
	texts := cfg.Probes
	probes := make([]*Probe, 0, len(texts)+1)
	includes := 0
	for _, text := range texts {
		probe, err := ParseProbe(text)
		if err != nil {
			return err
		}
		if !probe.Exclude {
			includes++
		}
		probes = append(probes, probe)
	}
	for _, name := range cfg.Presets {
		preset, err := findPreset(name)
		if err != nil {
			return err
		}
		list, err := preset.parse()
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
	p.probes = probes
	if cfg.Sched && p.followsCalls() {
		return fmt.Errorf("--sched: %w; record all calls, and let utrace analyze choose (--slowest, --min)", ErrLate)
	}
	for _, sc := range scopes {
		p.programs = append(p.programs, sc.program)
	}
	if len(scopes) == 0 {
		scopes = []*scope{p.machineScope()}
	}
	targets := len(cfg.PIDs) > 0 || len(cfg.Command) > 0
	wanted := map[*image][]*Probe{}
	around := map[*image]surroundings{}
	missing := map[*Probe]error{}
	for _, sc := range scopes {
		surrounding := sc.surroundings()
		checked := map[*image]bool{}
		for _, probe := range probes {
			list, err := p.images.find(sc, probe)
			if err != nil {
				if probe.Exclude { // nothing there to leave out
					continue
				}
				if probe.preset != "" {
					missing[probe] = err
					continue
				}
				if targets && errors.Is(err, errNoLibrary) || errors.Is(err, errNoStatic) {
					missing[probe] = err
					continue
				}
				return err
			}
			for _, img := range list {
				if probe.static != nil && !checked[img] && (!p.guards() || sc.command != nil) {
					checked[img] = true
					sc.refuse(img)
				}
				if !slices.Contains(wanted[img], probe) {
					wanted[img] = append(wanted[img], probe)
				}
				surrounding := surrounding
				if p.follow && img != sc.program { // it is probed in every process that maps it
					surrounding.unknown = unknownProcess
				}
				around[img] = around[img].or(surrounding)
				if sc.program == nil && img.file.Interp != "" && img.file.Soname == "" { // a program; the C library can be run, too
					around[img] = p.images.ofProgram(img, sc.finder)
				}
			}
		}
	}
	for _, sc := range scopes {
		p.addProblems(sc, false)
	}
	matched := map[*Probe]bool{}
	for img, list := range wanted {
		if err := p.addModule(img, list, around[img], matched); err != nil {
			return err
		}
	}
	slices.SortFunc(p.Modules, func(a, b *PlannedModule) int { return cmp.Compare(a.Path, b.Path) })
	slices.Sort(p.Startup)
	slices.SortFunc(p.LeftOut, func(a, b format.LeftOut) int {
		return cmp.Or(cmp.Compare(a.Module, b.Module), cmp.Compare(a.Addr, b.Addr), cmp.Compare(a.Name, b.Name))
	})
	presets := map[string]bool{} // that match something
	for probe := range matched {
		presets[probe.preset] = true
	}
	for _, probe := range probes {
		if matched[probe] || probe.Exclude && p.canGrow() || probe.preset != "" && presets[probe.preset] {
			continue
		}
		if probe.preset != "" {
			if len(p.Modules) == 0 && len(p.Problems) > 0 {
				return fmt.Errorf("%w: %s", ErrNothing, strings.Join(p.Problems, "; "))
			}
			p.pending = append(p.pending, probe)
			presets[probe.preset] = true // it is said once
			p.Pending = append(p.Pending, fmt.Errorf("preset %s: nothing there has any of its probes", probe.preset))
			continue
		}
		err := missing[probe]
		switch {
		case err != nil:
		case probe.static != nil:
			var looked []*image
			for img, list := range wanted {
				if slices.Contains(list, probe) {
					looked = append(looked, img)
				}
			}
			err = noStatic(probe, looked)
		default:
			err = noMatch(probe, wanted, scopes)
		}
		inProgram := probe.Path == "" && probe.Lib == "" && probe.static == nil
		if probe.Exclude && len(wanted) == 0 {
			continue
		}
		if probe.Exclude || missing[probe] == nil && !(p.follow && inProgram) {
			return err
		}
		p.pending = append(p.pending, probe)
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

// addModule plans the probes of one file. What is left out counts as matched:
// the reason is told.
func (p *Plan) addModule(img *image, probes []*Probe, around surroundings, matched map[*Probe]bool) error {
	done := p.planned[img.ver]
	if done == nil {
		done = &plannedFile{addrs: map[uint64]bool{}, statics: map[string]bool{}}
		p.planned[img.ver] = done
	}
	done.probes = probes
	m := &PlannedModule{Path: img.path, BuildID: img.file.BuildID, image: img}
	if !p.follow {
		m.PIDs = img.pids
	}
	leaveOut := func(name string, a target.Addr, why string) {
		p.LeftOut = append(p.LeftOut, format.LeftOut{Name: name, Module: img.path, Addr: uint64(a), Reason: why})
	}
	isStatic := func(probe *Probe) bool { return probe.static != nil }
	if !slices.ContainsFunc(probes, func(probe *Probe) bool { return !isStatic(probe) }) {
		// no functions to look for
	} else if err := p.addFuncs(m, probes, around, done, matched, leaveOut); err != nil {
		return err
	}
	if slices.ContainsFunc(probes, isStatic) {
		if err := p.addStatics(m, probes, done, matched, leaveOut); err != nil {
			return err
		}
	}
	var others *PlannedModule
	if p.guards() {
		others = m.takeGuarded()
	}
	for _, m := range []*PlannedModule{m, others} {
		if m != nil && len(m.Funcs) > 0 {
			p.Modules = append(p.Modules, m)
		}
	}
	return nil
}

// guards reports whether processes are probed that the plan does not know.
func (p *Plan) guards() bool { return p.follow || len(p.programs) == 0 }

// guarded reports whether there may be modules for a guard.
func (p *Plan) guarded() bool {
	return p.guards() && slices.ContainsFunc(p.probes, func(probe *Probe) bool {
		return probe.static != nil && slices.ContainsFunc(breaking(), func(n staticName) bool {
			return probe.static.match(n.provider, n.name) || probe.spans.ends != nil && probe.spans.ends.match(n.provider, n.name)
		})
	})
}

// extend plans what the probes name in the files of a scope that has appeared while
// recording, as far as it is new, and returns the new modules. It is for one goroutine at a time.
func (p *Plan) extend(files *images, sc *scope) (added []*PlannedModule) {
	wanted := map[*image][]*Probe{}
	var order []*image
	for _, probe := range p.probes {
		list, err := files.find(sc, probe)
		if err != nil {
			continue // still not there
		}
		for _, img := range list {
			if wanted[img] == nil {
				order = append(order, img)
				if !p.guards() {
					sc.refuse(img)
				}
			}
			wanted[img] = append(wanted[img], probe)
		}
	}
	before := len(p.Modules)
	matched := map[*Probe]bool{}
	for _, img := range order {
		probes := wanted[img]
		if done := p.planned[img.ver]; done != nil {
			fresh := slices.DeleteFunc(slices.Clone(probes), func(probe *Probe) bool { return slices.Contains(done.probes, probe) })
			if len(fresh) == 0 {
				continue
			}
			probes = append(slices.Clone(done.probes), fresh...)
		}
		around := sc.surroundings()
		if p.follow && img != sc.program {
			around.unknown = unknownProcess
		}
		if err := p.addModule(img, probes, around, matched); err != nil {
			p.LeftOut = append(p.LeftOut, format.LeftOut{Name: "*", Module: img.path, Reason: err.Error()})
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
func runningKernel() kernelSites {
	var uts unix.Utsname
	var major, minor int
	if unix.Uname(&uts) == nil {
		fmt.Sscanf(unix.ByteSliceToString(uts.Release[:]), "%d.%d", &major, &minor)
	}
	return newKernelSites(major, minor)
}

// readLines looks up the source lines of all functions.
func (p *Plan) readLines() {
	for _, m := range p.Modules {
		m.readLines()
	}
}
