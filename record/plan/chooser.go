//go:build linux

package plan

import (
	"fmt"
	"regexp"

	"utrace/record/internal/ldso"
	"utrace/record/internal/probe"
)

// chooser says which processes a preset is for. It serves people who do not know what to trace.
//
// The presets malloc and io have none. Every program calls their functions so often that they would
// be removed at once, or show nothing.
type chooser struct {
	preset   string
	language string         // of an interpreter, "" for none
	program  *regexp.Regexp // matches names of the interpreter's programs

	// A process is one of these if any of the following is true.
	provider, probe string   // a file has this static probe
	library         string   // it has mapped this library
	imports         []string // a file other than the C library calls one of these functions
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

// isInterpreter reports whether a program is the interpreter of the preset's language.
func (c *chooser) isInterpreter(path string) bool {
	return c.program != nil && c.program.MatchString(baseName(path))
}

// fits reports whether the preset is for a process. If it is not, although one might expect it, why
// says what the process lacks.
func (c *chooser) fits(r runningProcess) (ok bool, why string) {
	interprets, hasProvider := false, false
	for _, img := range r.files {
		if c.probe != "" {
			list, _ := img.File.USDTProbes()
			for _, p := range list {
				if p.Provider == c.provider {
					hasProvider = true
					if p.Name == c.probe {
						return true, ""
					}
				}
			}
		}
		if c.library != "" && ldso.Matches(c.library, img.Path, img.File.Soname) {
			return true, ""
		}
		if len(c.imports) > 0 && !img.File.IsLibc() {
			if _, ok := img.File.Imports(c.imports...); ok {
				return true, ""
			}
		}
		interprets = interprets || c.isInterpreter(img.Path)
	}

	switch {
	case hasProvider:
		return false, fmt.Sprintf("its %s has other static probes, but not %s:%s", c.language, c.provider, c.probe)
	case interprets:
		return false, fmt.Sprintf("its %s was built without static probes", c.language)
	}
	return false, ""
}

// choosePresets returns the presets that fit some of the processes. passed are those for which none
// was chosen although one might expect it, each with the reason.
func choosePresets(list []runningProcess) (chosen []Choice, passed []string) {
	for _, c := range choosers() {
		preset, err := probe.FindPreset(c.preset)
		if err != nil {
			continue
		}
		var fitting []runningProcess
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
		// Plan.Problems has the others.
		chosen = append(chosen, Choice{Preset: c.preset, About: preset.About, Processes: groupByName(fitting)})
	}
	return chosen, passed
}
