//go:build linux

package record

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"utrace/format"
)

// output is the file of a trace. It has a temporary name in the same directory until the recording
// begins, so that one that fails to begin leaves an older trace as it is.
type output struct {
	file      *os.File
	path      string
	published bool
}

// createOutput creates the file of a trace with mode 0600. It replaces a file that is not a trace
// only with force, and never follows a symbolic link. Under sudo the file belongs to the user who
// called sudo. Errors wrap ErrNotRegular and ErrNotTrace.
func createOutput(path string, force bool) (*output, error) {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s %w", path, ErrNotRegular)
	case info.Size() > 0 && !force && !isTrace(path):
		return nil, fmt.Errorf("%s %w", path, ErrNotTrace)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".utrace.*")
	if err != nil {
		return nil, err
	}
	if uid, gid, ok := sudoUser(); ok {
		if err := f.Chown(uid, gid); err != nil {
			return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}
	return &output{file: f, path: path}, nil
}

// publish gives the file its name.
func (o *output) publish() error {
	if err := os.Rename(o.file.Name(), o.path); err != nil {
		return err
	}
	o.published = true
	return nil
}

// close closes the file, and removes it if it has not been published.
func (o *output) close() error {
	err := o.file.Close()
	if !o.published {
		err = errors.Join(err, os.Remove(o.file.Name()))
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

// sudoUser returns the user who called sudo.
func sudoUser() (uid, gid int, ok bool) {
	if os.Geteuid() != 0 {
		return 0, 0, false
	}
	uid, err := strconv.Atoi(os.Getenv("SUDO_UID"))
	if err != nil {
		return 0, 0, false
	}
	gid, err = strconv.Atoi(os.Getenv("SUDO_GID"))
	return uid, gid, err == nil
}
