//go:build linux

package plan

import (
	"slices"
	"time"
	"utrace/record/internal/probe"
)

// PlanConfig says what to probe.
type Config struct {
	PIDs         []int
	Command      []string       // to start; may be empty
	Follow       bool           // children of these, too, and what they execute
	Probes       []*probe.Probe // none: what fits the targets is chosen
	Presets      []string       // names of Presets, besides Probes
	PlaceAtEntry bool           // probe functions at their first byte, not at the cheapest site
	SlowerThan   time.Duration  // keep only calls at least this long; 0: all
	Stacks       bool           // record the stack of callers at each entry, by frame pointers
	Sched        bool           // record when the threads that call something run, could run and are blocked
}

// NamesProbes reports whether the PlanConfig says what to probe. Otherwise that is for utrace to choose.
func (c *Config) NamesProbes() bool {
	return len(c.Presets) > 0 || slices.ContainsFunc(c.Probes, func(p *probe.Probe) bool { return !p.Exclude })
}

// Conditional reports whether a probe has a condition.
func (c *Config) Conditional() bool {
	return slices.ContainsFunc(c.Probes, func(p *probe.Probe) bool { return p.Values.Condition != nil })
}
