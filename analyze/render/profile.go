package render

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/pprof/profile"
)

// Profile writes a profile to path, gzipped. A regular file that is already
// there, also behind a symbolic link, is replaced once the new one is complete; after
// an error it is as it was. Anything else (a pipe, /dev/stdout) is written to.
func Profile(path string, p *profile.Profile) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return writeProfile(path, os.O_WRONLY, p)
	default:
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeProfile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, p); err != nil {
		os.Remove(part)
		return err
	}
	return os.Rename(part, path)
}

func writeProfile(path string, flags int, p *profile.Profile) error {
	f, err := os.OpenFile(path, flags, 0o666)
	if err != nil {
		return err
	}
	return errors.Join(p.Write(f), f.Close())
}
