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
//  1. Collect the probes that were asked for; without any, choose them.
//  2. For each file of the targets, collect the probes that name something in it.
//  3. Plan the probes of each file.
//  4. Report the probes that have found nothing.
func (p *Plan) resolve(cfg Config) error {
	probes, includes, err := p.requested(cfg)
	if err != nil {
		return err
	}
	scopes, err := p.targetScopes(cfg)
	if err != nil {
		return err
	}
	if !includes {
		chosen, err := p.autoProbes(scopes)
		if err != nil {
			return err
		}
		probes = append(probes, chosen...)
	}
	p.Probes = probes
	if cfg.Sched && p.DefersCalls() {
		return fmt.Errorf("scheduler events: %w", ErrLate)
	}
	for _, sc := range scopes {
		p.programs = append(p.programs, sc.Program)
	}
	targets := len(scopes) > 0
	if !targets {
		scopes = []*Scope{p.machineScope()}
	}

	r := resolution{
		p: p, scopes: scopes, targets: targets, wanted: map[*image.Image][]*probe.Probe{}, around: map[*image.Image]surroundings{},
		missing: map[*probe.Probe]error{}, matched: map[*probe.Probe]bool{},
	}
	if err := r.find(); err != nil {
		return err
	}
	for _, sc := range scopes {
		p.AddProblems(sc, false)
	}
	for img, list := range r.wanted {
		if err := p.addFile(img, list, r.around[img], r.matched); err != nil {
			return err
		}
	}
	p.sort()
	if err := r.addPending(); err != nil {
		return err
	}
	return p.checkEmpty()
}

// requested returns the probes that a Config asks for, itself and by its presets. includes says that some of them include
// something, rather than leave it out.
func (p *Plan) requested(cfg Config) (probes []*probe.Probe, includes bool, err error) {
	probes = slices.Clone(cfg.Probes)
	includes = slices.ContainsFunc(probes, func(pr *probe.Probe) bool { return !pr.Exclude })
	for _, name := range cfg.Presets {
		preset, err := probe.FindPreset(name)
		if err != nil {
			return nil, false, err
		}
		list, err := preset.Parse()
		if err != nil {
			return nil, false, err
		}
		p.presets = append(p.presets, preset)
		probes = append(probes, list...)
		includes = includes || len(list) > 0
	}
	return probes, includes, nil
}

// sort puts the plan in order. It does not depend on the order in which files were opened.
func (p *Plan) sort() {
	slices.SortFunc(p.Modules, func(a, b *Module) int { return cmp.Compare(a.Path, b.Path) })
	slices.Sort(p.Startup)
	slices.SortFunc(p.LeftOut, func(a, b format.LeftOut) int {
		return cmp.Or(cmp.Compare(a.Module, b.Module), cmp.Compare(a.Addr, b.Addr), cmp.Compare(a.Name, b.Name))
	})
}

// checkEmpty returns an error if there is nothing to probe now, and nothing to look for later.
func (p *Plan) checkEmpty() error {
	switch {
	case len(p.Modules) > 0 || len(p.Pending) > 0:
		return nil
	case len(p.LeftOut) > 0:
		first := p.LeftOut[0]
		return fmt.Errorf("%w: all %d functions were left out, such as %s: %s", ErrNothing, len(p.LeftOut), first.Name, first.Reason)
	}
	return fmt.Errorf("%w: every function is excluded", ErrNothing)
}

// resolution is what resolve knows while it looks probes up.
type resolution struct {
	p       *Plan
	scopes  []*Scope
	targets bool                            // the scopes are of processes or a command, not of the machine
	wanted  map[*image.Image][]*probe.Probe // by file: the probes that may name something in it
	around  map[*image.Image]surroundings   // by file
	missing map[*probe.Probe]error          // probes whose file was not found, and why
	matched map[*probe.Probe]bool           // probes that name something
}

// find looks each probe up in each scope.
func (r *resolution) find() error {
	for _, sc := range r.scopes {
		around := sc.surroundings()
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
					r.p.refuse(sc, img)
				}
				r.add(sc, img, pr, around)
			}
		}
	}
	return nil
}

// notFound notes that the files of a probe were not found. It returns an error if nothing that appears later can change that.
func (r *resolution) notFound(pr *probe.Probe, err error) error {
	switch {
	case pr.Exclude: // nothing there to leave out
	case pr.Preset != "", r.targets && errors.Is(err, errNoLibrary), errors.Is(err, ErrNoUSDT):
		r.missing[pr] = err
	default:
		return err
	}
	return nil
}

// add notes that a probe may name something in a file of a scope.
func (r *resolution) add(sc *Scope, img *image.Image, pr *probe.Probe, around surroundings) {
	if !slices.Contains(r.wanted[img], pr) {
		r.wanted[img] = append(r.wanted[img], pr)
	}
	if r.p.follow && img != sc.Program { // it is probed in every process that maps it
		around.unknown = unknownProcess
	}
	r.around[img] = r.around[img].or(around)
	if sc.Program == nil && img.File.Interp != "" && img.File.Soname == "" { // a program; the C library can be run, too
		r.around[img] = ofProgram(&r.p.Images, img, sc.finder)
	}
}

// addPending adds the probes that name nothing to those that are looked for later. It returns an error for the first one that
// cannot be found later.
func (r *resolution) addPending() error {
	p := r.p
	presets := map[string]bool{} // that match something, or have been reported
	for pr := range r.matched {
		presets[pr.Preset] = true
	}
	for _, pr := range p.Probes {
		switch {
		case r.matched[pr], pr.Exclude && p.CanGrow(), pr.Preset != "" && presets[pr.Preset]:
			continue
		case pr.Preset != "":
			if len(p.Modules) == 0 && len(p.Problems) > 0 {
				return fmt.Errorf("%w: %s", ErrNothing, strings.Join(p.Problems, "; "))
			}
			presets[pr.Preset] = true
			p.addPending(pr, fmt.Errorf("preset %s: nothing there has any of its probes", pr.Preset))
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

func (p *Plan) addPending(pr *probe.Probe, why error) {
	p.pending = append(p.pending, pr)
	p.Pending = append(p.Pending, why)
}
