package elffile

import (
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/sys/cpu"
)

// preloadFile names libraries that ld.so loads into every program.
const preloadFile = "/etc/ld.so.preload"

// Limits on one search: a hostile file may name thousands of libraries and directories.
const (
	maxLibraries  = 1024
	maxSearchDirs = 64
	maxLookups    = 100_000
)

// Libraries finds shared libraries as the dynamic linker does (ld.so(8)), without running anything.
//
// Relative directories in a search path are left out, since the directory in which the program runs is not known. The search is in the file system of this process: not in that of a container.
type Libraries struct {
	envDirs []string
	preload []string // names
	cache   []cacheEntry
}

// NewLibraries reads /etc/ld.so.cache; without a usable one the default directories are searched alone. env is the environment of
// the program ("NAME=value"), of which LD_LIBRARY_PATH, LD_PRELOAD and LD_AUDIT count; so does /etc/ld.so.preload.
func NewLibraries(env []string) *Libraries {
	l := &Libraries{}
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "LD_LIBRARY_PATH="); ok {
			l.envDirs = strings.FieldsFunc(v, func(r rune) bool { return r == ':' || r == ';' })
		}
		for _, name := range []string{"LD_AUDIT=", "LD_PRELOAD="} {
			if v, ok := strings.CutPrefix(e, name); ok {
				l.preload = append(l.preload, strings.FieldsFunc(v, func(r rune) bool { return r == ':' || r == ' ' })...)
			}
		}
	}
	if text, err := os.ReadFile(preloadFile); err == nil {
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(line, "#")
			l.preload = append(l.preload, strings.FieldsFunc(line, func(r rune) bool { return r == ':' || unicode.IsSpace(r) })...)
		}
	}
	if h, err := os.Open("/etc/ld.so.cache"); err == nil {
		defer h.Close()
		if b, err := io.ReadAll(io.LimitReader(h, maxCache)); err == nil {
			l.cache, _ = parseCache(b) // an unusable cache is as good as none, to ld.so too
		}
	}
	return l
}

// closure is a search for all libraries of one program.
type closure struct {
	*Libraries
	machine elf.Machine
	loaded  []*object
	names   map[string]bool // asked for, or the soname of a loaded one
	lookups int
}

// object is a file in the search; loader is the one that needs it, nil for the program.
type object struct {
	*File
	loader *object
}

// Closure returns the paths of all libraries that prog loads when it starts: its interpreter, what is preloaded into it, then DT_NEEDED of it and of
// them, breadth first, each once. missing are the names for which no file was found.
func (l *Libraries) Closure(prog *File) (paths, missing []string) {
	c := &closure{Libraries: l, machine: prog.Machine, names: map[string]bool{}}
	c.loaded = []*object{{File: prog}}
	if prog.Interp != "" {
		if o := c.open(prog.Interp); o != nil {
			c.add(o, c.loaded[0])
		} else {
			missing = append(missing, prog.Interp)
		}
	}
	for i := 0; i < len(c.loaded); i++ {
		o := c.loaded[i]
		names := o.Needed
		if i == 0 && (prog.Interp != "" || len(prog.Needed) > 0) { // no static program
			names = slices.Concat(l.preload, names)
		}
		for _, name := range names {
			if c.names[name] || len(c.loaded) > maxLibraries {
				continue
			}
			c.names[name] = true
			if lib := c.search(name, o); lib != nil {
				c.add(lib, o)
			} else {
				missing = append(missing, name)
			}
		}
	}
	for _, o := range c.loaded[1:] {
		paths = append(paths, o.Path)
	}
	return paths, missing
}

func (c *closure) add(lib *File, loader *object) {
	lib.Close() // the dynamic section has been read
	same := func(o *object) bool {
		a, errA := os.Stat(o.Path)
		b, errB := os.Stat(lib.Path)
		return errA == nil && errB == nil && os.SameFile(a, b)
	}
	if lib.Soname != "" {
		c.names[lib.Soname] = true
	}
	if !slices.ContainsFunc(c.loaded, same) {
		c.loaded = append(c.loaded, &object{lib, loader})
	}
}

