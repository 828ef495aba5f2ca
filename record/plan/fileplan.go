//go:build linux

package plan

import (
	"slices"

	"utrace/format"
	"utrace/record/internal/abi"
	"utrace/record/internal/image"
	"utrace/record/internal/probe"
)

// plannedFile says what has been planned in a file. The file may be planned again, with more
// probes.
type plannedFile struct {
	probes  []*probe.Probe
	addrs   map[uint64]bool // of the functions found
	usdt    map[string]bool // static probes: name, and text of the probe that selected it
	leftOut map[format.LeftOut]bool
}

// filePlan plans the probes of one file.
type filePlan struct {
	p       *Plan
	m       *Module
	img     *image.Image
	probes  []*probe.Probe
	hazards processHazards // of the processes that the file is probed in
	moves   string         // see whyMoves
	done    *plannedFile

	// matched are the probes that name something. What is left out counts, as its reason is
	// reported.
	matched map[*probe.Probe]bool
}

// addFile plans the probes of one file, and notes in matched which ones name something in it.
func (p *Plan) addFile(img *image.Image, probes []*probe.Probe, hazards processHazards, matched map[*probe.Probe]bool) error {
	done := p.planned[img.Version]
	if done == nil {
		done = &plannedFile{addrs: map[uint64]bool{}, usdt: map[string]bool{}, leftOut: map[format.LeftOut]bool{}}
		p.planned[img.Version] = done
	}
	done.probes = probes

	m := &Module{Path: img.Path, BuildID: img.File.BuildID, Image: img}
	m.Anywhere = slices.ContainsFunc(probes, func(pr *probe.Probe) bool { return pr.Path != "" })
	if !p.follow {
		m.PIDs = img.PIDs
	}
	f := &filePlan{p: p, m: m, img: img, probes: probes, hazards: hazards, moves: p.whyMoves(img), done: done, matched: matched}

	isUSDT := func(pr *probe.Probe) bool { return pr.USDT != nil }
	isFunction := func(pr *probe.Probe) bool { return pr.USDT == nil }
	if slices.ContainsFunc(probes, isFunction) {
		if err := f.addFuncs(); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(probes, isUSDT) {
		if err := f.addUSDT(); err != nil {
			return err
		}
	}

	f.dropPatched()

	modules := []*Module{m}
	if p.probesUnknownProcesses() {
		modules = append(modules, m.takePerProcess())
	}
	for _, m := range modules {
		if len(m.Funcs) > 0 {
			p.Modules = append(p.Modules, m)
		}
	}
	return nil
}

// leaveOut notes what is not probed, and why, once.
func (f *filePlan) leaveOut(name string, a abi.Addr, why string) {
	l := format.LeftOut{Name: name, Module: f.img.Path, Addr: uint64(a), Reason: why}
	if !f.done.leftOut[l] {
		f.done.leftOut[l] = true
		f.p.LeftOut = append(f.p.LeftOut, l)
	}
}
