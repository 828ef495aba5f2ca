package symbols

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"utrace/format"
	"utrace/record/internal/abi"
	"utrace/record/internal/demangle"
	"utrace/record/internal/dwarf"
	"utrace/record/internal/elffile"
)

// maxFiles limits how many files of directories are looked at.
const maxFiles = 200_000

// Source has the files from which names are taken. Its methods may be called from several
// goroutines.
type Source struct {
	paths map[string]string // of files, by build ID

	mu   sync.Mutex
	open map[string]*names // by build ID; nil for a file that cannot be read
	used map[string]bool   // build IDs that gave a name
}

// names are the names in a file.
type names struct {
	file  *elffile.File
	lines *dwarf.Lines // nil without debug information
}

// Open reads the build IDs of files, and of all files below directories. It fails for a file that
// has none, and for more than 200,000 files. Of several files with the same build ID, it takes the
// first with a full symbol table.
func Open(paths []string) (*Source, error) {
	s := &Source{paths: map[string]string{}, open: map[string]*names{}, used: map[string]bool{}}
	seen := 0
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			id, err := s.add(path)
			if err != nil {
				return nil, err
			}
			if id == "" {
				return nil, fmt.Errorf("%s: it has no build ID", path)
			}
			continue
		}
		err = filepath.WalkDir(path, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return nil // what cannot be read has no names
			}
			if seen++; seen > maxFiles {
				return fmt.Errorf("more than %d files", maxFiles)
			}
			s.add(path)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return s, nil
}

// add notes the build ID of a file, "" if it has none.
func (s *Source) add(path string) (buildID string, err error) {
	f, err := elffile.OpenNames(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if f.BuildID != "" && (s.paths[f.BuildID] == "" || f.HasSymtab() && !s.hasSymtab(f.BuildID)) {
		s.paths[f.BuildID] = path
	}
	return f.BuildID, nil
}

func (s *Source) hasSymtab(buildID string) bool {
	f, err := elffile.OpenNames(s.paths[buildID])
	if err != nil {
		return false
	}
	defer f.Close()
	return f.HasSymtab()
}

// Used reports whether any function got a name.
func (s *Source) Used() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.used) > 0
}

// Close closes the files.
func (s *Source) Close() {
	for _, n := range s.open {
		if n != nil {
			n.file.Close()
		}
	}
}

// Name sets name, symbol and source line of a function without a name, if a file has them. A place
// on a stack becomes the function that contains it. An address inside a function, for which there
// is an entry in the unwind tables, becomes NAME+0xOFFSET.
func (s *Source) Name(m *format.Module, f *format.Func) {
	if !f.Unnamed() || s.paths[m.BuildID] == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.read(m.BuildID)
	if n == nil {
		return
	}
	found, ok := n.file.FuncAt(abi.Addr(f.Addr))
	if !ok || found.Recovered {
		return
	}
	s.used[m.BuildID] = true
	name := demangle.Short(found.Name) + found.VersionOf(found.Name)
	inside := f.Addr - uint64(found.Addr)
	if strings.HasPrefix(f.Name, "sub_") && inside > 0 {
		name += fmt.Sprintf("+%#x", inside)
	} else {
		f.Addr, f.Size = uint64(found.Addr), found.Size
	}
	if f.Name = name; found.Name != name {
		f.Symbol = found.Name
	}
	f.File = found.SourceFile
	if n.lines != nil {
		if path, line, ok := n.lines.Func(found.Addr); ok {
			f.File, f.Line = path, line
		}
	}
}

// read reads a file at its first use.
func (s *Source) read(buildID string) *names {
	n, ok := s.open[buildID]
	if ok {
		return n
	}
	if f, err := elffile.OpenNames(s.paths[buildID]); err == nil && f.BuildID == buildID {
		n = &names{file: f}
		n.lines, _ = f.Lines()
	}
	s.open[buildID] = n
	return n
}
