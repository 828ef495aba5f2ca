//go:build linux

package plan

import (
	"fmt"
	"slices"
	"strings"

	"utrace/record/internal/probe"
)

// Choice is a preset that utrace chose itself, and the processes that it is for.
type Choice struct {
	Preset    string
	About     string   // one line for people
	Processes []string // each NAME (process PID), NAME (N processes), or NAME (the command)
}

// chooseProbes chooses the probes for a Config that names none:
//
//   - for the whole machine the presets that fit what runs; ErrNothing if none does;
//   - for an interpreter the preset of its language, because whoever runs a script wants to see the
//     script's functions;
//   - for any other program all its functions.
func (p *Plan) chooseProbes(scopes []*Scope) ([]*probe.Probe, error) {
	if len(scopes) == 0 {
		return p.chooseForMachine()
	}

	var probes, programs []*probe.Probe
	for _, sc := range scopes {
		preset, why := interpreterPreset(sc)
		if why != "" {
			p.Passed = append(p.Passed, why)
		}
		if preset == nil {
			all, err := probe.Parse("*")
			if err != nil {
				return nil, err
			}
			all.Path = sc.Program.Path
			programs = append(programs, all)
			continue
		}

		isChosen := func(c Choice) bool { return c.Preset == preset.Name }
		if i := slices.IndexFunc(p.Chosen, isChosen); i >= 0 {
			p.Chosen[i].Processes = append(p.Chosen[i].Processes, sc.describe())
			continue
		}
		p.Chosen = append(p.Chosen, Choice{Preset: preset.Name, About: preset.About, Processes: []string{sc.describe()}})
		list, err := p.addPreset(*preset)
		if err != nil {
			return nil, err
		}
		probes = append(probes, list...)
	}
	if len(probes) == 0 { // all functions of their programs, those executed later included
		all, err := probe.Parse("*")
		return []*probe.Probe{all}, err
	}
	return append(probes, programs...), nil
}

// chooseForMachine chooses the presets that fit the processes of the machine.
func (p *Plan) chooseForMachine() (probes []*probe.Probe, err error) {
	list, denied := runningProcesses(&p.Images)
	p.Chosen, p.Passed = choosePresets(list)
	if len(p.Chosen) == 0 {
		return nil, noChoice(len(list), denied, p.Passed)
	}
	for _, c := range p.Chosen {
		preset, err := probe.FindPreset(c.Preset)
		if err != nil {
			return nil, err
		}
		list, err := p.addPreset(preset)
		if err != nil {
			return nil, err
		}
		probes = append(probes, list...)
	}
	return probes, nil
}

// noChoice is the error if no preset fits. denied is the number of processes that could not be
// examined.
func noChoice(processes, denied int, passed []string) error {
	why := ""
	if len(passed) > 0 {
		why = "; " + strings.Join(passed, "; ")
	}
	refused := ""
	if denied > 0 {
		refused = fmt.Sprintf("; permission denied for %d: run utrace as root (sudo), utrace doctor shows what is missing", denied)
	}
	return fmt.Errorf("%w: %w (%d were examined%s)%s", ErrNothing, ErrNoChoice, processes, refused, why)
}

// interpreterPreset returns the preset of the language that the program of a scope interprets. It
// is nil if the program is no interpreter, or if the interpreter cannot be traced. Then why has the
// reason.
func interpreterPreset(sc *Scope) (preset *probe.Preset, why string) {
	for _, c := range choosers() {
		if !c.isInterpreter(sc.Program.Path) {
			continue
		}
		ok, why := c.fits(runningProcess{files: sc.all()})
		// The java launcher loads a JVM only when it runs.
		if !ok && !(sc.PID == 0 && c.preset == "java") {
			return nil, fmt.Sprintf("%s: %s: recording the functions of the interpreter itself", sc.describe(), why)
		}
		found, err := probe.FindPreset(c.preset)
		if err != nil {
			return nil, ""
		}
		return &found, ""
	}
	return nil, ""
}

// PresetNames returns the names of all presets in use: those of cfg and those chosen for it.
func (p *Plan) PresetNames(cfg Config) []string {
	names := slices.Clone(cfg.Presets)
	for _, c := range p.Chosen {
		names = append(names, c.Preset)
	}
	return names
}

// Choices says which presets utrace chose, for which processes, and for which it chose none. Each
// text is a line.
func (p *Plan) Choices() []string {
	var lines []string
	for _, c := range p.Chosen {
		shown, more := c.Processes, ""
		if n := len(shown) - maxNamedProcesses; n > 0 {
			shown, more = shown[:maxNamedProcesses], fmt.Sprintf(" and %d more", n)
		}
		lines = append(lines, fmt.Sprintf("chosen: preset %s (%s), for %s%s", c.Preset, c.About, strings.Join(shown, ", "), more))
	}
	for i, text := range p.Passed {
		if i == maxNamedProcesses {
			lines = append(lines, fmt.Sprintf("not chosen: %d more", len(p.Passed)-i))
			break
		}
		lines = append(lines, "not chosen: "+text)
	}
	return lines
}

// maxNamedProcesses is how many processes Choices names for each preset.
const maxNamedProcesses = 5
