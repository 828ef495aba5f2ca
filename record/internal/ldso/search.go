package ldso

import (
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"utrace/record/internal/elffile"
)

// preloadFile names libraries that ld.so loads into every program.
const preloadFile = "/etc/ld.so.preload"

// Limits on one search: a hostile file may name thousands of libraries and directories.
const (
	maxLibraries  = 1024
	maxSearchDirs = 64
	maxLookups    = 100_000
)

// Search is what the dynamic linker searches: directories of the environment, its cache, and
// preloaded libraries. Relative directories in a search path are left out, because the working
// directory of the program is not known.
type Search struct {
	envDirs []string
	preload []string // names
	cache   []cacheEntry
}

// New reads /etc/ld.so.cache and /etc/ld.so.preload. Without a usable cache only directories are
// searched. env is the environment of the program ("NAME=value"): LD_LIBRARY_PATH, LD_PRELOAD and
// LD_AUDIT count.
func New(env []string) *Search {
	s := &Search{}
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "LD_LIBRARY_PATH="); ok {
			s.envDirs = strings.FieldsFunc(v, func(r rune) bool { return r == ':' || r == ';' })
		}
		for _, name := range []string{"LD_AUDIT=", "LD_PRELOAD="} {
			if v, ok := strings.CutPrefix(e, name); ok {
				s.preload = append(s.preload, strings.FieldsFunc(v, func(r rune) bool { return r == ':' || r == ' ' })...)
			}
		}
	}

	if text, err := os.ReadFile(preloadFile); err == nil {
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(line, "#")
			s.preload = append(s.preload, strings.FieldsFunc(line, func(r rune) bool { return r == ':' || unicode.IsSpace(r) })...)
		}
	}

	if h, err := os.Open("/etc/ld.so.cache"); err == nil {
		defer h.Close()
		if b, err := io.ReadAll(io.LimitReader(h, maxCache)); err == nil {
			s.cache, _ = parseCache(b) // like ld.so: an unusable cache counts as none
		}
	}
	return s
}

// cached returns the paths that the cache has for name, best first.
func (s *Search) cached(name string, machine elf.Machine) []string {
	want := uint32(flagX8664)
	if machine == elf.EM_AARCH64 {
		want = flagAArch64
	}
	var paths []string
	for _, e := range s.cache {
		if e.name == name && e.flags == want && hwcapRank(e.path, machine) >= 0 {
			paths = append(paths, e.path)
		}
	}
	slices.SortStableFunc(paths, func(a, b string) int { return hwcapRank(b, machine) - hwcapRank(a, machine) })
	return paths
}

// Find returns the library that a person means by name. It is a path, a file name ("libfoo.so.1"),
// or a name for the linker's -l ("c" for libc.so.6), where the newest version counts. Find looks
// through LD_LIBRARY_PATH, the cache and the default directories, for the machine that this program
// was built for.
func (s *Search) Find(name string) (path string, ok bool) {
	machine := elf.EM_X86_64
	if runtime.GOARCH == "arm64" {
		machine = elf.EM_AARCH64
	}
	c := &closure{Search: s, machine: machine}
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

	if path, ok := best(inDirs(appendDirs(nil, s.envDirs, &elffile.File{}))); ok {
		return path, true
	}
	var names []string
	for _, e := range s.cache {
		if matches(e.name) && !slices.Contains(names, e.name) {
			names = append(names, e.name)
		}
	}
	var cached []string
	for _, n := range names {
		cached = append(cached, s.cached(n, machine)...)
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
