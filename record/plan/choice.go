//go:build linux

package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/ldso"
	"utrace/record/internal/probe"
	"utrace/record/internal/proc"
	"utrace/record/internal/procmaps"
)

// Choice is a preset that utrace has chosen itself, and the processes that it is for.
type Choice struct {
	Preset    string
	About     string
	Processes []string // NAME (process PID), or NAME (N processes)
}

// running is a process, as far as a choice looks at it.
type running struct {
	pid   int
	name  string
	files []*image.Image // programs and libraries that it has mapped
}

func (r running) String() string { return fmt.Sprintf("%s (process %d)", r.name, r.pid) }

// chooser says what makes a preset worth it for somebody who does not know what to trace.
//
// Not chosen by themselves are malloc and io, which are called so often, by every program, that they would
// be taken off at once, or tell nothing.
type chooser struct {
	preset   string
	language string         // of an interpreter, "" for none
	program  *regexp.Regexp // names of the interpreter's programs
	// One of these tells that a process is for the preset.
	provider, probe string   // a file has this static probe
	library         string   // it has mapped this library
	imports         []string // a file calls one of these functions
}

func choosers() []chooser {
	return []chooser{
		{preset: "python", language: "Python", program: regexp.MustCompile(`^python[0-9.]*$`), provider: "python", probe: "function__entry"},
		{preset: "php", language: "PHP", program: regexp.MustCompile(`^php(-fpm|-cgi)?[0-9.]*$`), provider: "php", probe: "function__entry"},
		{preset: "ruby", language: "Ruby", program: regexp.MustCompile(`^ruby[0-9.]*$`), provider: "ruby", probe: "method__entry"},
		{preset: "java", language: "Java", program: regexp.MustCompile(`^java$`), provider: "hotspot", probe: "method__entry"},
		{preset: "postgres", provider: "postgresql", probe: "query__start"},
		{preset: "tls", library: "ssl"},
		{preset: "sqlite", library: "sqlite3"},
		{preset: "dns", imports: []string{"getaddrinfo", "getnameinfo", "gethostbyname", "gethostbyname_r", "gethostbyname2_r", "gethostbyaddr_r"}},
	}
}

// fits reports whether the preset is for the process. If it is not, and one might think that it is, why says
// what it lacks.
func (c *chooser) fits(r running) (ok bool, why string) {
	isInterpreter, provider := false, false
	for _, img := range r.files {
		if c.probe != "" {
			list, _ := img.File.USDTProbes()
			if slices.ContainsFunc(list, func(p elffile.USDTProbe) bool { return p.Provider == c.provider && p.Name == c.probe }) {
				return true, ""
			}
			provider = provider || slices.ContainsFunc(list, func(p elffile.USDTProbe) bool { return p.Provider == c.provider })
		}
		if c.library != "" && ldso.Matches(c.library, img.Path, img.File.Soname) {
			return true, ""
		}
		if len(c.imports) > 0 && !img.File.IsLibc() {
			if _, ok := img.File.Imports(c.imports...); ok {
				return true, ""
			}
		}
		isInterpreter = isInterpreter || c.program != nil && c.program.MatchString(baseName(img.Path))
	}
	switch {
	case provider:
		return false, fmt.Sprintf("its %s has other static probes, but not %s:%s", c.language, c.provider, c.probe)
	case isInterpreter:
		return false, fmt.Sprintf("its %s was built without static probes", c.language)
	}
	return false, ""
}

// choose returns the presets that fit the processes, and what it has passed over, and why.
func choose(list []running) (chosen []Choice, passed []string) {
	for _, c := range choosers() {
		preset, err := probe.FindPreset(c.preset)
		if err != nil {
			continue
		}
		choice := Choice{Preset: c.preset, About: preset.About}
		var fitting []running
		var without []string
		for _, r := range list {
			ok, why := c.fits(r)
			if ok {
				fitting = append(fitting, r)
			} else if why != "" {
				without = append(without, fmt.Sprintf("%s: %s", r, why))
			}
		}
		if len(fitting) == 0 {
			passed = append(passed, without...)
			continue
		}
		choice.Processes = byName(fitting) // Plan.Problems tells of the others
		chosen = append(chosen, choice)
	}
	return chosen, passed
}

