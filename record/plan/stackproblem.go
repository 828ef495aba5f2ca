//go:build linux

package plan

import (
	"slices"

	"utrace/record/internal/image"
)

// addStackProblems adds to Problems the programs and the probed files in which stacks end early,
// and that static probes have no stacks.
func (p *Plan) addStackProblems() {
	isUSDT := func(fn Func) bool { return fn.USDT != "" }
	if slices.ContainsFunc(p.Modules, func(m *Module) bool { return slices.ContainsFunc(m.Funcs, isUSDT) }) {
		p.Problems = append(p.Problems, "static probes have no stacks: only entries of functions do")
	}

	files := slices.Clone(p.programs)
	for _, m := range p.Modules {
		files = append(files, m.Image)
	}
	reported := map[*image.Image]bool{}
	for _, img := range files {
		if reported[img] || img.File.KeepsFramePointers() {
			continue
		}
		reported[img] = true
		p.Problems = append(p.Problems, img.Path+" is built without frame pointers: stacks through it may stop after the direct caller or miss callers; build it with -fno-omit-frame-pointer")
	}
}
