package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"path/filepath"
	"strings"

	"utrace/record/internal/abi"
)

// debugDir is where distributions install separate debug files (GDB manual, "Debugging Information
// in Separate Files").
const debugDir = "/usr/lib/debug"

// maxDebugFile is the size of the largest debug file whose checksum is computed, in bytes. That
// reads the whole file.
const maxDebugFile = 8 << 30

// DebugPath returns the path of the separate debug file, "" if none is used.
func (f *File) DebugPath() string {
	if d := f.debug(); d != nil {
		return d.Path
	}
	return ""
}

// LacksDebug reports whether the file lacks its symbols or DWARF, and no installed debug file has
// them. It does not look at CachedDebug.
func (f *File) LacksDebug() bool {
	return !(f.HasSymtab() && f.hasDWARF()) && f.installed() == nil
}

// openDebug finds the separate debug file: an installed one, or the cached one.
func (f *File) openDebug() *File {
	d := f.installed()
	if d != nil || f.CachedDebug == nil || f.BuildID == "" || !f.LacksDebug() {
		return d
	}
	path := f.CachedDebug(f.BuildID)
	if path == "" {
		return nil
	}
	return f.openCandidate(path)
}

// openInstalled finds the installed debug file of a file that lacks its symbols or DWARF:
//
//  1. DIR/.build-id/xx/yyyy.debug, where xxyyyy is the build ID.
//  2. The name in .gnu_debuglink: in the directory of the file, in its subdirectory .debug/, and in
//     DIR followed by the path of the file. The checksum in that section must match the debug file.
//
// A candidate must be a debug file with the same build ID, machine and layout.
func (f *File) openInstalled() *File {
	if f.HasSymtab() && f.hasDWARF() {
		return nil
	}
	if len(f.BuildID) > 2 {
		for _, root := range f.roots() {
			path := filepath.Join(root, f.debugDir, ".build-id", f.BuildID[:2], f.BuildID[2:]+".debug")
			if d := f.openCandidate(path); d != nil {
				return d
			}
		}
	}

	name, crc, ok := f.debugLink()
	if !ok {
		return nil
	}
	dir := filepath.Dir(f.Path)
	dirs := []string{dir}
	if real, err := filepath.EvalSymlinks(f.Path); err == nil && filepath.Dir(real) != dir {
		dirs = append(dirs, filepath.Dir(real))
	}
	for _, root := range f.roots() {
		for _, dir := range dirs {
			for _, where := range []string{dir, filepath.Join(dir, ".debug"), filepath.Join(f.debugDir, dir)} {
				d := f.openCandidate(filepath.Join(root, where, name))
				if d == nil {
					continue
				}
				if sum, err := d.checksum(); err == nil && sum == crc {
					return d
				}
			}
		}
	}
	return nil
}

// roots are the directories below which debug files are looked for.
func (f *File) roots() []string {
	if f.root == "" {
		return []string{"/"}
	}
	return []string{f.root, "/"}
}

// openCandidate opens a file if it is a debug file of f. It is closed with f.
func (f *File) openCandidate(path string) *File {
	d, err := openFile(path, path, newDebugFile)
	if err != nil {
		return nil
	}
	f.opened = append(f.opened, d)
	if !f.isDebugFile(d) {
		return nil
	}
	return d
}

// isDebugFile reports whether d belongs to f.
func (f *File) isDebugFile(d *File) bool {
	if d.Machine != f.Machine || d.BuildID != f.BuildID {
		return false
	}
	a, b := f.elf.Section(".text"), d.elf.Section(".text")
	return a == nil || b == nil || a.Addr == b.Addr
}

// newDebugFile reads the headers of a debug file. It does not read segments and note segments: they
// are those of the original file, at offsets that mean nothing here.
func newDebugFile(r io.ReaderAt, size uint64, path string) (*File, error) {
	f, err := readHeaders(r, size, path)
	if err != nil {
		return nil, err
	}
	f.readNoteSections()
	return f, nil
}

// OpenNames opens a program, library or separate debug file for the names and lines of its
// functions: Funcs, FuncAt and Lines. There may be no code. The errors are those of Open, except
// ErrDebugFile.
func OpenNames(path string) (*File, error) {
	return openFile(path, path, func(r io.ReaderAt, size uint64, name string) (*File, error) {
		f, err := newFile(r, size, name)
		if !errors.Is(err, ErrDebugFile) {
			return f, err
		}
		if f, err = newDebugFile(r, size, name); err != nil {
			return nil, err
		}
		for _, p := range f.elf.Progs {
			if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && p.Vaddr <= math.MaxUint64-p.Memsz {
				f.Segments = append(f.Segments, Segment{Addr: abi.Addr(p.Vaddr), FileSize: p.Memsz, MemSize: p.Memsz})
			}
		}
		f.readWhenNeeded()
		return f, nil
	})
}

// lacksCode reports whether this is a debug file: it has executable sections, and none of them has
// bytes.
func (f *File) lacksCode() bool {
	found := false
	for _, s := range f.elf.Sections {
		if s.Flags&elf.SHF_EXECINSTR == 0 || s.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		if s.Type != elf.SHT_NOBITS {
			return false
		}
		found = true
	}
	return found
}

func (f *File) hasDWARF() bool {
	s := f.elf.Section(".debug_info")
	return s != nil && s.Type != elf.SHT_NOBITS
}

// debugLink reads .gnu_debuglink: a file name without directories, NUL, padding to a multiple of 4,
// and the CRC-32 of that file.
func (f *File) debugLink() (name string, crc uint32, ok bool) {
	s := f.elf.Section(".gnu_debuglink")
	if s == nil {
		return "", 0, false
	}
	b, err := f.sectionData(s, maxString)
	if err != nil {
		return "", 0, false
	}
	return parseDebugLink(b)
}

func parseDebugLink(b []byte) (name string, crc uint32, ok bool) {
	n := bytes.IndexByte(b, 0)
	at := (n + 4) &^ 3
	if n <= 0 || at+4 > len(b) {
		return "", 0, false
	}
	name = string(b[:n])
	if strings.Contains(name, "/") || name == "." || name == ".." {
		return "", 0, false
	}
	return name, binary.LittleEndian.Uint32(b[at:]), true
}

// checksum computes the CRC-32 of the whole file.
func (f *File) checksum() (uint32, error) {
	if f.size > maxDebugFile {
		return 0, ErrTooLarge
	}
	h := crc32.NewIEEE()
	_, err := io.CopyBuffer(h, io.NewSectionReader(f.r, 0, int64(f.size)), make([]byte, 1<<20))
	return h.Sum32(), err
}