// byName lists processes, those of the same name together.
func byName(list []running) []string {
	same := map[string][]running{}
	var names, texts []string
	for _, r := range list {
		if same[r.name] == nil {
			names = append(names, r.name)
		}
		same[r.name] = append(same[r.name], r)
	}
	for _, name := range names {
		if n := len(same[name]); n > 1 {
			texts = append(texts, fmt.Sprintf("%s (%d processes)", name, n))
		} else {
			texts = append(texts, same[name][0].String())
		}
	}
	return texts
}

// autoProbes chooses the probes of a PlanConfig that names none:
//
//   - for the whole machine the presets that fit what runs; ErrNothing if there is nothing;
//   - for an interpreter the preset of its language, for whoever runs a script wants to see its functions;
//   - for any other program all its functions.
func (p *Plan) autoProbes(scopes []*Scope) ([]*probe.Probe, error) {
	if len(scopes) == 0 {
		list := runningProcesses(&p.Images)
		p.Chosen, p.Passed = choose(list)
		if len(p.Chosen) == 0 {
			return nil, noChoice(len(list), p.Passed)
		}
		var probes []*probe.Probe
		for _, c := range p.Chosen {
			preset, err := probe.FindPreset(c.Preset)
			if err != nil {
				return nil, err
			}
			more, err := preset.Parse()
			if err != nil {
				return nil, err
			}
			p.presets = append(p.presets, preset)
			probes = append(probes, more...)
		}
		return probes, nil
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
		if i := slices.IndexFunc(p.Chosen, func(c Choice) bool { return c.Preset == preset.Name }); i >= 0 {
			p.Chosen[i].Processes = append(p.Chosen[i].Processes, sc.describe())
			continue
		}
		p.Chosen = append(p.Chosen, Choice{Preset: preset.Name, About: preset.About, Processes: []string{sc.describe()}})
		more, err := preset.Parse()
		if err != nil {
			return nil, err
		}
		p.presets = append(p.presets, *preset)
		probes = append(probes, more...)
	}
	if len(probes) == 0 { // all their programs, also those executed later
		all, err := probe.Parse("*")
		return []*probe.Probe{all}, err
	}
	return append(probes, programs...), nil
}

// presetNames returns the names of all presets in use.
func (p *Plan) PresetNames(cfg Config) []string {
	names := slices.Clone(cfg.Presets)
	for _, c := range p.Chosen {
		names = append(names, c.Preset)
	}
	return names
}

// Choices says, a line each, which presets utrace has chosen itself, for what, and what it has passed over.
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

// mostChosen is how many processes Choices names for each preset.
const maxNamedProcesses = 5

// noChoice is the error where nothing fits.
func noChoice(processes int, passed []string) error {
	why := ""
	if len(passed) > 0 {
		why = "; " + strings.Join(passed, "; ")
	}
	return fmt.Errorf("%w: %w (%d processes)%s", ErrNothing, ErrNoChoice, processes, why)
}

// interpreterPreset returns the preset of the language that the program of a scope interprets, nil if it is
// no interpreter, or one that cannot be traced, for which why says the reason.
func interpreterPreset(sc *Scope) (preset *probe.Preset, why string) {
	for _, c := range choosers() {
		if c.program == nil || !c.program.MatchString(baseName(sc.Program.Path)) {
			continue
		}
		ok, why := c.fits(running{files: sc.all()})
		// A JVM is loaded by the launcher when it runs.
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

// describe names what the scope is of.
func (sc *Scope) describe() string {
	if sc.PID == 0 {
		return baseName(sc.Program.Path) + " (the command)"
	}
	return running{pid: sc.PID, name: baseName(sc.Program.Path)}.String()
}

// runningProcesses looks at the processes of the machine, without this one and the kernel's own.
func runningProcesses(s *image.Set) []running {
	var list []running
	for _, pid := range proc.All() {
		maps, err := procmaps.Read(pid)
		if err != nil || len(maps) == 0 { // it has ended, or is the kernel's
			continue
		}
		r := running{pid: pid, name: proc.Comm(pid)}
		root := proc.OtherRoot(pid)
		for _, m := range maps {
			key := image.Key{Dev: m.Dev, Ino: m.Inode}
			if !m.Exec || s.Failed[key] {
				continue
			}
			open := m.OpenPath(pid)
			if open == "" {
				continue
			}
			img, err := s.Get(root, 0, m.Path, open)
			switch {
			case err != nil:
				s.Failed[key] = true
			case !slices.Contains(r.files, img):
				r.files = append(r.files, img)
			}
		}
		if len(r.files) > 0 {
			list = append(list, r)
		}
	}
	return list
}
