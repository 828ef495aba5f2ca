//go:build linux

package plan

import (
	"slices"
	"utrace/format"
	"utrace/record/internal/image"
	"utrace/record/internal/probe"
)

// Extend plans what the probes name in the files of a scope that has appeared while
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
		if err := p.addFile(img, probes, around, matched); err != nil {
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
