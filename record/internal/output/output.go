//go:build linux

// Package output creates the file of a trace. It gets its name when there is something to keep.
package output

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"utrace/format"
	"utrace/record/internal/proc"
)

// Errors of Create.
var (
	ErrNotRegular = errors.New("exists and is not a regular file")
	ErrNotTrace   = errors.New("exists and is not a trace")
)

// File is the file of a trace. It has no name until Publish, so that a recording without an event
// leaves an older trace as it is, and no temporary file if the recorder is killed.
type File struct {
	File      *os.File
	path      string
	force     bool
	temporary string // its name until Publish, on a file system where each file needs one
	Published bool
}

// Create creates the file of a trace with mode 0600. It will replace a file that is not a
// trace only with force, and never follows a symbolic link. Under sudo the file belongs to the user
// who called sudo. Errors wrap ErrNotRegular and ErrNotTrace.
func Create(path string, force bool) (*File, error) {
	o := &File{path: path, force: force}
	if _, err := o.older(); err != nil {
		return nil, err
	}
	if err := o.create(); err != nil {
		return nil, err
	}
	if err := giveToUser(o.File); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

// giveToUser gives a file to the user who called sudo.
func giveToUser(f *os.File) error {
	if uid, gid, ok := proc.SudoUser(); ok {
		return f.Chown(uid, gid)
	}
	return nil
}

// create creates the file, if possible without a name.
func (o *File) create() (err error) {
	if namesLater(o.path) {
		o.File, err = createUnnamed(o.path)
		return err
	}
	dir := filepath.Dir(o.path)
	o.File, err = os.CreateTemp(dir, temporaryPrefix+"*")
	switch {
	case err == nil:
		o.temporary = o.File.Name()
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no directory %s", dir)
	}
	return err
}

// temporaryPrefix begins the names of files that are not published yet.
const temporaryPrefix = ".utrace."

// createUnnamed creates a file that will get the name path (O_TMPFILE of open(2)).
func createUnnamed(path string) (*os.File, error) {
	fd, err := unix.Open(filepath.Dir(path), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// namesLater reports whether a file can get the name path later. A file system may refuse that only
// once it is tried.
func namesLater(path string) bool {
	f, err := createUnnamed(path)
	if err != nil {
		return false
	}
	defer f.Close()
	name, err := linkTemporary(f)
	return err == nil && os.Remove(name) == nil
}

// linkTemporary gives a file of createUnnamed a temporary name.
func linkTemporary(f *os.File) (name string, err error) {
	from := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	for range 100 {
		name = filepath.Join(filepath.Dir(f.Name()), temporaryPrefix+strconv.FormatUint(rand.Uint64(), 36))
		if err = unix.Linkat(unix.AT_FDCWD, from, unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW); err != unix.EEXIST {
			break
		}
	}
	if err != nil {
		return "", &os.LinkError{Op: "link", Old: from, New: name, Err: err}
	}
	return name, nil
}

// PublishNew gives the file its name if that replaces nothing but an empty file.
func (o *File) PublishNew() error {
	info, err := os.Lstat(o.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return o.Publish()
	case err == nil && info.Mode().IsRegular() && info.Size() == 0:
		return o.Publish()
	}
	return nil
}

// Publish gives the file its name, once. A trace of that name becomes FILE.old.
func (o *File) Publish() (err error) {
	if o.Published {
		return nil
	}
	keep, err := o.older()
	if err != nil {
		return err
	}
	if o.temporary == "" {
		if o.temporary, err = linkTemporary(o.File); err != nil {
			return err
		}
	}
	if keep {
		if err := os.Rename(o.path, o.path+oldSuffix); err != nil {
			return err
		}
	}
	if err := os.Rename(o.temporary, o.path); err != nil {
		return err
	}
	o.Published = true
	return nil
}

// oldSuffix is what publish appends to the name of an older trace.
const oldSuffix = ".old"

// older examines the files that publish is going to replace. keep reports whether there is a trace
// that becomes FILE.old. One without an event does not replace another FILE.old.
func (o *File) older() (keep bool, err error) {
	keep, err = replaceable(o.path, o.force)
	if err != nil || !keep {
		return false, err
	}
	if _, err := os.Lstat(o.path + oldSuffix); errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if !fileHoldsEvent(o.path) {
		return false, nil
	}
	if _, err := replaceable(o.path+oldSuffix, o.force); err != nil {
		return false, err
	}
	return true, nil
}

// replaceable returns an error if a file must not be replaced. trace reports whether there is a
// trace.
func replaceable(path string, force bool) (trace bool, err error) {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%s %w", path, ErrNotRegular)
	case info.Size() == 0:
		return false, nil
	}
	if trace = isTrace(path); !trace && !force {
		return false, fmt.Errorf("%s %w", path, ErrNotTrace)
	}
	return trace, nil
}

// Close closes the file. Unless it has been published, nothing of it remains.
func (o *File) Close() error {
	err := o.File.Close()
	if !o.Published && o.temporary != "" {
		err = errors.Join(err, os.Remove(o.temporary))
	}
	return err
}

func isTrace(path string) bool {
	r, err := format.Open(path)
	if err != nil {
		return errors.Is(err, format.ErrNewer)
	}
	r.Close()
	return true
}

// HoldsEvent reports whether the first size bytes of the file have an event.
func (o *File) HoldsEvent(size int64) bool {
	r, err := format.NewReader(o.File, size)
	return err == nil && holdsEvent(r)
}

// fileHoldsEvent reports whether a trace has an event. It may have one if a newer version of utrace
// has written it.
func fileHoldsEvent(path string) bool {
	r, err := format.Open(path)
	if err != nil {
		return true
	}
	defer r.Close()
	return holdsEvent(r)
}

func holdsEvent(r *format.Reader) bool {
	d, err := format.NewDecoder()
	if err != nil {
		return true
	}
	defer d.Close()

	var m format.Message
	var b format.Batch
	for r.Next(&m) == nil {
		if err := d.Decode(&m, format.Columns{}, &b); err != nil {
			return false
		}
		if b.Rows > 0 && len(b.Defs) == 0 {
			return true
		}
	}
	return false
}
