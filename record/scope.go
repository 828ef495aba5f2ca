//go:build linux

package record

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"utrace/record/internal/elffile"
	"utrace/record/internal/ldso"
	"utrace/record/internal/procmaps"
)

// scope is where the functions of probes are looked for: the images of one
// running process, those that a command will have, or none of its own (the
// whole system).
type scope struct {
	pid     int    // 0 before a command is started, and for the system
	root    string // a way to the root directory of the process, "" if that is ours
	program *image
	libs    []*image
	around  *surroundings // once they have been looked at
	partial bool          // some libraries were not found, or cannot be opened
	started bool          // the process was running when the recording was asked for
	command *invocation   // of a program that has not run yet
	follow  bool          // children of the process are recorded, too
	finder  *ldso.Search  // in our root directory
}

// processScope is the scope of a running process.
func (s *images) processScope(pid int) (*scope, error) {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	switch {
	case errors.Is(err, os.ErrNotExist):
		if _, serr := os.Stat(fmt.Sprintf("/proc/%d", pid)); serr == nil {
			return nil, noProgram(pid)
		}
		return nil, fmt.Errorf("no process %d", pid)
	case err != nil:
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	maps, err := procmaps.Read(pid)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	sc := &scope{pid: pid, root: otherRoot(pid), finder: ldso.New(nil)}
	program, err := s.get(sc, strings.TrimSuffix(exe, " (deleted)"), openExe(pid, exe))
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	sc.program = program
	seen := map[fileKey]bool{program.key: true}
	for _, m := range maps {
		open := ""
		if m.Exec {
			open = m.OpenPath(pid)
		}
		if open == "" {
			continue
		}
		key := mappedKey(m, open)
		if seen[key] {
			continue
		}
		seen[key] = true
		if img, err := s.get(sc, m.Path, open); err == nil {
			sc.libs = append(sc.libs, img)
		} else if !errors.Is(err, elffile.ErrNotELF) { // what is none is mapped, but no library
			sc.partial = true
		}
	}
	return sc, nil
}

// systemScope is the scope of the whole machine: whatever a process has mapped.
func (s *images) systemScope() *scope {
	system := &scope{finder: ldso.New(nil)}
	for _, r := range s.running() {
		for _, img := range r.files {
			if !slices.Contains(system.libs, img) {
				system.libs = append(system.libs, img)
			}
		}
	}
	return system
}

// execScope is the scope of a process that has just executed a program, and not
// yet loaded its libraries: those that the dynamic linker will load for it. It is
// nil for a program that known says is known.
func (s *images) execScope(pid int, known func(program *image, env []string) bool) (*scope, error) {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return nil, err
	}
	sc := &scope{pid: pid, root: otherRoot(pid)}
	program, err := s.get(sc, strings.TrimSuffix(exe, " (deleted)"), openExe(pid, exe))
	if err != nil {
		return nil, err
	}
	env := environ(pid)
	if known(program, env) {
		return nil, nil
	}
	sc.program, sc.finder = program, ldso.New(env)
	sc.command = processInvocation(pid)
	s.addClosure(sc)
	return sc, nil
}

// addClosure adds the libraries that the program of a scope will load.
func (s *images) addClosure(sc *scope) {
	libs, missing := sc.finder.Closure(sc.program.file)
	sc.partial = len(missing) > 0 || sc.root != "" // they are looked for in our file system
	for _, lib := range append(libs, startedLibraries(sc.program)...) {
		if img, err := s.get(sc, lib, s.inRoot(sc, lib)); err == nil {
			sc.libs = append(sc.libs, img)
		} else {
			sc.partial = true
		}
	}
}

