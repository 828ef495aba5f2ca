package record

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"utrace/record/internal/target"
)

// ListConfig says what List looks for, and where: in the file Path, in what the process PID maps, or, with neither, in
// what all processes of the machine map.
type ListConfig struct {
	Path      string
	PID       int
	Functions bool   // functions, not static probes
	Pattern   string // name, glob or /regular expression/; "": all
}

// Listing is what List has found.
type Listing struct {
	Files    []ListedFile // with something that matches, by path
	Searched int          // files looked through
	Total    int          // probes or functions in them, matching or not
	Warnings []string     // what could not be read
}

// ListedFile is a program or library with what matches in it.
type ListedFile struct {
	Path   string // as the process knows it that maps the file
	Probes []ListedProbe
	Funcs  []ListedFunc
}

// ListedProbe is a static probe, with all of its locations.
type ListedProbe struct {
	Provider, Name string
	Locations      []ListedLocation // by address
}

// ListedLocation is where a static probe is passed. Addresses are those of the file.
type ListedLocation struct {
	Addr, Semaphore uint64 // Semaphore is 0 if there is none
	Args            []ListedArg
}

// ListedArg is an argument of a static probe.
type ListedArg struct {
	Operand    string // where it is, as the file has it: "-4@%edi"
	Unreadable string // why it cannot be recorded, "" if it can
}

// ListedFunc is a function.
type ListedFunc struct {
	Name       string // demangled, without parameters
	Addr, Size uint64 // Addr is that of the file
	Indirect   bool   // it chooses one of several implementations when the program starts, and cannot be recorded itself
}

// List lists static probes or functions. It needs no privileges but those to read the files, and the mappings of the processes.
// Errors wrap ErrSyntax where the pattern is at fault. What cannot be read among many is a warning.
func List(cfg ListConfig) (*Listing, error) {
	l := lister{functions: cfg.Functions, seen: map[fileKey]bool{}}
	var err error
	if l.pattern, err = newPattern(cmp.Or(cfg.Pattern, "*")); err != nil {
		return nil, fmt.Errorf("pattern %q: %w: %w", cfg.Pattern, ErrSyntax, err)
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
	slices.SortStableFunc(l.Files, func(a, b ListedFile) int { return strings.Compare(a.Path, b.Path) })
	return &l.Listing, nil
}

type lister struct {
	Listing
	functions bool
	pattern   *pattern
	seen      map[fileKey]bool
}

// addMachine adds what all processes map.
func (l *lister) addMachine() error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	denied := 0
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		maps, err := target.Mappings(pid)
		switch {
		case errors.Is(err, os.ErrPermission):
			denied++
		case err == nil: // else it has ended
			l.addMapped(pid, maps)
		}
	}
	if denied > 0 {
		l.warn(fmt.Errorf("permission denied for %d processes: files that only they map are not listed (root may see more)", denied))
	}
	return nil
}

func (l *lister) addProcess(pid int) error {
	maps, err := target.Mappings(pid)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("no process %d", pid)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("process %d: %w: root may see it", pid, err)
	case err != nil:
		return fmt.Errorf("process %d: %w", pid, err)
	case len(maps) == 0:
		return noProgram(pid)
	}
	l.addMapped(pid, maps)
	return nil
}

// addMapped adds the files whose code a process maps, deleted ones too.
func (l *lister) addMapped(pid int, maps []target.Mapping) {
	root := otherRoot(pid)
	for _, m := range maps {
		if !m.Exec {
			continue
		}
		open := m.OpenPath(pid)
		key := mappedKey(m, open)
		if open == "" || l.seen[key] {
			continue
		}
		l.seen[key] = true
		err := l.addFile(open, m.Path, root)
		if errors.Is(err, os.ErrNotExist) {
			delete(l.seen, key) // the process has ended: another may have the file
		} else if err != nil && !errors.Is(err, target.ErrNotELF) && !errors.Is(err, target.ErrUnsupported) {
			l.warn(err)
		}
	}
}

func (l *lister) warn(err error) { l.Warnings = append(l.Warnings, err.Error()) }

// addFile adds what matches in the file that open names; path is how to call it.
func (l *lister) addFile(open, path, root string) error {
	f, err := target.OpenAs(open, path, root)
	if err != nil {
		return err
	}
	defer f.Close()
	l.Searched++
	out := ListedFile{Path: path}
	if l.functions {
		out.Funcs, err = l.funcs(f)
	} else {
		out.Probes, err = l.probes(f)
	}
	if err != nil { // what was read is good
		l.warn(err)
	}
	if len(out.Probes)+len(out.Funcs) > 0 {
		l.Files = append(l.Files, out)
	}
	return nil
}

func (l *lister) probes(f *target.File) (out []ListedProbe, err error) {
	locations, err := f.StaticProbes()
	for len(locations) > 0 {
		p := ListedProbe{Provider: locations[0].Provider, Name: locations[0].Name}
		for len(locations) > 0 && locations[0].Provider == p.Provider && locations[0].Name == p.Name {
			loc := ListedLocation{Addr: uint64(locations[0].Addr), Semaphore: uint64(locations[0].Semaphore)}
			for _, a := range locations[0].Args {
				loc.Args = append(loc.Args, ListedArg{a.Text, a.Unreadable})
			}
			p.Locations = append(p.Locations, loc)
			locations = locations[1:]
		}
		l.Total++
		if l.pattern.matchString(p.Provider+":"+p.Name) || l.pattern.matchString(p.Name) {
			out = append(out, p)
		}
	}
	return out, err
}

func (l *lister) funcs(f *target.File) (out []ListedFunc, err error) {
	funcs, err := f.Funcs()
	if err != nil {
		return nil, err
	}
	add := func(funcs []target.Func, indirect bool) {
		for _, fn := range funcs {
			if fn.Cold() {
				continue
			}
			l.Total++
			if symbol, ok := l.pattern.match(fn); ok {
				out = append(out, ListedFunc{target.DemangleNoParams(symbol), uint64(fn.Addr), fn.Size, indirect})
			}
		}
	}
	add(funcs, false)
	add(f.IFuncs(), true)
	slices.SortStableFunc(out, func(a, b ListedFunc) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Addr, b.Addr))
	})
	return out, nil
}

// LibrariesWithStaticProbes returns the libraries that a program loads when it starts, as far as they have static probes.
func LibrariesWithStaticProbes(path string) []string {
	f, err := target.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var found []string
	libs, _ := target.NewLibraries(os.Environ()).Closure(f)
	for _, lib := range libs {
		if l, err := List(ListConfig{Path: lib}); err == nil && l.Total > 0 {
			found = append(found, lib)
		}
	}
	return found
}
