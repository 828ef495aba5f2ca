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

// createOutput creates the file of a trace: new, mode 0600, beside path, whose name it gets once the recording begins:
// one that cannot begin leaves an older trace as it is. What is no trace is replaced only if forced, a symbolic link
// never followed. Under sudo the file belongs to the user who called sudo.
func createOutput(path string, force bool) (*os.File, error) {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s exists and is not a regular file: name another with -o", path)
	case info.Size() > 0 && !force && !isTrace(path):
		return nil, fmt.Errorf("%s exists and is not a trace: name another file with -o, or replace it with --force", path)
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
	return f, nil
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
