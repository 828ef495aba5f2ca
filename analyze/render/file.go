package render

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File writes a file that only its owner may read, as what it shows comes from a trace. A regular file that is
// already there, also behind a symbolic link, is replaced once the new one is complete; after an error it is as
// it was. Anything else (a pipe, /dev/stdout) is written to.
func File(path string, write func(io.Writer) error) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return writeFile(path, os.O_WRONLY, write)
	default:
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, write); err != nil {
		os.Remove(part)
		return err
	}
	return os.Rename(part, path)
}

func writeFile(path string, flags int, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(f, 1<<16)
	return errors.Join(write(out), out.Flush(), f.Close())
}
