//go:build linux

package plan

import (
	"fmt"
	"slices"

	"utrace/format"
	"utrace/record/internal/image"
	"utrace/record/internal/probe"
)

// Extend plans the probes in the files of a scope that appeared while recording, and returns the
// new modules. files holds the scope's files. What has been planned in a file before is not planned
// again. A file that fails is added to LeftOut. Only one goroutine at a time may call it.
func (p *Plan) Extend(files *image.Set, sc *Scope) (added []*Module) {
	before := len(p.Modules)
	matched := map[*probe.Probe]bool{}
	wanted, order := p.lookUp(files, sc)
	for _, img := range order {
		probes := p.withPlanned(img, wanted[img])
		if len(probes) == 0 {
			continue
		}
		if p.machine { // also in those that start later
			img.PIDs = nil
		}
		if slices.ContainsFunc(probes, func(pr *probe.Probe) bool { return pr.USDT == nil }) {
			files.FetchDebug(img)
		}
		hazards := sc.hazards()
		if p.follow && img != sc.Program { // it is probed in every process that maps it
			hazards.unknown = unknownProcess
		}
		if err := p.addFile(img, probes, hazards, matched); err != nil {
			p.LeftOut = append(p.LeftOut, format.LeftOut{Name: "*", Module: img.Path, Reason: err.Error()})
		}
	}
	for _, img := range order {
		delete(p.users, img) // it may soon be closed
	}
	p.removePending(matched)
	return p.Modules[before:]
}

// lookUp returns the probes that may name something in each file of a scope, and these files in
// order.
func (p *Plan) lookUp(files *image.Set, sc *Scope) (wanted map[*image.Image][]*probe.Probe, order []*image.Image) {
	wanted = map[*image.Image][]*probe.Probe{}
	for _, pr := range p.Probes {
		list, err := find(files, sc, pr)
		if err != nil {
			continue // still missing
		}
		for _, img := range list {
			p.addUser(img, sc)
			if wanted[img] == nil {
				order = append(order, img)
				if !p.probesUnknownProcesses() {
					p.forbidBreaking(sc, img)
				}
			}
			wanted[img] = append(wanted[img], pr)
		}
	}
	return wanted, order
}

// withPlanned returns the probes with which to plan a file: the ones already planned in it, and the
// new ones. It returns none if none is new.
func (p *Plan) withPlanned(img *image.Image, probes []*probe.Probe) []*probe.Probe {
	done := p.planned[img.Version]
	if done == nil {
		return probes
	}
	added := slices.DeleteFunc(slices.Clone(probes), func(pr *probe.Probe) bool {
		return slices.Contains(done.probes, pr)
	})
	if len(added) == 0 {
		return nil
	}
	return append(slices.Clone(done.probes), added...)
}

// Absent names the probes and presets that name nothing yet: those of Pending.
func (p *Plan) Absent() (names []string) {
	for _, pr := range p.pending {
		if pr.Preset != "" {
			names = append(names, "preset "+pr.Preset)
		} else {
			names = append(names, fmt.Sprintf("%q", probe.Shorten(pr.Text)))
		}
	}
	return names
}

// removePending removes the probes that have matched something from the pending ones.
func (p *Plan) removePending(matched map[*probe.Probe]bool) {
	for i := len(p.pending) - 1; i >= 0; i-- {
		if matched[p.pending[i]] {
			p.pending = slices.Delete(p.pending, i, i+1)
			p.Pending = slices.Delete(p.Pending, i, i+1)
		}
	}
}
