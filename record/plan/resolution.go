//go:build linux

package plan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"utrace/format"
	"utrace/record/internal/image"
	"utrace/record/internal/probe"
)

// resolve finds what the probes of a Config name, and plans it:
//
//  1. Collect the probes that were asked for. If none was, choose them.
//  2. For each file of the targets, collect the probes that may name something in it.
//  3. Plan the probes of each file.
//  4. Report the probes that found nothing.
func (p *Plan) resolve(cfg Config) error {
	scopes, targets, err := p.collectProbes(cfg)
	if err != nil {
		return err
	}
	if cfg.Sched && p.DefersCalls() {
		return fmt.Errorf("scheduler events: %w", ErrLate)
	}

	if p.selectsNobody() {
		p.await()
		return nil
	}

	r := resolution{
		p: p, scopes: scopes, wait: cfg.Wait, targets: targets,
		wanted:  map[*image.Image][]*probe.Probe{},
		hazards: map[*image.Image]processHazards{},
		missing: map[*probe.Probe]error{},
		matched: map[*probe.Probe]bool{},
	}
	if err := r.find(); err != nil {
		return err
	}
	for _, sc := range scopes {
		p.AddProblems(sc, false)
	}

	for img, list := range r.wanted {
		if err := p.addFile(img, list, r.hazards[img], r.matched); err != nil {
			return err
		}
	}
	p.sort()

	if err := r.addPending(); err != nil {
		return err
	}
	if err := p.checkEmpty(cfg.Wait || p.follow && slices.ContainsFunc(scopes, (*Scope).executes)); err != nil {
		return err
	}
	if cfg.Select.Any() && p.Selector == nil {
		cfg.PIDs = p.Selected
	}
	return p.refuseTextReaders(scopes, cfg.PIDs)
}

// collectProbes sets the probes of the plan, asked for or chosen. It returns the scopes in which to
// look them up. targets reports whether these are processes or a command, not the whole machine.
func (p *Plan) collectProbes(cfg Config) (scopes []*Scope, targets bool, err error) {
	probes, includes, err := p.requested(cfg)
	if err != nil {
		return nil, false, err
	}
	if scopes, err = p.targetScopes(cfg); err != nil {
		return nil, false, err
	}
	if !includes {
		chosen, err := p.chooseProbes(scopes)
		if err != nil {
			return nil, false, err
		}
		probes = append(probes, chosen...)
		p.maxFuncs = chosenLimit(max(len(p.busy), countPrograms(scopes)))
	}
	p.Probes = probes

	for _, sc := range scopes {
		p.programs = append(p.programs, sc.Program)
	}
	if p.machine = len(scopes) == 0 && p.Selector == nil; p.machine {
		return []*Scope{p.machineScope()}, false, nil
	}
	return scopes, true, nil
}

// requested returns the probes that a Config asks for, directly and by its presets. includes
// reports whether some of them select something, rather than exclude it.
func (p *Plan) requested(cfg Config) (probes []*probe.Probe, includes bool, err error) {
	probes = slices.Clone(cfg.Probes)
	includes = slices.ContainsFunc(probes, func(pr *probe.Probe) bool { return !pr.Exclude })
	for _, name := range cfg.Presets {
		preset, err := probe.FindPreset(name)
		if err != nil {
			return nil, false, err
		}
		list, err := p.addPreset(preset)
		if err != nil {
			return nil, false, err
		}
		probes = append(probes, list...)
		includes = includes || len(list) > 0
	}
	return probes, includes, nil
}

// addPreset adds a preset to those in use, and returns its probes.
func (p *Plan) addPreset(preset probe.Preset) ([]*probe.Probe, error) {
	list, err := preset.Parse()
	if err != nil {
		return nil, err
	}
	p.presets = append(p.presets, preset)
	return list, nil
}

// sort puts the plan in an order that does not depend on the order in which files were opened.
func (p *Plan) sort() {
	slices.SortFunc(p.Modules, func(a, b *Module) int { return cmp.Compare(a.Path, b.Path) })
	slices.Sort(p.Startup)
	slices.SortFunc(p.LeftOut, func(a, b format.LeftOut) int {
		return cmp.Or(cmp.Compare(a.Module, b.Module), cmp.Compare(a.Addr, b.Addr), cmp.Compare(a.Name, b.Name))
	})
}

// checkEmpty returns an error if there is nothing to probe now, and nothing to wait for. waits is
// set if the recording may wait for what pending probes name.
func (p *Plan) checkEmpty(waits bool) error {
	switch {
	case len(p.Modules) > 0 || len(p.Pending) > 0 && waits:
		return nil
	case len(p.Pending) > 0:
		return fmt.Errorf("%w: %w", ErrNotYet, errors.Join(p.Pending...))
	case len(p.LeftOut) > 0:
		first := p.LeftOut[0]
		return fmt.Errorf("%w: all %d functions were left out, such as %s: %s", ErrNothing, len(p.LeftOut), first.Name, first.Reason)
	}
	return fmt.Errorf("%w: every function is excluded", ErrNothing)
}

// resolution holds what resolve finds out while it looks up probes.
type resolution struct {
	p       *Plan
	scopes  []*Scope
	wait    bool                            // see Config.Wait
	targets bool                            // the scopes are processes or a command, not the machine
	wanted  map[*image.Image][]*probe.Probe // by file: probes that may name something in it
	hazards map[*image.Image]processHazards // by file: those of all processes that it is probed in
	missing map[*probe.Probe]error          // probes whose file was not found, and why
	matched map[*probe.Probe]bool           // probes that name something
}

