//go:build linux

package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"utrace/record/internal/probe"
	"utrace/record/internal/proc"
	"utrace/record/internal/selector"
)

// Selection has the criteria by which processes are chosen. Its zero value chooses none.
type Selection = selector.Config

// Errors of Config.Select.
var (
	// ErrSelection is wrapped if a criterion cannot be understood.
	ErrSelection = selector.ErrValue
	// ErrNobody is wrapped if no process matches. One that starts later may: see Config.Wait.
	ErrNobody = selector.ErrNobody
)

// selectPIDs returns the processes to record. If they are chosen by a selection, it sets Selected,
// and also Selection unless process IDs were given: then no process that starts later counts.
func (p *Plan) selectPIDs(cfg *Config) ([]int, error) {
	if !cfg.Select.Any() {
		return cfg.PIDs, nil
	}
	s, err := selector.New(cfg.Select, "/")
	if err != nil {
		return nil, err
	}
	if len(cfg.PIDs) > 0 {
		p.Selected, err = s.Processes(cfg.PIDs)
		return p.Selected, err
	}
	p.Selector, p.follow = s, true
	p.Selected = slices.DeleteFunc(s.All(), proc.HasNoProgram) // perhaps it has ended meanwhile
	if len(p.Selected) == 0 && !cfg.Wait {
		return nil, s.Nobody()
	}
	return p.Selected, nil
}

// Nobody returns an error that wraps ErrNobody if a selection matched no process when the plan was
// made, nil otherwise.
func (p *Plan) Nobody() error {
	if !p.selectsNobody() {
		return nil
	}
	return p.Selector.Nobody()
}

// selectsNobody reports whether a selection waits for the first process that matches.
func (p *Plan) selectsNobody() bool { return p.Selector != nil && len(p.PIDs) == 0 }

// await makes all probes pending, while no process matches.
func (p *Plan) await() {
	for _, pr := range p.Probes {
		if !pr.Exclude {
			p.addPending(pr, fmt.Errorf("%w %q: %w yet", probe.ErrProbe, pr.Text, ErrNobody))
		}
	}
}

// maxNamedSelected limits how many chosen processes are named.
const maxNamedSelected = 20

// selectedText names the chosen processes, "" if none was chosen by a selection.
func (p *Plan) selectedText() string {
	if len(p.Selected) == 0 {
		return ""
	}
	var names []string
	for _, pid := range p.Selected[:min(len(p.Selected), maxNamedSelected)] {
		names = append(names, fmt.Sprintf("%s (%d)", proc.Comm(pid), pid))
	}
	if n := len(p.Selected) - len(names); n > 0 {
		names = append(names, fmt.Sprintf("and %d more", n))
	}
	return english.Plural(len(p.Selected), "process matches", "processes match") + ": " + strings.Join(names, ", ")
}
