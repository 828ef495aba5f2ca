package render

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/google/pprof/profile"
)

// Profile writes a profile to path, gzipped. A file that is already there is
// replaced once the new one is complete; after an error it is as it was.
func Profile(path string, p *profile.Profile) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	err = errors.Join(p.Write(f), f.Chmod(0o644), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
