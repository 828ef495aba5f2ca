//go:build linux

package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/image"
	"utrace/record/internal/insn"
	"utrace/record/internal/probe"
	"utrace/record/internal/selector"
)

// Errors that callers check for.
var (
	// ErrNothing is wrapped if nothing is left to probe.
	ErrNothing = errors.New("nothing to probe")
	// ErrNotYet is wrapped if nothing has what the probes name, but a program or library that
	// appears later may: see Config.Wait. It wraps ErrNothing.
	ErrNotYet = fmt.Errorf("%w yet", ErrNothing)
	// ErrNoChoice is wrapped if a Config names no probe, no preset fits a running process, and no
	// program is busy.
	ErrNoChoice = errors.New("no preset fits any running process, and no program used more than 1% of a CPU")
	// ErrNoProgram is wrapped if a probe names a function but no file, and no process is chosen.
	ErrNoProgram = errors.New("no program to find it in")
	// ErrNoUSDT is wrapped if no file has a static probe that was asked for. A process may still
	// load one.
	ErrNoUSDT = errors.New("no such static probe")
	// ErrTextReader is wrapped if a process to record reads its own machine code, see TextReader.
	ErrTextReader = errors.New("not recorded")
	// ErrLate is wrapped if scheduler events or single instructions are combined with deferred
	// calls. A deferred call is written when it ends, after the events inside it.
	ErrLate = errors.New("not possible together with deferred calls, which are written when they end, after the events inside them")
)

// Plan says what a recording will attach, and what it leaves out. It holds the files open: call
// Close when done.
type Plan struct {
	Modules []*Module        // files with something to probe, by path
	LeftOut []format.LeftOut // what cannot be probed, and why, by module and address
	Startup []string         // symbols of the compiler's start-up code, which "all functions" excludes

	// Chosen is what utrace chose because the Config names no probe. Passed are processes and
	// programs that it did not choose, each with the reason. Surplus names the files with more
	// functions than it chose: "68,114 of 78,114 functions of node".
	Chosen  []Choice
	Passed  []string
	Surplus []string

	// Pending has an error for each probe that names nothing yet. A program that is executed later,
	// or a library that is loaded later, may have what the probe names. If nothing else is planned,
	// Config.Wait is set, or the command may execute the program.
	Pending []error

	// Problems say which part of a preset, or which stacks, cannot be recorded, and why.
	Problems []string

	// Missing says which calls of probed functions are not recorded, see noteCopies.
	Missing []string

	PIDs   []int          // the processes, with their descendants if Config.Follow; none: see Command
	Files  *image.Files   // for all that opens files of processes
	Images image.Set      // the files of the plan
	Probes []*probe.Probe // asked for or chosen, those of presets included

	// Selected are the processes that Config.Select has chosen. Selector is nil unless processes that
	// start later can match as well.
	Selected []int
	Selector *selector.Selector

	program      *image.Image   // of the command, nil if there is none
	programs     []*image.Image // of the command and the processes
	kernel       insn.Kernel
	filtered     bool          // system call filters may kill programs at return probes: see bpf.FilteredReturns
	placeAtEntry bool          // see Config.PlaceAtEntry
	machine      bool          // the processes are all of the machine
	follow       bool          // other processes are recorded later: see Config.Follow and Selector
	slowerThan   time.Duration // see Config.SlowerThan
	sched        bool          // see Config.Sched
	maxFuncs     int           // of each file; 0 for no limit: see keepMost
	presets      []probe.Preset
	pending      []*probe.Probe // the probe of each error in Pending

	// busy are, by probe, the programs whose functions utrace chose because they are busy.
	busy map[*probe.Probe]busyProgram
	// seenBusy are all programs that were busy, chosen or not. It is nil unless utrace chose for the
	// machine.
	seenBusy map[image.Key]bool
	later    []*image.Set // the files of programs that have become busy later

	// users are, by file, the scopes in whose processes it is probed.
	users map[*image.Image][]*Scope
	// planned says, by file, which probes have been planned in it, and what they selected.
	planned map[image.Version]*plannedFile
	// reported are, by preset, the files whose problems are in Problems.
	reported map[string]map[image.Version]bool
	// forbidden says, by file, why static probes that break some processes must not be attached:
	// see forbidBreaking.
	forbidden map[*image.Image]string
}

