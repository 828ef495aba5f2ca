//go:build linux

package output

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// elsewhere is what Locate returns if nobody knows the path.
const elsewhere = "another directory"

// Locate returns where the published file is. It may have been renamed, also by another recording to
// the same path, for which it is FILE.old. If it was removed, Locate copies it to its path, or to
// that with a number if there is another file.
func (o *File) Locate() (path string, err error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(o.File.Fd()), &st); err != nil {
		return "", err
	}
	if isAt(o.path, &st) {
		return o.path, nil
	}
	if st.Nlink > 0 { // /proc/self/fd does not know the name of a file that was created without one
		dir := filepath.Dir(o.path)
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if path := filepath.Join(dir, e.Name()); isAt(path, &st) {
				return path, nil
			}
		}
		return elsewhere, nil
	}
	if path, err = o.copy(); err != nil {
		return "", fmt.Errorf("%s was removed while it was written, and cannot be restored: %w", o.path, err)
	}
	return path, nil
}

// isAt reports whether a path leads to a file.
func isAt(path string, file *syscall.Stat_t) bool {
	var st syscall.Stat_t
	return syscall.Lstat(path, &st) == nil && st.Dev == file.Dev && st.Ino == file.Ino
}

// copy copies the file to the first free name.
func (o *File) copy() (path string, err error) {
	const maxTaken = 100
	path = o.path
	for i := 1; ; i++ {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		switch {
		case errors.Is(err, fs.ErrExist) && i <= maxTaken:
			path = o.path + "." + strconv.Itoa(i)
			continue
		case err != nil:
			return "", err
		}
		info, err := o.File.Stat()
		if err == nil {
			_, err = io.Copy(f, io.NewSectionReader(o.File, 0, info.Size()))
		}
		return path, errors.Join(err, giveToUser(f), f.Close())
	}
}
