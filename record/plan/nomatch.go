//go:build linux

package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"utrace/record/internal/demangle"
	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/probe"
	"utrace/record/internal/suggest"
)

// noMatch explains a probe that matches no function in the files that were searched. wanted has
// these files with their probes.
func noMatch(pr *probe.Probe, wanted map[*image.Image][]*probe.Probe, scopes []*Scope) error {
	var files []string
	for img, probes := range wanted {
		if !slices.Contains(probes, pr) {
			continue
		}
		if why := optimizedAway(img.File, pr); why != "" {
			return fmt.Errorf("%w %q: %s of %s", probe.ErrProbe, pr.Text, why, img.Path)
		}
		funcs, err := img.File.Funcs()
		what := fmt.Sprintf("%s (%d functions", img.Path, len(funcs))
		if err != nil {
			what = fmt.Sprintf("%s (symbols cannot be read: %v", img.Path, err)
		} else if img.File.Stripped() && !img.File.IsGo() { // Go has a table of its own
			what += ", stripped: only what it exports has a name"
			if slices.ContainsFunc(funcs, func(fn elffile.Func) bool { return fn.Recovered }) {
				what += ", other functions are called sub_ADDRESS"
			}
		}
		files = append(files, what+")")
	}
	slices.Sort(files)

	hint := nearest(pr, wanted)
	if pr.Path == "" && pr.Lib == "" && pr.Pattern != nil && pr.Pattern.Literal != "" {
		if img := findLiteral(pr.Pattern, scopes); img != nil {
			hint = fmt.Sprintf("; %s has it: write %s:%s", img.Path, baseName(img.Path), pr.Text)
		}
	}
	return fmt.Errorf("%w %q: no such function in %s%s", probe.ErrProbe, pr.Text, strings.Join(files, ", "), hint)
}

// findLiteral returns the last library of the scopes with a function that a pattern matches, nil if
// there is none.
func findLiteral(pattern *probe.Pattern, scopes []*Scope) (found *image.Image) {
	matches := func(fn elffile.Func) bool { _, ok := matchFunc(pattern, fn); return ok }
	for _, sc := range scopes {
		for _, img := range sc.libs {
			if funcs, _ := img.File.Funcs(); slices.ContainsFunc(funcs, matches) {
				found = img
			}
		}
	}
	return found
}

// nearest suggests a function whose name is similar to a probe's.
func nearest(pr *probe.Probe, wanted map[*image.Image][]*probe.Probe) string {
	if pr.Pattern == nil || pr.Pattern.Literal == "" {
		return ""
	}
	name := demangle.Short(pr.Pattern.Literal)
	var names []string
	for img, probes := range wanted {
		funcs, _ := img.File.Funcs()
		if !slices.Contains(probes, pr) || len(funcs) > maxComparedNames {
			continue
		}
		for _, fn := range funcs {
			if other := demangle.Short(fn.Name); max(len(other), len(name))-min(len(other), len(name)) <= len(name)/2 {
				names = append(names, other)
			}
		}
	}
	slices.Sort(names)
	return suggest.Nearest(name, names)
}

// maxComparedNames limits how many functions a file may have whose names are compared with one that
// was not found.
const maxComparedNames = 100000

// optimizedAway says what the compiler made of a function of the source that has no symbol. It
// returns "" if neither symbols nor debug information have a trace of it.
func optimizedAway(file *elffile.File, pr *probe.Probe) string {
	if pr.Pattern == nil || pr.Pattern.Literal == "" {
		return ""
	}

	funcs, _ := file.Funcs()
	var clones []string
	for _, fn := range funcs {
		if strings.HasPrefix(fn.Name, pr.Pattern.Literal+".") && !fn.Cold() {
			clones = append(clones, fn.Name)
		}
	}
	if len(clones) > 0 {
		return "the compiler has changed it: probe " + shortList(clones, 0)
	}

	inlined, ok, err := file.Inlined(func(name string) bool {
		_, ok := matchFunc(pr.Pattern, elffile.Func{Name: name})
		return ok
	})
	switch {
	case err != nil || !ok || inlined.Own:
		return ""
	case len(inlined.In) == 0:
		return "it exists only inlined, and not in any function that has a name"
	}
	return "it exists only inlined, in " + shortList(inlined.In, inlined.More)
}

// shortList lists the first names of a list. more is how many names the list lacks.
func shortList(names []string, more int) string {
	const maxShown = 8
	if n := len(names); n > maxShown {
		names, more = names[:maxShown], more+n-maxShown
	}
	shown := make([]string, len(names))
	for i, name := range names {
		shown[i] = demangle.Short(name)
	}
	text := strings.Join(shown, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// noUSDT explains a probe that matches no static probe of the files that were searched.
func noUSDT(pr *probe.Probe, searched []*image.Image) error {
	var names []string
	files := 0
	for _, img := range searched {
		list, _ := img.File.USDTProbes()
		if len(list) > 0 {
			files++
		}
		for _, p := range list {
			names = append(names, usdtName{p.Provider, p.Name}.String())
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return fmt.Errorf("%w %q: %w: none of the files that were searched has any", probe.ErrProbe, pr.Text, ErrNoUSDT)
	}

	hint := ""
	if pr.USDT.IsLiteral() {
		hint = suggest.Nearest(pr.USDT.Provider.Literal+":"+pr.USDT.Name.Literal, names)
	}
	return fmt.Errorf("%w %q: %w among the %d of %s%s", probe.ErrProbe, pr.Text, ErrNoUSDT, len(names), english.Plural(files, "file", ""), hint)
}