// find looks up each probe in each scope.
func (r *resolution) find() error {
	for _, sc := range r.scopes {
		r.fetchDebug(sc)
		hazards := sc.hazards()
		checked := map[*image.Image]bool{}
		for _, pr := range r.p.Probes {
			list, err := find(&r.p.Images, sc, pr)
			if err != nil {
				if err = r.notFound(pr, err); err != nil {
					return err
				}
				continue
			}
			for _, img := range list {
				if pr.USDT != nil && !checked[img] && (!r.p.probesUnknownProcesses() || sc.command != nil) {
					checked[img] = true
					r.p.forbidBreaking(sc, img)
				}
				r.add(sc, img, pr, hazards)
			}
		}
	}
	return nil
}

// fetchDebug downloads the debug files of the files in which probes may name functions. The hazards
// depend on their symbols.
func (r *resolution) fetchDebug(sc *Scope) {
	for _, pr := range r.p.Probes {
		if pr.USDT != nil || pr.Exclude {
			continue
		}
		list, _ := find(&r.p.Images, sc, pr)
		for _, img := range list {
			r.p.Images.FetchDebug(img)
		}
	}
}

// notFound notes that no file of a probe was found. It returns an error if nothing that appears
// later can change that.
func (r *resolution) notFound(pr *probe.Probe, err error) error {
	switch {
	case pr.Exclude: // there is nothing to exclude
	case pr.Preset != "", errors.Is(err, errNoLibrary), errors.Is(err, ErrNoUSDT), r.p.Selector != nil:
		r.missing[pr] = err
	default:
		return err
	}
	return nil
}

// add notes that a probe may name something in a file of a scope.
func (r *resolution) add(sc *Scope, img *image.Image, pr *probe.Probe, hazards processHazards) {
	r.p.addUser(img, sc)
	if !slices.Contains(r.wanted[img], pr) {
		r.wanted[img] = append(r.wanted[img], pr)
	}
	if r.p.follow && img != sc.Program { // it is probed in every process that maps it
		hazards.unknown = unknownProcess
	}
	r.hazards[img] = r.hazards[img].or(hazards)

	// The C library has an interpreter as well, since it can be run, but it is no program.
	isProgram := img.File.Interp != "" && img.File.Soname == ""
	if sc.Program == nil && isProgram {
		r.hazards[img] = r.programHazards(sc, img)
	}
}

// programHazards returns the hazards of all processes of the machine that run a program.
//
// A process that runs already may have fewer than one that starts later: it has loaded its plugins.
// If that matters to a busy program that nobody has named, its functions are probed only in the
// processes that run now: a hit of a return probe costs a tenth of a stepped return instruction.
func (r *resolution) programHazards(sc *Scope, img *image.Image) processHazards {
	later := programHazards(&r.p.Images, img, sc.finder)
	for _, b := range r.p.busy {
		if b.program == img && r.onlyBusy(img) {
			return b.confined(later)
		}
	}
	return later
}

// onlyBusy reports whether a file is probed only because its program is busy.
func (r *resolution) onlyBusy(img *image.Image) bool {
	return !slices.ContainsFunc(r.wanted[img], func(pr *probe.Probe) bool {
		_, busy := r.p.busy[pr]
		return !busy && !pr.Exclude
	})
}

// addPending adds the probes that name nothing to the pending ones, which are looked for later. It
// returns an error for the first one that cannot appear later.
func (r *resolution) addPending() error {
	p := r.p
	presets := map[string]bool{} // probes that match something or have been reported
	for pr := range r.matched {
		presets[pr.Preset] = true
	}
	for _, pr := range p.Probes {
		switch {
		case r.matched[pr], pr.Exclude && p.CanGrow(), pr.Preset != "" && presets[pr.Preset]:
			continue
		case pr.Preset != "":
			if len(p.Modules) == 0 && len(p.Problems) > 0 && !r.wait {
				return fmt.Errorf("%w: %s", ErrNothing, strings.Join(p.Problems, "; "))
			}
			presets[pr.Preset] = true
			p.addPending(pr, fmt.Errorf("preset %s: %s has any of its probes", pr.Preset, r.nobody()))
			continue
		case pr.Exclude && len(r.wanted) == 0:
			continue
		}

		err := r.explain(pr)
		inProgram := pr.Path == "" && pr.Lib == "" && pr.USDT == nil
		if pr.Exclude || r.missing[pr] == nil && !(p.follow && inProgram) {
			return err
		}
		p.addPending(pr, err)
	}
	return nil
}

// explain says why a probe names nothing.
func (r *resolution) explain(pr *probe.Probe) error {
	switch {
	case r.missing[pr] != nil:
		return r.missing[pr]
	case pr.USDT != nil:
		var searched []*image.Image
		for img, list := range r.wanted {
			if slices.Contains(list, pr) {
				searched = append(searched, img)
			}
		}
		return noUSDT(pr, searched)
	}
	return noMatch(pr, r.wanted, r.scopes)
}

// nobody says where a preset's probes were not found.
func (r *resolution) nobody() string {
	switch {
	case !r.targets:
		return "no running process"
	case len(r.scopes) == 1:
		return "neither " + r.scopes[0].describe() + " nor a library that it uses"
	}
	return fmt.Sprintf("none of the %d processes", len(r.scopes))
}

// addPending adds a probe to the pending ones, which name nothing yet.
func (p *Plan) addPending(pr *probe.Probe, why error) {
	p.pending = append(p.pending, pr)
	p.Pending = append(p.Pending, why)
}