// search finds the library name, needed by o, in the order of ld.so(8):
//  1. a name with a slash is a path;
//  2. DT_RPATH of o, of what loaded o, and so on to the program; but not if o has DT_RUNPATH;
//  3. LD_LIBRARY_PATH;
//  4. DT_RUNPATH of o;
//  5. /etc/ld.so.cache;
//  6. the default directories. Neither 5 nor 6 if o was linked with -z nodefaultlib.
func (c *closure) search(name string, o *object) *File {
	if strings.Contains(name, "/") {
		path, err := filepath.Abs(expand(name, o.File)) // relative to the working directory, as ld.so takes it
		if err != nil {
			return nil
		}
		return c.open(path)
	}
	var dirs []string
	if o.RunPath == nil {
		for l := o; l != nil; l = l.loader {
			if l.RunPath == nil {
				dirs = appendDirs(dirs, l.RPath, l.File)
			}
		}
	}
	dirs = appendDirs(dirs, c.envDirs, o.File)
	dirs = appendDirs(dirs, o.RunPath, o.File)
	if f := c.searchDirs(dirs, name); f != nil || o.noDefaultLib {
		return f
	}
	for _, path := range c.cached(name, c.machine) {
		if f := c.open(path); f != nil {
			return f
		}
	}
	return c.searchDirs(defaultDirs(c.machine), name)
}

func (c *closure) searchDirs(dirs []string, name string) *File {
	for _, dir := range dirs {
		for _, sub := range hwcapDirs(c.machine) {
			if f := c.open(filepath.Join(dir, sub, name)); f != nil {
				return f
			}
		}
	}
	return nil
}

// open returns the file if it is an ELF file of the right machine.
func (c *closure) open(path string) *File {
	if c.lookups++; c.lookups > maxLookups || !filepath.IsAbs(path) {
		return nil
	}
	f, err := Open(path)
	if err != nil {
		return nil
	}
	if f.Machine != c.machine {
		f.Close()
		return nil
	}
	return f
}

// cached returns the paths that the cache has for name, best first.
func (l *Libraries) cached(name string, machine elf.Machine) []string {
	want := uint32(flagX8664)
	if machine == elf.EM_AARCH64 {
		want = flagAArch64
	}
	var paths []string
	for _, e := range l.cache {
		if e.name == name && e.flags == want && hwcapRank(e.path, machine) >= 0 {
			paths = append(paths, e.path)
		}
	}
	slices.SortStableFunc(paths, func(a, b string) int { return hwcapRank(b, machine) - hwcapRank(a, machine) })
	return paths
}

// Find returns the library that name means to a person: a path, a file name ("libfoo.so.1"), or the name that the
// linker's -l takes ("c" for libc.so.6; of several versions the newest). It looks through LD_LIBRARY_PATH, the cache and the
// default directories, for the machine that this program was built for.
func (l *Libraries) Find(name string) (path string, ok bool) {
	machine := elf.EM_X86_64
	if runtime.GOARCH == "arm64" {
		machine = elf.EM_AARCH64
	}
	c := &closure{Libraries: l, machine: machine}
	usable := func(path string) bool {
		f := c.open(path)
		if f == nil {
			return false
		}
		f.Close()
		return true
	}
	if strings.Contains(name, "/") {
		return name, usable(name)
	}
	prefix := "lib" + name + ".so"
	matches := func(file string) bool {
		return file == name || file == prefix || strings.HasPrefix(file, prefix+".")
	}
	best := func(paths []string) (string, bool) {
		slices.SortStableFunc(paths, func(a, b string) int {
			return compareVersions(filepath.Base(b), filepath.Base(a))
		})
		i := slices.IndexFunc(paths, usable)
		if i < 0 {
			return "", false
		}
		return paths[i], true
	}
	inDirs := func(dirs []string) []string {
		var found []string
		for _, dir := range dirs {
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				if matches(e.Name()) {
					found = append(found, filepath.Join(dir, e.Name()))
				}
			}
		}
		return found
	}
	if path, ok := best(inDirs(appendDirs(nil, l.envDirs, &File{}))); ok {
		return path, true
	}
	var names []string
	for _, e := range l.cache {
		if matches(e.name) && !slices.Contains(names, e.name) {
			names = append(names, e.name)
		}
	}
	var cached []string
	for _, n := range names {
		cached = append(cached, l.cached(n, machine)...)
	}
	if path, ok := best(cached); ok {
		return path, true
	}
	return best(inDirs(defaultDirs(machine)))
}

// compareVersions orders file names with numbers in them: libx.so.9 before libx.so.10.
func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		m, errA := strconv.Atoi(as[i])
		n, errB := strconv.Atoi(bs[i])
		c := strings.Compare(as[i], bs[i])
		if errA == nil && errB == nil {
			c = m - n
		}
		if c != 0 {
			return c
		}
	}
	return len(as) - len(bs)
}

