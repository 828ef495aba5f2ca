//go:build linux

package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"utrace/format"
	"utrace/record/internal/image"
	"utrace/record/internal/insn"
	"utrace/record/internal/probe"
)

// Errors that callers tell apart.
var (
	// ErrNothing is wrapped where nothing is left to probe.
	ErrNothing = errors.New("nothing to probe")
	// ErrNoChoice is wrapped where no probe was asked for, and no running process has anything to choose.
	ErrNoChoice = errors.New("no process runs anything for which there is a preset")
	// ErrNoUSDT is wrapped where no file has a static probe that was asked for. A process may still load one.
	ErrNoUSDT = errors.New("no such static probe")
	// ErrLate is wrapped where scheduler events or single instructions were asked for together with deferred calls. A
	// deferred call is written when it ends, after the events inside it.
	ErrLate = errors.New("not possible together with deferred calls, which are written when they end, after the events inside them")
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

func baseName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

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
