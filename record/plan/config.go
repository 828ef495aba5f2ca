//go:build linux

package plan

import (
	"slices"
	"time"

	"utrace/record/debuginfod"
	"utrace/record/internal/probe"
)

// Config says what to probe, and in which processes. Without PIDs, Select and Command that is every
// process of the machine. Its zero value is useful: it chooses the presets that fit the running
// processes, and the programs that are busy.
type Config struct {
	PIDs         []int          // running processes
	Select       Selection      // or processes by what they are, those that start later included; both: PIDs that match
	Command      []string       // to start, with its arguments; may be empty
	Follow       bool           // probe the children of these processes as well, and what they execute
	Wait         bool           // if nothing has what is named, wait for programs and libraries: see ErrNotYet
	Probes       []*probe.Probe // none, and no Presets: utrace chooses what fits the targets
	Presets      []string       // names of presets, whose probes are added to Probes
	PlaceAtEntry bool           // probe functions at their first byte, not at the cheapest site
	SlowerThan   time.Duration  // keep only calls that take at least this long; 0 keeps all
	Stacks       bool           // record the stack of callers at each entry, by frame pointers
	Sched        bool           // record when the threads that make calls run, wait to run, and are blocked

	// Debuginfod, unless nil, downloads debug files of what is probed. New ends that: afterwards only
	// those in its cache are used.
	Debuginfod *debuginfod.Client
}

// NamesProbes reports whether the Config says what to probe. Otherwise utrace chooses.
func (c *Config) NamesProbes() bool {
	includes := func(p *probe.Probe) bool { return !p.Exclude }
	return len(c.Presets) > 0 || slices.ContainsFunc(c.Probes, includes)
}

// Conditional reports whether any of Probes has a condition.
func (c *Config) Conditional() bool {
	return slices.ContainsFunc(c.Probes, func(p *probe.Probe) bool { return p.Values.Condition != nil })
}