// appendDirs appends the directories of a search path of f, expanded; relative ones are left out.
func appendDirs(dirs, path []string, f *File) []string {
	for _, d := range path[:min(len(path), maxSearchDirs)] {
		if d = expand(d, f); filepath.IsAbs(d) && len(dirs) < maxSearchDirs {
			dirs = append(dirs, filepath.Clean(d))
		}
	}
	return dirs
}

// expand replaces the tokens of ld.so(8): $ORIGIN, the directory of f, $LIB and $PLATFORM.
func expand(s string, f *File) string {
	if !strings.Contains(s, "$") {
		return s
	}
	origin, lib, platform := "", "lib/x86_64-linux-gnu", "x86_64"
	if f.Machine == elf.EM_AARCH64 {
		lib, platform = "lib/aarch64-linux-gnu", "aarch64"
	}
	if abs, err := filepath.Abs(f.Path); err == nil {
		origin = filepath.Dir(abs)
		if real, err := filepath.EvalSymlinks(abs); err == nil && f.Interp != "" {
			origin = filepath.Dir(real) // the kernel resolved the program's path, nobody a library's
		}
	}
	return strings.NewReplacer("${ORIGIN}", origin, "$ORIGIN", origin, "${LIB}", lib, "$LIB", lib,
		"${PLATFORM}", platform, "$PLATFORM", platform).Replace(s)
}

// defaultDirs are the directories built into ld.so, by distribution: those of Debian's multiarch first.
func defaultDirs(machine elf.Machine) []string {
	triple := "x86_64-linux-gnu"
	if machine == elf.EM_AARCH64 {
		triple = "aarch64-linux-gnu"
	}
	return []string{"/lib/" + triple, "/usr/lib/" + triple, "/lib64", "/usr/lib64", "/lib", "/usr/lib"}
}

// hwcapDirs are the subdirectories that ld.so (glibc 2.33 and newer) tries in each directory, best first; the
// last is the directory itself.
func hwcapDirs(machine elf.Machine) []string {
	var dirs []string
	if machine == elf.EM_X86_64 {
		for level := cpuLevel(); level >= 2; level-- {
			dirs = append(dirs, fmt.Sprintf("glibc-hwcaps/x86-64-v%d", level))
		}
	}
	return append(dirs, "")
}

// hwcapRank orders the files of one library: -1 if this processor cannot run it, 0 for the ordinary one.
func hwcapRank(path string, machine elf.Machine) int {
	_, rest, found := strings.Cut(path, "/glibc-hwcaps/")
	if !found {
		return 0
	}
	for level := range 5 {
		if strings.HasPrefix(rest, fmt.Sprintf("x86-64-v%d/", level)) && machine == elf.EM_X86_64 && level <= cpuLevel() {
			return level
		}
	}
	return -1
}

// cpuLevel is the x86-64 micro-architecture level of this processor (x86-64 psABI, table 3.1), as far as Go tells
// its features; 0 on other machines.
func cpuLevel() int {
	x := cpu.X86
	switch {
	case !(x.HasSSE3 && x.HasSSSE3 && x.HasSSE41 && x.HasSSE42 && x.HasPOPCNT && x.HasCX16):
		return 0
	case !(x.HasAVX && x.HasAVX2 && x.HasBMI1 && x.HasBMI2 && x.HasFMA):
		return 2
	case !(x.HasAVX512F && x.HasAVX512BW && x.HasAVX512CD && x.HasAVX512DQ && x.HasAVX512VL):
		return 3
	}
	return 4
}

// LibraryMatches says whether the LIB of a probe LIB:FUNC names the library at path with the given soname ("" if it has none). LIB is one of,
// each with the wildcards of path.Match:
//
//   - with a slash: the path;
//   - the file name or the soname: "libc.so.6";
//   - the file name up to ".so": "libc";
//   - that without "lib", and without a version behind a dash: "c" for libc.so.6 and libc-2.31.so.
func LibraryMatches(pattern, path, soname string) bool {
	match := func(s string) bool {
		ok, err := filepath.Match(pattern, s)
		return err == nil && ok && s != ""
	}
	if strings.Contains(pattern, "/") {
		return match(path)
	}
	for _, file := range []string{filepath.Base(path), soname} {
		stem, _, isLibrary := strings.Cut(file+".", ".so.")
		if match(file) || isLibrary && match(stem) {
			return true
		}
		short, isLib := strings.CutPrefix(stem, "lib")
		if !isLibrary || !isLib {
			continue
		}
		name, version, _ := strings.Cut(short, "-")
		if match(short) || version != "" && version[0] >= '0' && version[0] <= '9' && match(name) {
			return true
		}
	}
	return false
}
