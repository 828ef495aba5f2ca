//go:build linux

package threads

import (
	"strings"

	"utrace/format"
	"utrace/record/internal/cgroup"
	"utrace/record/internal/container"
	"utrace/record/internal/proc"
)

// place is where a process runs.
type place struct{ cgroup, unit, container, pod string }

// readPlace reports false for a process that has ended. Its place is then that of its parent, which
// it has most probably not left.
func readPlace(pid int, state *container.State) (place, bool) {
	paths := cgroup.Of(pid)
	if len(paths) == 0 && proc.Comm(pid) == "" {
		return place{}, false
	}
	p := place{cgroup: paths.Main(), unit: paths.Unit()}
	containers := state.Of(paths)
	if n := len(containers); n > 0 {
		p.container = containers[n-1].Name()
	}
	p.pod = state.Pod(pid, paths, containers)
	return p, true
}

func (p *place) addTo(def *format.Process) {
	valid := func(text string) string { return strings.ToValidUTF8(text, "\ufffd") }
	def.Cgroup, def.Unit, def.Container, def.Pod = valid(p.cgroup), valid(p.unit), valid(p.container), valid(p.pod)
}
