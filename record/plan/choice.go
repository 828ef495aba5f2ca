//go:build linux

package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"utrace/record/internal/image"
	"utrace/record/internal/probe"
	"utrace/record/internal/proc"
)

// Choice is a preset that utrace chose itself, or the functions of a busy program.
type Choice struct {
	Preset    string   // "" for functions
	About     string   // of the preset, one line for people
	Processes []string // each NAME (process PID), NAME (N processes), or NAME (the command)
}

// chooseProbes chooses the probes for a Config that names none:
//
//   - for the whole machine the presets that fit what runs, and the functions of busy programs;
//     ErrNothing if there are neither;
//   - for an interpreter the preset of its language, because whoever runs a script wants to see the
//     script's functions;
//   - for any other program all its functions.
func (p *Plan) chooseProbes(scopes []*Scope) ([]*probe.Probe, error) {
	if len(scopes) == 0 && p.Selector == nil {
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
			if !slices.ContainsFunc(programs, func(pr *probe.Probe) bool { return pr.Path == all.Path }) {
				programs = append(programs, all)
			}
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

// chooseForMachine chooses for the processes of the machine the presets that fit them, and the
// functions of programs that are busy.
func (p *Plan) chooseForMachine() (probes []*probe.Probe, err error) {
	cpu := watchCPU()
	list, denied := runningProcesses(&p.Images)
	p.Chosen, p.Passed = choosePresets(list)
	time.Sleep(busyLook - time.Since(cpu.began))
	seen := busyPrograms(list, cpu.shares())
	busy, passed := chooseBusy(&p.Images, seen, maxBusyPrograms)
	p.Passed = append(p.Passed, passed...)
	p.seenBusy = map[image.Key]bool{}
	for _, b := range seen {
		p.seenBusy[b.program.Key] = true
	}
	if len(p.Chosen)+len(busy) == 0 {
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

	for _, b := range busy {
		all, err := p.addBusy(b)
		if err != nil {
			return nil, err
		}
		probes = append(probes, all)
	}
	return probes, nil
}

// addBusy notes that the functions of a busy program are chosen, and returns the probe for them.
func (p *Plan) addBusy(b busyProgram) (*probe.Probe, error) {
	all, err := probe.Parse("*")
	if err != nil {
		return nil, err
	}
	all.Path = proc.OtherRoot(b.processes[0].pid) + b.program.Path
	p.busy[all] = b
	p.Chosen = append(p.Chosen, Choice{Processes: []string{b.String()}})
	return all, nil
}

// noChoice is the error if nothing is chosen. denied is the number of processes that could not be
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
	return fmt.Errorf("%w: %w (%s examined%s)%s", ErrNothing, ErrNoChoice, english.Plural(processes, "process was", "processes were"), refused, why)
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
		if c.Preset != "" {
			names = append(names, c.Preset)
		}
	}
	return names
}

// Choices says what utrace chose, for which processes, and for which it chose nothing. Each text is
// a line.
func (p *Plan) Choices() []string {
	var lines []string
	if text := p.selectedText(); text != "" {
		lines = append(lines, text)
	}
	for _, c := range p.Chosen {
		if c.Preset == "" {
			lines = append(lines, "chosen: functions of "+strings.Join(c.Processes, ", "))
			continue
		}
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
	if len(p.Surplus) > 0 {
		lines = append(lines, fmt.Sprintf("not chosen: %s: those of a runtime, those without a name, then the smallest; -e names them", strings.Join(p.Surplus, ", ")))
	}
	return lines
}

// maxNamedProcesses is how many processes Choices names for each preset.
const maxNamedProcesses = 5