// commandScope is the scope that a command will have, by the rules of the
// dynamic linker; nothing is run to find out.
func (s *images) commandScope(command, env []string) (*scope, error) {
	path, err := exec.LookPath(command[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return nil, fmt.Errorf("command: %w", err)
	}
	for range maxInterpreters {
		interp, err := scriptInterpreter(path)
		if err != nil {
			return nil, fmt.Errorf("command: %w", err)
		}
		if interp == "" {
			break
		}
		path = interp
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("command: %w", err)
	}
	sc := &scope{finder: ldso.New(env), command: &invocation{append(slices.Clone(command), path), env, dir}}
	if sc.program, err = s.get(sc, path, path); err != nil {
		return nil, fmt.Errorf("command: %w", err)
	}
	s.addClosure(sc)
	return sc, nil
}

// all returns the program and the libraries.
func (sc *scope) all() []*image {
	if sc.program == nil {
		return sc.libs
	}
	return append([]*image{sc.program}, sc.libs...)
}

// find returns the images that a probe speaks of. The error wraps errNoLibrary
// or is about the probe.
func (s *images) find(sc *scope, p *Probe) ([]*image, error) {
	switch {
	case p.Path != "":
		for _, img := range sc.all() {
			if img.path == p.Path {
				return []*image{img}, nil
			}
		}
		img, err := s.get(sc, p.Path, s.inRoot(sc, p.Path))
		if err != nil {
			return nil, fmt.Errorf("%w %q: %w", ErrProbe, p.Text, err)
		}
		return []*image{img}, nil
	case p.Lib != "":
		var list []*image
		for _, img := range sc.all() {
			if ldso.Matches(p.Lib, img.path, img.file.Soname) {
				list = append(list, img)
			}
		}
		if len(list) > 0 {
			return list, nil
		}
		if sc.root != "" {
			return nil, fmt.Errorf("%w %q: no library %q is mapped by process %d, and it has a root directory of its own; write /path/to/file:FUNC, as the process would, for one that is loaded later", ErrProbe, p.Text, p.Lib, sc.pid)
		}
		path, ok := sc.finder.Find(p.Lib) // it may be loaded later
		if !ok {
			return nil, fmt.Errorf("%w %q: %w %q is mapped or known to the dynamic linker; write /path/to/file:FUNC for one elsewhere", ErrProbe, p.Text, errNoLibrary, p.Lib)
		}
		img, err := s.get(sc, path, path)
		if err != nil {
			return nil, fmt.Errorf("%w %q: %w", ErrProbe, p.Text, err)
		}
		return []*image{img}, nil
	case p.static != nil:
		var list []*image
		for _, img := range sc.all() {
			if hasStatic(img.file, p.static) {
				list = append(list, img)
			}
		}
		if len(list) == 0 {
			return nil, noStatic(p, sc.all())
		}
		return list, nil
	case sc.program != nil:
		return []*image{sc.program}, nil
	}
	return nil, fmt.Errorf("%w %q: a function of which program? Add -p PID or a command, or write LIB:%s or /path/to/file:%s", ErrProbe, p.Text, p.Text, p.Text)
}

// surroundings looks at all files of the scope.
func (sc *scope) surroundings() surroundings {
	if sc.program == nil {
		return surroundings{unknown: unknownProcess}
	}
	if sc.around != nil {
		return *sc.around
	}
	files := []*elffile.File{sc.program.file}
	for _, lib := range sc.libs {
		files = append(files, lib.file)
	}
	s := newSurroundings(files, sc.started)
	if sc.partial {
		s.unknown = unknownProcess
	}
	sc.around = &s
	return s
}

// ofProgram returns the surroundings of a program in any process that runs it.
func (s *images) ofProgram(program *image, finder *ldso.Search) surroundings {
	sc := &scope{program: program, finder: finder}
	s.addClosure(sc)
	return sc.surroundings()
}

// targetScopes returns the scopes of the processes and the command; none for the whole machine.
func (p *Plan) targetScopes(cfg Config) ([]*scope, error) {
	var list []*scope
	p.pids = cfg.PIDs
	if cfg.Follow {
		p.pids = withDescendants(cfg.PIDs)
	}
	seen := map[int]bool{}
	for i, pid := range p.pids {
		if seen[pid] {
			continue
		}
		seen[pid] = true
		sc, err := p.images.processScope(pid)
		switch {
		case err == nil:
			sc.started = true
			list = append(list, sc)
		case i >= len(cfg.PIDs) && hasNoProgram(pid): // a descendant that ends
		default:
			return nil, err
		}
	}
	if len(cfg.Command) > 0 {
		sc, err := p.images.commandScope(cfg.Command, os.Environ())
		if err != nil {
			return nil, err
		}
		p.program = sc.program
		list = append(list, sc)
	}
	return list, nil
}

// machineScope is the scope of all processes, or of none where the probes name their files.
func (p *Plan) machineScope() *scope {
	if slices.ContainsFunc(p.probes, func(probe *Probe) bool { return probe.Path == "" }) {
		return p.images.systemScope()
	}
	return &scope{finder: ldso.New(nil)}
}
