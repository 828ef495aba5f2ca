//go:build linux

package plan

import (
	"fmt"
	"slices"

	"utrace/record/internal/image"
	"utrace/record/internal/probe"
)

// AddProblems adds to Problems what the presets cannot record in a scope, and returns the new ones.
// later is set if the scope appeared while recording. If so, a problem is reported once for each
// file, not for each process.
func (p *Plan) AddProblems(sc *Scope, later bool) (added []string) {
	before := len(p.Problems)
	sc.follow = p.follow
	for _, preset := range p.presets {
		reported := p.reported[preset.Name]
		if reported == nil {
			reported = map[image.Version]bool{}
			p.reported[preset.Name] = reported
		}
		for _, img := range sc.all() {
			if later && reported[img.Version] {
				continue
			}
			text := presetProblem(preset.Name, sc, img, p.forbidden[img])
			if text == "" {
				continue
			}
			reported[img.Version] = true
			if text = fmt.Sprintf("preset %s: %s", preset.Name, text); !slices.Contains(p.Problems, text) {
				p.Problems = append(p.Problems, text)
			}
		}
	}
	return p.Problems[before:]
}

// presetProblem says what a preset cannot record in a file of a scope, and why, "" if nothing is
// known to be missing. forbidden says why the static probes that break some processes must not be
// attached, "" if they may be.
func presetProblem(name string, sc *Scope, img *image.Image, forbidden string) string {
	switch name {
	case "java":
		return javaProblem(sc, img)
	case "php":
		return phpProblem(sc, img)
	case "postgres":
		return postgresProblem(sc, img)
	case "python":
		return pythonProblem(img, forbidden)
	case "ruby":
		return rubyProblem(sc, img)
	}
	return ""
}

// literalUSDT returns the pattern that matches one static probe.
func literalUSDT(provider, name string) *probe.USDTPattern {
	return &probe.USDTPattern{Provider: &probe.Pattern{Literal: provider}, Name: &probe.Pattern{Literal: name}}
}
