//go:build linux

package phpini

import (
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"utrace/record/internal/proc"
)

const (
	maxOpens     = 500     // files and directories
	maxEntries   = 1000    // of a directory
	maxFileBytes = 1 << 18 // php.ini of PHP's source has 75 kB
)

// fileSystem is the files below the root directory of a process. It implements [fs.ReadDirFS] for
// [fs.Glob].
type fileSystem struct {
	root string

	opens int
}

// Open opens a regular file or a directory.
func (f *fileSystem) Open(name string) (fs.File, error) { return f.open(name) }

// open looks at the kind of a file before it opens it: opening a FIFO waits, and opening a device
// can have effects.
func (f *fileSystem) open(name string) (*os.File, error) {
	if f.opens++; f.opens > maxOpens {
		return nil, fs.ErrNotExist
	}
	found, err := proc.OpenInRoot(f.root, name, unix.O_PATH)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	if info, err := found.Stat(); err != nil || !info.Mode().IsRegular() && !info.IsDir() {
		return nil, fs.ErrInvalid
	}
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", found.Fd()))
}

// ReadDir returns entries of a directory, at most maxEntries.
func (f *fileSystem) ReadDir(name string) ([]fs.DirEntry, error) {
	dir, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(maxEntries)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// read returns the text of an ini file, "" if it cannot be read.
func (f *fileSystem) read(name string) string {
	file, err := f.open(name)
	if err != nil {
		return ""
	}
	defer file.Close()
	text, err := proc.ReadRegular(file, maxFileBytes)
	if err != nil {
		return ""
	}
	return string(text)
}

// texts returns the names and texts of ini files.
func (f *fileSystem) texts(names []string) iter.Seq2[string, string] {
	return func(yield func(name, text string) bool) {
		for _, name := range names {
			if !yield(name, f.read(name)) {
				return
			}
		}
	}
}

// glob returns the paths below a directory that match a pattern of [path.Match].
func (f *fileSystem) glob(dir, pattern string) []string {
	quoted := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(strings.Trim(dir, "/"))
	names, _ := fs.Glob(f, path.Join(quoted, pattern))
	for i, name := range names {
		names[i] = "/" + name
	}
	return names
}

// iniFiles returns the files of a directory that PHP scans.
func (f *fileSystem) iniFiles(dir string) (names []string) {
	entries, _ := f.ReadDir(dir)
	for _, e := range entries {
		if path.Ext(e.Name()) == ".ini" {
			names = append(names, path.Join(dir, e.Name()))
		}
	}
	return names
}

// exists reports whether there is a regular file.
func (f *fileSystem) exists(name string) bool {
	info, err := fs.Stat(f, name)
	return err == nil && info.Mode().IsRegular()
}
