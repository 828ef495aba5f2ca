package debuginfod

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// defaultMiss is how long a miss is remembered.
const defaultMiss = 600 * time.Second

// cache is the directory of debug files that elfutils' clients share.
type cache struct{ dir string }

func (c cache) path(buildID string) string { return filepath.Join(c.dir, buildID, "debuginfo") }

// find returns the path of a debug file, "" if it is not there. missed reports whether it was looked
// for in vain not long ago.
func (c cache) find(buildID string) (path string, missed bool) {
	path = c.path(buildID)
	info, err := os.Stat(path)
	switch {
	case err != nil || !info.Mode().IsRegular():
		return "", false
	case info.Size() == 0:
		return "", time.Since(info.ModTime()) <= c.rememberMiss()
	}
	return path, false
}

// rememberMiss is how long a miss is remembered: elfutils has a file for that.
func (c cache) rememberMiss() time.Duration {
	// O_NONBLOCK: opening a FIFO that somebody planted must not wait for a writer.
	f, err := os.OpenFile(filepath.Join(c.dir, "cache_miss_s"), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return defaultMiss
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return defaultMiss
	}
	text, _ := io.ReadAll(io.LimitReader(f, 32))
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return defaultMiss
	}
	return seconds(n)
}

// miss notes that no server has a file.
func (c cache) miss(buildID string) error {
	f, err := c.begin(buildID)
	if err != nil {
		return err
	}
	return f.keep()
}

// newFile is a file that is being written beside its place.
type newFile struct {
	*os.File
	root        *os.Root
	temp, final string
}

// begin creates a file for a build ID.
func (c cache) begin(buildID string) (*newFile, error) {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return nil, err
	}
	f := &newFile{root: root, final: buildID + "/debuginfo", temp: fmt.Sprintf("%s/debuginfo.%08x", buildID, rand.Uint32())}
	err = root.Mkdir(buildID, 0o700)
	if err == nil || errors.Is(err, fs.ErrExist) {
		f.File, err = root.OpenFile(f.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o400)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return f, nil
}

// path is where the file is now.
func (f *newFile) path() string { return filepath.Join(f.root.Name(), f.temp) }

// keep moves the file to its place.
func (f *newFile) keep() error {
	err := f.File.Close()
	if err == nil {
		err = f.root.Rename(f.temp, f.final)
	}
	if err != nil {
		f.root.Remove(f.temp)
	}
	f.root.Close()
	return err
}

// discard removes the file.
func (f *newFile) discard() {
	f.File.Close()
	f.root.Remove(f.temp)
	f.root.Close()
}
