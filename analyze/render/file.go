package render

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File writes a file that only its owner may read, like the trace it was made from. It replaces an
// existing regular file, also through a symbolic link, once the new one is complete. After an
// error, the old file is unchanged. File writes into anything else as it is (a pipe, /dev/stdout).
func File(path string, write func(io.Writer) error) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return writeTo(f, write)
	default:
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	part, err := os.CreateTemp(filepath.Dir(path), ".utrace.*")
	if err != nil {
		return err
	}
	if err = writeTo(part, write); err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		os.Remove(part.Name())
	}
	return err
}

// writeTo writes a file and closes it.
func writeTo(f *os.File, write func(io.Writer) error) error {
	out := bufio.NewWriterSize(f, 1<<16)
	return errors.Join(write(out), out.Flush(), f.Close())
}
