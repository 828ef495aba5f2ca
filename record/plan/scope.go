//go:build linux

package plan

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"utrace/bpf"
	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/ldso"
	"utrace/record/internal/probe"
	"utrace/record/internal/proc"
	"utrace/record/internal/procmaps"
)

// Scope is the set of files in which probes are looked up: the program and libraries of a running
// process, of a command that will run, or of the whole machine.
type Scope struct {
	PID     int          // 0 for a command that has not started, and for the machine
	Program *image.Image // nil for the machine

	libs     []*image.Image
	busy     map[*probe.Probe]busyProgram        // of the machine: see Plan.busy
	root     string                              // a path to the root directory of the process, "" if that is ours
	partial  bool                                // some libraries were not found, or cannot be opened
	started  bool                                // the process was running when the recording was asked for
	follow   bool                                // children of the process are recorded as well
	command  *proc.Invocation                    // of a program that has not run yet
	finder   *ldso.Search                        // finds libraries, in our root directory
	examined *processHazards                     // nil until hazards has been called
	code     map[*image.Image][]procmaps.Mapping // of a running process, by file
}

// ProcessScope returns the scope of a running process: what it has mapped. It opens the files in s.
// Errors say that there is no such process, that it has no program, or why it cannot be read. That
// is os.ErrPermission for a process of another user.
func ProcessScope(s *image.Set, pid int) (*Scope, error) {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	switch {
	case errors.Is(err, os.ErrNotExist):
		if _, serr := os.Stat(fmt.Sprintf("/proc/%d", pid)); serr == nil {
			return nil, proc.NoProgram(pid)
		}
		return nil, fmt.Errorf("no process %d", pid)
	case errors.Is(err, os.ErrPermission):
		return nil, proc.Denied(pid)
	case err != nil:
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	maps, err := procmaps.Read(pid)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}

	sc := &Scope{PID: pid, root: proc.OtherRoot(pid), finder: ldso.New(nil), code: map[*image.Image][]procmaps.Mapping{}}
	sc.Program, err = s.Get(sc.root, sc.PID, strings.TrimSuffix(exe, " (deleted)"), proc.ExePath(pid, exe))
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	sc.addMapped(s, maps)
	return sc, nil
}

// addMapped adds the libraries that a process has mapped.
func (sc *Scope) addMapped(s *image.Set, maps []procmaps.Mapping) {
	seen := map[image.Key]*image.Image{sc.Program.Key: sc.Program}
	for _, m := range maps {
		open := ""
		if m.Exec {
			open = m.OpenPath(sc.PID)
		}
		if open == "" {
			continue
		}
		key := image.KeyOf(m, open)
		img, known := seen[key]
		if !known {
			var err error
			img, err = s.Get(sc.root, sc.PID, m.Path, open)
			seen[key] = img
			if err == nil {
				sc.libs = append(sc.libs, img)
			} else if !errors.Is(err, elffile.ErrNotELF) { // other files are mapped as well, but have no functions
				sc.partial = true
			}
		}
		if img != nil {
			sc.code[img] = append(sc.code[img], m)
		}
	}
}

// ExecScope returns the scope of a process that has just executed a program, and not yet loaded its
// libraries: it has the libraries that the dynamic linker will load. It returns nil without an
// error if resolved reports that this program has been resolved with this environment.
func ExecScope(s *image.Set, pid int, resolved func(program image.Version, env []string) bool) (*Scope, error) {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return nil, err
	}
	version, err := image.VersionOf(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return nil, err
	}
	env := proc.Environ(pid)
	if resolved(version, env) {
		return nil, nil
	}
	sc := &Scope{PID: pid, root: proc.OtherRoot(pid)}
	program, err := s.Get(sc.root, sc.PID, strings.TrimSuffix(exe, " (deleted)"), proc.ExePath(pid, exe))
	if err != nil {
		return nil, err
	}

	sc.Program, sc.finder = program, ldso.New(env)
	sc.command = proc.InvocationOf(pid)
	sc.addNeeded(s)
	return sc, nil
}

// addNeeded adds the libraries that the program of a scope will load when it starts.
func (sc *Scope) addNeeded(s *image.Set) {
	libs, missing := sc.finder.Closure(sc.Program.File)
	sc.partial = len(missing) > 0 || sc.root != "" // they are looked up in our file system
	for _, lib := range append(libs, startupLibraries(sc.Program)...) {
		if img, err := s.Get(sc.root, sc.PID, lib, s.InRoot(sc.root, lib)); err == nil {
			sc.libs = append(sc.libs, img)
		} else {
			sc.partial = true
		}
	}
}

