//go:build linux

package record

import "utrace/record/internal/survey"

// surveyedProbes are the probes of a surveyed module.
type surveyedProbes struct {
	module      *module
	probes      *attachedProbes
	definitions *definitions
}

// Open implements survey.Probes.
func (p surveyedProbes) Open(set *survey.Set) error {
	noReturns, err := p.probes.openSet(p.module, set)
	if len(noReturns) > 0 {
		p.definitions.add(func(*catalog) { p.module.dropReturns(noReturns) })
	}
	return err
}

// Close implements survey.Probes.
func (p surveyedProbes) Close(set *survey.Set) (done <-chan struct{}) {
	return p.probes.closeSet(p.module, set)
}

// Processes implements survey.Probes.
func (p surveyedProbes) Processes() []int { return p.probes.processesWith(p.module) }
