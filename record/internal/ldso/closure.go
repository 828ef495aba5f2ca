package ldso

import (
	"debug/elf"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"utrace/record/internal/elffile"
)

// closure is a search for all libraries of one program.
type closure struct {
	*Search
	machine elf.Machine
	loaded  []*object
	names   map[string]bool // asked for, and sonames of loaded files
	lookups int
}

// object is a file in the search. loader is the file that needs it, nil for the program.
type object struct {
	*elffile.File
	loader *object
}

// Closure returns the paths of all libraries that prog loads when it starts, each once. First comes
// its interpreter, then what is preloaded, then DT_NEEDED of the program and of its libraries,
// breadth first. missing are the names for which there is no file.
func (s *Search) Closure(prog *elffile.File) (paths, missing []string) {
	c := &closure{Search: s, machine: prog.Machine, names: map[string]bool{}}
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
			names = slices.Concat(s.preload, names)
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

func (c *closure) add(lib *elffile.File, loader *object) {
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

// search finds the library name, which o needs, in the order of ld.so(8):
//
//  1. A name with a slash is a path.
//  2. DT_RPATH of o, of the file that loaded o, and so on to the program. Not if o has DT_RUNPATH.
//  3. LD_LIBRARY_PATH.
//  4. DT_RUNPATH of o.
//  5. /etc/ld.so.cache. Not if o was linked with -z nodefaultlib.
//  6. The default directories. Not if o was linked with -z nodefaultlib.
func (c *closure) search(name string, o *object) *elffile.File {
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
	if f := c.searchDirs(dirs, name); f != nil || o.NoDefaultLib {
		return f
	}
	for _, path := range c.cached(name, c.machine) {
		if f := c.open(path); f != nil {
			return f
		}
	}
	return c.searchDirs(defaultDirs(c.machine), name)
}

func (c *closure) searchDirs(dirs []string, name string) *elffile.File {
	for _, dir := range dirs {
		for _, sub := range hwcapDirs(c.machine) {
			if f := c.open(filepath.Join(dir, sub, name)); f != nil {
				return f
			}
		}
	}
	return nil
}

// open returns the file if it is an ELF file for the right machine.
func (c *closure) open(path string) *elffile.File {
	if c.lookups++; c.lookups > maxLookups || !filepath.IsAbs(path) {
		return nil
	}
	f, err := elffile.Open(path)
	if err != nil {
		return nil
	}
	if f.Machine != c.machine {
		f.Close()
		return nil
	}
	return f
}

// appendDirs appends the directories of a search path of f, expanded. It leaves out relative ones.
func appendDirs(dirs, path []string, f *elffile.File) []string {
	for _, d := range path[:min(len(path), maxSearchDirs)] {
		if d = expand(d, f); filepath.IsAbs(d) && len(dirs) < maxSearchDirs {
			dirs = append(dirs, filepath.Clean(d))
		}
	}
	return dirs
}

// expand replaces the tokens of ld.so(8): $ORIGIN, the directory of f, $LIB and $PLATFORM.
func expand(s string, f *elffile.File) string {
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
			origin = filepath.Dir(real) // the kernel resolves the path of a program, but ld.so does not resolve a library's
		}
	}
	return strings.NewReplacer("${ORIGIN}", origin, "$ORIGIN", origin, "${LIB}", lib, "$LIB", lib,
		"${PLATFORM}", platform, "$PLATFORM", platform).Replace(s)
}
