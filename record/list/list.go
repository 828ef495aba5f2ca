// Package list finds the static probes and functions of a file, of the files that a process maps,
// or of all mapped files.
package list

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"utrace/record/debuginfod"
	"utrace/record/internal/demangle"
	"utrace/record/internal/elffile"
	"utrace/record/internal/ldso"
	"utrace/record/internal/probe"
)

// Config says what to find, and where. Path selects one file, PID the files that a process maps.
// Without both, the files that any process of the machine maps are searched.
type Config struct {
	Path      string
	PID       int
	Functions bool   // find functions instead of static probes
	Pattern   string // name, glob or /regular expression/; "": all
	// Debuginfod, unless nil, downloads debug files, for the names of functions.
	Debuginfod *debuginfod.Client
}

// Listing is the result of Find.
type Listing struct {
	Files    []File   // those with a match, by path
	Searched int      // files that were searched
	Total    int      // probes or functions in them, matching or not
	Warnings []string // files that could not be read
}

// File is a program or library with its matches.
type File struct {
	Path   string // as seen by the process that maps it
	Probes []USDTProbe
	Funcs  []Func
}

// USDTProbe is a static probe with all its locations.
type USDTProbe struct {
	Provider, Name string
	Locations      []Location // by address
}

// Location is an address where a static probe is hit. Addresses are those of the file.
type Location struct {
	Addr, Semaphore uint64 // Semaphore is 0 if there is none
	Args            []Arg
}

// Arg is an argument of a static probe.
type Arg struct {
	Operand    string // its location, as in the file: "-4@%edi"
	Unreadable string // the reason why it cannot be recorded, "" if it can
}

// Func is a function.
type Func struct {
	Name       string // demangled, without parameters
	Addr, Size uint64 // Addr is an address of the file
	Indirect   bool   // it chooses an implementation when the program starts, and cannot be recorded itself
}

// Find finds static probes or functions. It needs only the privileges to read the files and the
// mappings of the processes. Errors wrap probe.ErrSyntax if the pattern is wrong. A file among many
// that cannot be read is a warning.
func Find(cfg Config) (*Listing, error) {
	l := lister{functions: cfg.Functions, debug: cfg.Debuginfod}
	var err error
	if l.pattern, err = probe.NewPattern(cmp.Or(cfg.Pattern, "*")); err != nil {
		return nil, fmt.Errorf("pattern %q: %w: %w", cfg.Pattern, probe.ErrSyntax, err)
	}
	switch {
	case cfg.Path != "":
		err = l.addFile(cfg.Path, cfg.Path, "")
	case cfg.PID != 0:
		err = l.addProcess(cfg.PID)
	default:
		err = l.addMachine()
	}
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(l.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return &l.Listing, nil
}

type lister struct {
	Listing
	functions bool
	debug     *debuginfod.Client
	pattern   *probe.Pattern
}

func (l *lister) warn(err error) { l.Warnings = append(l.Warnings, err.Error()) }

// addFile adds the matches in the file that open opens. path is its name in the result.
func (l *lister) addFile(open, path, root string) error {
	f, err := elffile.OpenAs(open, path, root)
	if err != nil {
		return err
	}
	defer f.Close()
	l.Searched++
	out := File{Path: path}
	if l.functions {
		l.fetchDebug(f)
		out.Funcs, err = l.funcs(f)
	} else {
		out.Probes, err = l.probes(f)
	}
	if err != nil { // the probes or functions read so far are valid
		l.warn(err)
	}
	if len(out.Probes)+len(out.Funcs) > 0 {
		l.Files = append(l.Files, out)
	}
	return nil
}

// fetchDebug downloads the debug file of a file that lacks one.
func (l *lister) fetchDebug(f *elffile.File) {
	if l.debug != nil && f.LacksDebug() {
		l.debug.Fetch(f.BuildID, f.Path)
		f.CachedDebug = l.debug.Cached
	}
}

func (l *lister) probes(f *elffile.File) (out []USDTProbe, err error) {
	locations, err := f.USDTProbes()
	for len(locations) > 0 {
		p := USDTProbe{Provider: locations[0].Provider, Name: locations[0].Name}
		for len(locations) > 0 && locations[0].Provider == p.Provider && locations[0].Name == p.Name {
			loc := Location{Addr: uint64(locations[0].Addr), Semaphore: uint64(locations[0].Semaphore)}
			for _, a := range locations[0].Args {
				loc.Args = append(loc.Args, Arg{a.Text, a.Unreadable})
			}
			p.Locations = append(p.Locations, loc)
			locations = locations[1:]
		}
		l.Total++
		if l.pattern.Match(p.Provider+":"+p.Name) || l.pattern.Match(p.Name) {
			out = append(out, p)
		}
	}
	return out, err
}

func (l *lister) funcs(f *elffile.File) (out []Func, err error) {
	funcs, err := f.Funcs()
	if err != nil {
		return nil, err
	}
	add := func(funcs []elffile.Func, indirect bool) {
		for _, fn := range funcs {
			if fn.Cold() {
				continue
			}
			l.Total++
			if symbol, ok := l.pattern.MatchSymbols(fn.Name, fn.Aliases, fn.Versions); ok {
				out = append(out, Func{demangle.Short(symbol) + fn.VersionOf(symbol), uint64(fn.Addr), fn.Size, indirect})
			}
		}
	}
	add(funcs, false)
	add(f.IFuncs(), true)
	slices.SortStableFunc(out, func(a, b Func) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Addr, b.Addr))
	})
	return out, nil
}

// LibrariesWithUSDT returns the libraries that a program loads at its start and that have static
// probes.
func LibrariesWithUSDT(path string) []string {
	f, err := elffile.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var found []string
	libs, _ := ldso.New(os.Environ()).Closure(f)
	for _, lib := range libs {
		if l, err := Find(Config{Path: lib}); err == nil && l.Total > 0 {
			found = append(found, lib)
		}
	}
	return found
}
