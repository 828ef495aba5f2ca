//go:build linux

package plan

import (
	"slices"
	"utrace/record/internal/image"
)

// addStackProblems tells of the programs and the files with probes in which stacks end early, and of probes that have none.
func (p *Plan) addStackProblems() {
	if slices.ContainsFunc(p.Modules, func(m *Module) bool {
		return slices.ContainsFunc(m.Funcs, func(fn Func) bool { return fn.USDT != "" })
	}) {
		p.Problems = append(p.Problems, "static probes have no stacks: only entries of functions do")
	}
	files := slices.Clone(p.programs)
	for _, m := range p.Modules {
		files = append(files, m.Image)
	}
	told := map[*image.Image]bool{}
	for _, img := range files {
		if told[img] || img.File.KeepsFramePointers() {
			continue
		}
		told[img] = true
		p.Problems = append(p.Problems, img.Path+" is built without frame pointers: stacks end behind the direct caller in it, or lack callers; build it with -fno-omit-frame-pointer")
	}
}