// New resolves the probes of a Config. It attaches nothing and runs nothing. Errors wrap
// probe.ErrProbe if the text of a probe is at fault, ErrNothing if everything that it matches is
// left out, ErrNotYet, ErrLate, ErrSelection, or ErrNobody.
//
//  1. Open the files of each target: its program and its libraries.
//  2. If the Config names no probe, choose probes.
//  3. For each file, collect the probes that may name something in it. Download its debug file, if
//     that is wanted.
//  4. Match its functions and static probes, drop the excluded ones, and place the rest.
func New(cfg Config) (*Plan, error) {
	files := image.NewFiles(cfg.Debuginfod)
	p := &Plan{
		Files: files, Images: files.NewSet(), follow: cfg.Follow, slowerThan: cfg.SlowerThan, sched: cfg.Sched,
		kernel: runningKernel(), filtered: bpf.FilteredReturns.Probe() != nil, placeAtEntry: cfg.PlaceAtEntry,
		planned:   map[image.Version]*plannedFile{},
		busy:      map[*probe.Probe]busyProgram{},
		users:     map[*image.Image][]*Scope{},
		reported:  map[string]map[image.Version]bool{},
		forbidden: map[*image.Image]string{},
	}
	if err := p.resolve(cfg); err != nil {
		p.Close()
		return nil, err
	}

	if cfg.Stacks {
		p.addStackProblems()
	}
	if cfg.Debuginfod != nil { // from now on processes may be held
		cfg.Debuginfod.Stop()
	}
	return p, nil
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

// Close closes the files of the plan.
func (p *Plan) Close() {
	p.Images.Close()
	for i := range p.later {
		p.later[i].Close()
	}
	p.Files.Close()
}

// Command reports whether the plan is for a command that has yet to be started.
func (p *Plan) Command() bool { return p.program != nil }

// Follow reports whether processes that the plan does not know are recorded as well: children, or
// those that match Config.Select later.
func (p *Plan) Follow() bool { return p.follow }

// DefersCalls reports whether calls are written only when they return, because only then it is
// decided which ones are kept.
func (p *Plan) DefersCalls() bool {
	return p.slowerThan > 0 || slices.ContainsFunc(p.Probes, func(pr *probe.Probe) bool {
		return probe.NeedsReturn(pr.Values.Condition)
	})
}

// Funcs returns the number of functions in the plan. Spans, static probes and single instructions
// count as functions.
func (p *Plan) Funcs() int {
	n := 0
	for _, m := range p.Modules {
		n += len(m.Funcs)
	}
	return n
}

// Sites that are found while recording and may need an entry in the site table (see
// CountTableSites): three for each of 2,048 functions, or of 8,192 if calls are deferred. An entry
// takes 1,776 bytes of kernel memory, used or not. That is 11 MB if some functions need entries,
// and 44 MB if all do. The help of record says how many functions fit.
const (
	maxLaterSites         = 3 << 11
	maxLaterDeferredSites = 3 << 13
)

// CountTableSites returns how many sites the BPF side's table must have room for: those with an
// entry of their own (bpf.Site). later adds room for sites that are found while recording.
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
			n += sites
		}
	}

	hasData := func(pr *probe.Probe) bool { return pr.USDT != nil || pr.Values.Any() }
	switch {
	case !later:
	case p.DefersCalls():
		n += maxLaterDeferredSites
	case slices.ContainsFunc(p.Probes, hasData):
		n += maxLaterSites
	}
	return n
}

// CanGrow reports whether a probe may name something in a file that appears while recording: a
// program that is executed, or a library that is loaded.
func (p *Plan) CanGrow() bool {
	return p.Selector != nil || slices.ContainsFunc(p.Probes, func(pr *probe.Probe) bool {
		return !pr.Exclude && pr.Path == "" && (pr.Lib != "" || pr.USDT != nil || p.follow)
	})
}

// NeedsPerProcess reports whether there may be modules, now or later, that are attached process by
// process: see Module.PerProcess.
func (p *Plan) NeedsPerProcess() bool {
	if !p.probesUnknownProcesses() {
		return false
	}
	breaks := func(pattern *probe.USDTPattern) bool {
		return pattern != nil && slices.ContainsFunc(breakingProbes(), func(n usdtName) bool {
			return pattern.Match(n.provider, n.name)
		})
	}
	return slices.ContainsFunc(p.Probes, func(pr *probe.Probe) bool {
		return pr.USDT != nil && (breaks(pr.USDT) || breaks(pr.Span.Ends))
	})
}

// probesUnknownProcesses reports whether probes are attached in processes that the plan has not
// looked at.
func (p *Plan) probesUnknownProcesses() bool { return p.follow || len(p.programs) == 0 }

// ReadLines sets the source line of each function, as far as debug information has it.
func (p *Plan) ReadLines() {
	for _, m := range p.Modules {
		m.ReadLines()
	}
}

// baseName returns what follows the last slash of a path.
func baseName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
