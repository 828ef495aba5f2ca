package render

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrForeignLink: a symbolic link in the path of an output file belongs to another user, who could
// choose which file is replaced.
var ErrForeignLink = errors.New("is a symbolic link of another user: name the file that it leads to")

// File writes a file that only its owner may read, like the trace it was made from. It replaces an
// existing regular file once the new one is complete. After an error, the old file is unchanged.
// File writes into anything else as it is (a pipe, /dev/stdout). It follows symbolic links of the
// user and of root only; other errors wrap ErrForeignLink.
func File(path string, write func(io.Writer) error) error {
	target, err := follow(path)
	if errors.Is(err, ErrForeignLink) {
		return err
	}
	info, statErr := os.Stat(path)
	switch {
	case errors.Is(statErr, fs.ErrNotExist):
	case statErr != nil:
		return statErr
	case !info.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return writeTo(f, write)
	}
	if err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(target), ".utrace.*")
	if err != nil {
		return err
	}
	if err = writeTo(part, write); err == nil {
		err = os.Rename(part.Name(), target)
	}
	if err != nil {
		os.Remove(part.Name())
	}
	return err
}

// maxLinks is how many symbolic links of a path are followed, as in Linux.
const maxLinks = 40

// follow resolves the symbolic links in a path, whose last element need not exist.
func follow(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	at, rest := "/", strings.Split(path, "/")
	for links := 0; len(rest) > 0; {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist) && len(rest) == 0:
			return next, nil
		case err != nil:
			return "", err
		case info.Mode()&fs.ModeSymlink == 0:
			at = next
			continue
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 && int(uid) != os.Geteuid() {
			return "", fmt.Errorf("%s %w", next, ErrForeignLink)
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, nil
}

// writeTo writes a file and closes it.
func writeTo(f *os.File, write func(io.Writer) error) error {
	out := bufio.NewWriterSize(f, 1<<16)
	return errors.Join(write(out), out.Flush(), f.Close())
}
