//go:build linux

package record

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"utrace/record/internal/target"
)

// image is an executable or library of a target, opened.
type image struct {
	path string // as people know it
	open string // a path that the kernel resolves to the same file
	file *target.File
	key  fileKey
	ver  fileVersion
	pids []int // attach in these processes only; empty: in all

	refused string // why names of functions must not be looked at, see harm
}

type fileKey struct{ dev, ino uint64 }

// fileVersion tells a file from another that has got its inode number since.
type fileVersion struct {
	fileKey
	size, changedNs int64
}

func newImages() images { return images{byKey: map[fileKey]*image{}, failed: map[fileKey]bool{}} }

// scope is where the functions of probes are looked for: the images of one
// running process, those that a command will have, or none of its own (the
// whole system).
type scope struct {
	pid     int    // 0 before a command is started, and for the system
	root    string // a way to the root directory of the process, "" if that is ours
	program *image
	libs    []*image
	around  *surroundings     // once they have been looked at
	partial bool              // some libraries were not found, or cannot be opened
	started bool              // the process was running when the recording was asked for
	command *invocation       // of a program that has not run yet
	follow  bool              // children of the process are recorded, too
	finder  *target.Libraries // in our root directory
}

// images opens files, each once.
type images struct {
	byKey  map[fileKey]*image
	failed map[fileKey]bool // mapped files that cannot be opened as programs
	held   []*os.File       // to be closed: image.open leads through them
}

// get opens the file that open names; path is how to call it. The process of
// the scope, if it has one, is added to those in which it will be probed.
func (s *images) get(sc *scope, path, open string) (*image, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(open, &st); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key := fileKey{uint64(st.Dev), st.Ino}
	img := s.byKey[key]
	if img == nil {
		file, err := target.OpenAs(open, path, sc.root)
		if err != nil {
			return nil, err
		}
		img = &image{path: path, open: open, file: file, key: key, ver: fileVersion{key, st.Size, st.Ctim.Nano()}}
		s.byKey[key] = img
	}
	if sc.pid != 0 && !slices.Contains(img.pids, sc.pid) {
		img.pids = append(img.pids, sc.pid)
	}
	return img, nil
}

func (s *images) close() {
	for _, img := range s.byKey {
		img.file.Close()
	}
	for _, file := range s.held {
		file.Close()
	}
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
	maps, err := target.Mappings(pid)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	sc := &scope{pid: pid, root: otherRoot(pid), finder: target.NewLibraries(nil)}
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
		} else if !errors.Is(err, target.ErrNotELF) { // what is none is mapped, but no library
			sc.partial = true
		}
	}
	return sc, nil
}

// mappedKey returns which file a process has mapped, as stat tells it for an image; open is the path that opens it. The mappings
// have another device for a file on btrfs, or on overlayfs above several filesystems, and may have one for two files.
func mappedKey(m target.Mapping, open string) fileKey {
	var st syscall.Stat_t
	if syscall.Stat(open, &st) != nil { // not there any more, or not ours to see
		return fileKey{m.Dev, m.Inode}
	}
	return fileKey{uint64(st.Dev), st.Ino}
}

// systemScope is the scope of the whole machine: whatever a process has mapped.
func (s *images) systemScope() *scope {
	system := &scope{finder: target.NewLibraries(nil)}
	for _, r := range s.running() {
		for _, img := range r.files {
			if !slices.Contains(system.libs, img) {
				system.libs = append(system.libs, img)
			}
		}
	}
	return system
}

// processes returns the IDs of all processes but this one.
func processes() []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// otherRoot returns a way to the root directory of a process that has been
// given another one than ours: by chroot, or in a container. Else it is "".
func otherRoot(pid int) string {
	root := fmt.Sprintf("/proc/%d/root", pid)
	var ours, theirs syscall.Stat_t
	if syscall.Stat("/", &ours) != nil || syscall.Stat(root, &theirs) != nil {
		return ""
	}
	ourMounts, _ := os.Readlink("/proc/self/ns/mnt")
	theirMounts, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	if ours.Dev == theirs.Dev && ours.Ino == theirs.Ino && ourMounts == theirMounts {
		return ""
	}
	return root
}

// inRoot returns a path that opens the file which the process of the scope
// would open as path. Symbolic links on the way stay inside its root directory, which
// they would leave on a way through /proc/PID/root. A file that is not there is
// taken for one of ours: people copy paths from both sides.
func (s *images) inRoot(sc *scope, path string) string {
	if sc.root == "" {
		return path
	}
	dir, err := unix.Open(sc.root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return path
	}
	defer unix.Close(dir)
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT} // Linux 5.6
	fd, err := unix.Openat2(dir, path, &how)
	if err != nil {
		return path
	}
	s.held = append(s.held, os.NewFile(uintptr(fd), path))
	return fmt.Sprintf("/proc/self/fd/%d", fd)
}

// openExe returns a path that opens the program of a process: exe, where the link
// in /proc points, if that is still the same file, for it lasts longer than the process.
func openExe(pid int, exe string) string {
	link := fmt.Sprintf("/proc/%d/exe", pid)
	a, errA := os.Stat(link)
	b, errB := os.Stat(exe)
	if errA == nil && errB == nil && os.SameFile(a, b) {
		return exe
	}
	return link
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
	sc.program, sc.finder = program, target.NewLibraries(env)
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

// environ returns the environment that a process was started with.
func environ(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return nil
	}
	return strings.Split(string(text), "\x00")
}

// maxInterpreters is how deep the kernel follows scripts that name scripts as
// their interpreter (BINPRM_MAX_RECURSION of fs/exec.c).
const maxInterpreters = 5

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
	sc := &scope{finder: target.NewLibraries(env), command: &invocation{append(slices.Clone(command), path), env, dir}}
	if sc.program, err = s.get(sc, path, path); err != nil {
		return nil, fmt.Errorf("command: %w", err)
	}
	s.addClosure(sc)
	return sc, nil
}

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

// errNoStatic is wrapped where no file has the static probe that is asked for: a process may
// still load one.
var errNoStatic = errors.New("no such static probe")

// all returns the program and the libraries.
func (sc *scope) all() []*image {
	if sc.program == nil {
		return sc.libs
	}
	return append([]*image{sc.program}, sc.libs...)
}

// errNoLibrary is wrapped where a library is not known: a process may still load it.
var errNoLibrary = errors.New("no library")

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
			if target.LibraryMatches(p.Lib, img.path, img.file.Soname) {
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
	files := []*target.File{sc.program.file}
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
func (s *images) ofProgram(program *image, finder *target.Libraries) surroundings {
	sc := &scope{program: program, finder: finder}
	s.addClosure(sc)
	return sc.surroundings()
}