// startupLibraries are libraries that a program always loads when it starts, without naming them to
// the dynamic linker. The java launcher finds its JVM by its own path.
func startupLibraries(program *image.Image) []string {
	dir := filepath.Dir(program.Path)
	if filepath.Base(dir) == "bin" && slices.Contains(program.File.Needed, "libjli.so") {
		return []string{filepath.Join(dir, "../lib/server/libjvm.so")}
	}
	return nil
}

// machineScope returns the scope of the whole machine: all that its processes have mapped. It is
// empty if each probe names its file.
func (p *Plan) machineScope() *Scope {
	sc := &Scope{finder: ldso.New(nil), busy: p.busy}
	if !slices.ContainsFunc(p.Probes, func(pr *probe.Probe) bool { return pr.Path == "" }) {
		return sc
	}
	list, _ := runningProcesses(&p.Images)
	for _, r := range list {
		for _, img := range r.files {
			if !slices.Contains(sc.libs, img) {
				sc.libs = append(sc.libs, img)
			}
		}
	}
	return sc
}

// targetScopes returns the scopes of the processes and of the command, none for the whole machine.
func (p *Plan) targetScopes(cfg Config) ([]*Scope, error) {
	asked, err := p.selectPIDs(&cfg)
	if err != nil {
		return nil, err
	}
	p.PIDs = asked
	if cfg.Follow {
		p.PIDs = proc.WithDescendants(asked)
	}

	var list []*Scope
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
		case (i >= len(asked) || p.Selector != nil) && proc.HasNoProgram(pid): // it is ending
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

// countPrograms returns how many programs the processes of some scopes run.
func countPrograms(scopes []*Scope) int {
	programs := map[*image.Image]bool{}
	for _, sc := range scopes {
		programs[sc.Program] = true
	}
	return len(programs)
}

// all returns the program and the libraries.
func (sc *Scope) all() []*image.Image {
	if sc.Program == nil {
		return sc.libs
	}
	return append([]*image.Image{sc.Program}, sc.libs...)
}

// LibPaths returns the paths of the libraries.
func (sc *Scope) LibPaths() (paths []string) {
	for _, lib := range sc.libs {
		paths = append(paths, lib.Path)
	}
	return paths
}

// Keys returns the files of the scope.
func (sc *Scope) Keys() (keys []image.Key) {
	for _, img := range sc.all() {
		keys = append(keys, img.Key)
	}
	return keys
}

// mapping returns the running processes of the scope that have mapped a file.
func (sc *Scope) mapping(img *image.Image) (pids []int) {
	if sc.PID != 0 {
		return []int{sc.PID}
	}
	if sc.Program != nil {
		return nil
	}
	for _, pid := range proc.All() {
		if m := openMemory(pid, img); m != nil {
			m.close()
			pids = append(pids, pid)
		}
	}
	return pids
}

// describe names the process or command of the scope.
func (sc *Scope) describe() string {
	if sc.PID == 0 {
		return baseName(sc.Program.Path) + " (the command)"
	}
	return runningProcess{pid: sc.PID, name: baseName(sc.Program.Path)}.String()
}

// hazards returns what the files of the scope pose to one another. It looks at them once.
func (sc *Scope) hazards() processHazards {
	if sc.Program == nil {
		return processHazards{unknown: unknownProcess}
	}
	if sc.examined != nil {
		return *sc.examined
	}

	files := []*elffile.File{sc.Program.File}
	for _, lib := range sc.libs {
		files = append(files, lib.File)
	}
	h := newProcessHazards(files, sc.started)
	switch {
	case sc.partial:
		h.unknown = unknownProcess
	case h.unknown == "" && sc.hasShadowStack() && bpf.ShadowReturns.Probe() != nil:
		h.unknown = "it has a shadow stack, which this kernel does not change at return probes"
	}
	sc.examined = &h
	return h
}

// programHazards returns the hazards of any process that runs a program.
func programHazards(s *image.Set, program *image.Image, finder *ldso.Search) processHazards {
	sc := &Scope{Program: program, finder: finder}
	sc.addNeeded(s)
	return sc.hazards()
}

// hasShadowStack reports whether the process has a shadow stack, or the command may get one: glibc
// enables it if an environment variable asks for it (glibc.cpu.x86_shstk, glibc.cpu.hwcaps=SHSTK).
func (sc *Scope) hasShadowStack() bool {
	if sc.PID == 0 {
		return sc.command != nil && strings.Contains(strings.ToLower(sc.command.Variable("GLIBC_TUNABLES")), "shstk")
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", sc.PID))
	return statusHasShadowStack(string(status))
}

// statusHasShadowStack looks into /proc/PID/status (Documentation/arch/x86/shstk.rst).
func statusHasShadowStack(status string) bool {
	_, rest, _ := strings.Cut(status, "\nx86_Thread_features:\t")
	features, _, _ := strings.Cut(rest, "\n")
	return slices.Contains(strings.Fields(features), "shstk")
}
