//go:build linux

package plan

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/ldso"
	"utrace/record/internal/probe"
	"utrace/record/internal/proc"
	"utrace/record/internal/procmaps"
)

// scope is where the functions of probes are looked for: the images of one
// running process, those that a command will have, or none of its own (the
// whole system).
type Scope struct {
	PID     int    // 0 before a command is started, and for the system
	root    string // a way to the root directory of the process, "" if that is ours
	Program *image.Image
	libs    []*image.Image
	around  *surroundings    // once they have been looked at
	partial bool             // some libraries were not found, or cannot be opened
	started bool             // the process was running when the recording was asked for
	command *proc.Invocation // of a program that has not run yet
	follow  bool             // children of the process are recorded, too
	finder  *ldso.Search     // in our root directory
}

// processScope is the scope of a running process.
func ProcessScope(s *image.Set, pid int) (*Scope, error) {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	switch {
	case errors.Is(err, os.ErrNotExist):
		if _, serr := os.Stat(fmt.Sprintf("/proc/%d", pid)); serr == nil {
			return nil, proc.NoProgram(pid)
		}
		return nil, fmt.Errorf("no process %d", pid)
	case err != nil:
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	maps, err := procmaps.Read(pid)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	sc := &Scope{PID: pid, root: proc.OtherRoot(pid), finder: ldso.New(nil)}
	program, err := s.Get(sc.root, sc.PID, strings.TrimSuffix(exe, " (deleted)"), proc.ExePath(pid, exe))
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	sc.Program = program
	seen := map[image.Key]bool{program.Key: true}
	for _, m := range maps {
		open := ""
		if m.Exec {
			open = m.OpenPath(pid)
		}
		if open == "" {
			continue
		}
		key := image.KeyOf(m, open)
		if seen[key] {
			continue
		}
		seen[key] = true
		if img, err := s.Get(sc.root, sc.PID, m.Path, open); err == nil {
			sc.libs = append(sc.libs, img)
		} else if !errors.Is(err, elffile.ErrNotELF) { // what is none is mapped, but no library
			sc.partial = true
		}
	}
	return sc, nil
}

// systemScope is the scope of the whole machine: whatever a process has mapped.
func systemScope(s *image.Set) *Scope {
	system := &Scope{finder: ldso.New(nil)}
	for _, r := range runningProcesses(s) {
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
func ExecScope(s *image.Set, pid int, known func(program *image.Image, env []string) bool) (*Scope, error) {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return nil, err
	}
	sc := &Scope{PID: pid, root: proc.OtherRoot(pid)}
	program, err := s.Get(sc.root, sc.PID, strings.TrimSuffix(exe, " (deleted)"), proc.ExePath(pid, exe))
	if err != nil {
		return nil, err
	}
	env := proc.Environ(pid)
	if known(program, env) {
		return nil, nil
	}
	sc.Program, sc.finder = program, ldso.New(env)
	sc.command = proc.InvocationOf(pid)
	addClosure(s, sc)
	return sc, nil
}

// addClosure adds the libraries that the program of a scope will load.
func addClosure(s *image.Set, sc *Scope) {
	libs, missing := sc.finder.Closure(sc.Program.File)
	sc.partial = len(missing) > 0 || sc.root != "" // they are looked for in our file system
	for _, lib := range append(libs, startedLibraries(sc.Program)...) {
		if img, err := s.Get(sc.root, sc.PID, lib, s.InRoot(sc.root, lib)); err == nil {
			sc.libs = append(sc.libs, img)
		} else {
			sc.partial = true
		}
	}
}

// commandScope is the scope that a command will have, by the rules of the
// dynamic linker; nothing is run to find out.
func commandScope(s *image.Set, command, env []string) (*Scope, error) {
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
	sc := &Scope{finder: ldso.New(env), command: &proc.Invocation{Args: append(slices.Clone(command), path), Env: env, Dir: dir}}
	if sc.Program, err = s.Get(sc.root, sc.PID, path, path); err != nil {
		return nil, fmt.Errorf("command: %w", err)
	}
	addClosure(s, sc)
	return sc, nil
}

// all returns the program and the libraries.
func (sc *Scope) all() []*image.Image {
	if sc.Program == nil {
		return sc.libs
	}
	return append([]*image.Image{sc.Program}, sc.libs...)
}

// find returns the images that a probe speaks of. The error wraps errNoLibrary
// or is about the probe.
func find(s *image.Set, sc *Scope, p *probe.Probe) ([]*image.Image, error) {
	switch {
	case p.Path != "":
		for _, img := range sc.all() {
			if img.Path == p.Path {
				return []*image.Image{img}, nil
			}
		}
		img, err := s.Get(sc.root, sc.PID, p.Path, s.InRoot(sc.root, p.Path))
		if err != nil {
			return nil, fmt.Errorf("%w %q: %w", probe.ErrProbe, p.Text, err)
		}
		return []*image.Image{img}, nil
	case p.Lib != "":
		var list []*image.Image
		for _, img := range sc.all() {
			if ldso.Matches(p.Lib, img.Path, img.File.Soname) {
				list = append(list, img)
			}
		}
		if len(list) > 0 {
			return list, nil
		}
		if sc.root != "" {
			return nil, fmt.Errorf("%w %q: no library %q is mapped by process %d, and it has a root directory of its own; write /path/to/file:FUNC, as the process would, for one that is loaded later", probe.ErrProbe, p.Text, p.Lib, sc.PID)
		}
		path, ok := sc.finder.Find(p.Lib) // it may be loaded later
		if !ok {
			return nil, fmt.Errorf("%w %q: %w %q is mapped or known to the dynamic linker; write /path/to/file:FUNC for one elsewhere", probe.ErrProbe, p.Text, errNoLibrary, p.Lib)
		}
		img, err := s.Get(sc.root, sc.PID, path, path)
		if err != nil {
			return nil, fmt.Errorf("%w %q: %w", probe.ErrProbe, p.Text, err)
		}
		return []*image.Image{img}, nil
	case p.USDT != nil:
		var list []*image.Image
		for _, img := range sc.all() {
			if hasUSDT(img.File, p.USDT) {
				list = append(list, img)
			}
		}
		if len(list) == 0 {
			return nil, noUSDT(p, sc.all())
		}
		return list, nil
	case sc.Program != nil:
		return []*image.Image{sc.Program}, nil
	}
	return nil, fmt.Errorf("%w %q: a function of which program? Name a process or a command, or write LIB:%s or /path/to/file:%s", probe.ErrProbe, p.Text, p.Text, p.Text)
}

// surroundings looks at all files of the scope.
func (sc *Scope) surroundings() surroundings {
	if sc.Program == nil {
		return surroundings{unknown: unknownProcess}
	}
	if sc.around != nil {
		return *sc.around
	}
	files := []*elffile.File{sc.Program.File}
	for _, lib := range sc.libs {
		files = append(files, lib.File)
	}
	s := newSurroundings(files, sc.started)
	if sc.partial {
		s.unknown = unknownProcess
	}
	sc.around = &s
	return s
}

// ofProgram returns the surroundings of a program in any process that runs it.
func ofProgram(s *image.Set, program *image.Image, finder *ldso.Search) surroundings {
	sc := &Scope{Program: program, finder: finder}
	addClosure(s, sc)
	return sc.surroundings()
}

// targetScopes returns the scopes of the processes and the command; none for the whole machine.
func (p *Plan) targetScopes(cfg Config) ([]*Scope, error) {
	var list []*Scope
	p.PIDs = cfg.PIDs
	if cfg.Follow {
		p.PIDs = proc.WithDescendants(cfg.PIDs)
	}
	seen := map[int]bool{}
	for i, pid := range p.PIDs {
		if seen[pid] {
			continue
		}
		seen[pid] = true
		sc, err := ProcessScope(&p.Images, pid)
		switch {
		case err == nil:
			sc.started = true
			list = append(list, sc)
		case i >= len(cfg.PIDs) && proc.HasNoProgram(pid): // a descendant that ends
		default:
			return nil, err
		}
	}
	if len(cfg.Command) > 0 {
		sc, err := commandScope(&p.Images, cfg.Command, os.Environ())
		if err != nil {
			return nil, err
		}
		p.program = sc.Program
		list = append(list, sc)
	}
	return list, nil
}

// machineScope is the scope of all processes, or of none where the probes name their files.
func (p *Plan) machineScope() *Scope {
	if slices.ContainsFunc(p.Probes, func(pr *probe.Probe) bool { return pr.Path == "" }) {
		return systemScope(&p.Images)
	}
	return &Scope{finder: ldso.New(nil)}
}

// keys returns the files of the scope.
func (sc *Scope) Keys() (keys []image.Key) {
	for _, img := range sc.all() {
		keys = append(keys, img.Key)
	}
	return keys
}

// maxInterpreters is how deep the kernel follows scripts that name scripts as
// their interpreter (BINPRM_MAX_RECURSION of fs/exec.c).
const maxInterpreters = 5

// scriptInterpreter returns the program behind "#!", or "".
func scriptInterpreter(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, err := bufio.NewReaderSize(f, 256).ReadSlice('\n') // BINPRM_BUF_SIZE
	if len(line) < 2 || string(line[:2]) != "#!" {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("%s: the first line of the script is too long", path)
	}
	words := strings.Fields(string(line[2:]))
	if len(words) == 0 {
		return "", fmt.Errorf("%s: the script names no interpreter", path)
	}
	return words[0], nil
}

// errNoLibrary is wrapped where a library is not known: a process may still load it.
var errNoLibrary = errors.New("no library")
