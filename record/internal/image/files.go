//go:build linux

package image

import (
	"slices"
	"sync"

	"utrace/record/debuginfod"
	"utrace/record/internal/elffile"
)

// maxIdle is how many files that no Set uses any more stay open. What has been read of a large
// program, such as its functions, took some tenths of a second.
const maxIdle = 16

// Files opens files for several Sets, each file once. Its methods, and those of different Sets, may
// be called from several goroutines.
type Files struct {
	debug *debuginfod.Client // nil: no debug files are downloaded

	mu   sync.Mutex
	open map[openedFrom]*sharedFile
	idle []*sharedFile // the latest last
}

// openedFrom is what decides on how a file is read.
type openedFrom struct {
	version    Version
	path, root string // see elffile.OpenAs
}

// sharedFile is a file that is used by some Sets.
type sharedFile struct {
	from  openedFrom
	file  *elffile.File
	users int
}

// NewFiles returns a Files without any files. Their debug files come from debug as well, unless that
// is nil.
func NewFiles(debug *debuginfod.Client) *Files {
	return &Files{debug: debug, open: map[openedFrom]*sharedFile{}}
}

// FetchDebug downloads the debug file of a program or library that lacks one, if the Set's Files
// have a client for that. Call it before anything reads the symbols.
func (s *Set) FetchDebug(img *Image) {
	if s.files != nil && s.files.debug != nil && img.File.LacksDebug() {
		s.files.debug.Fetch(img.File.BuildID, img.Path)
	}
}

// NewSet returns a Set that shares its files with others.
func (f *Files) NewSet() Set {
	return Set{files: f, byKey: map[Key]*Image{}, Failed: map[Key]bool{}}
}

// get returns a file that was opened before, or opens it.
func (f *Files) get(from openedFrom, open string) (*sharedFile, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.open[from]
	if s == nil {
		file, err := elffile.OpenAs(open, from.path, from.root)
		if err != nil {
			return nil, err
		}
		if f.debug != nil {
			file.CachedDebug = f.debug.Cached
		}
		s = &sharedFile{from: from, file: file}
		f.open[from] = s
	}
	if s.users == 0 {
		f.idle = slices.DeleteFunc(f.idle, func(other *sharedFile) bool { return other == s })
	}
	s.users++
	return s, nil
}

// release ends the use of a file by a Set.
func (f *Files) release(s *sharedFile) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.users--; s.users > 0 {
		return
	}
	f.idle = append(f.idle, s)
	if len(f.idle) > maxIdle {
		f.closeFile(f.idle[0])
		f.idle = slices.Delete(f.idle, 0, 1)
	}
}

func (f *Files) closeFile(s *sharedFile) {
	delete(f.open, s.from)
	s.file.Close()
}

// Close closes the files that no Set uses.
func (f *Files) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.idle {
		f.closeFile(s)
	}
	f.idle = nil
}
