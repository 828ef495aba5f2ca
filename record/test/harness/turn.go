//go:build linux

package harness

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// defaultTimeout is the timeout of go test where it has none: it ends a process a minute later.
const defaultTimeout = 10 * time.Minute

// takeTurn waits until no other process holds the lock of end-to-end tests, and takes it. The
// kernel releases it when the process ends, however it ends. takeTurn fails after the timeout of
// the test binary, shortly before go test would end the process without saying why.
func takeTurn() (release func(), err error) {
	file, err := lockFile(filepath.Join(os.TempDir(), "utrace-test.lock"))
	if err != nil {
		return nil, err
	}

	timeout := defaultTimeout
	if set, ok := flag.Lookup("test.timeout").Value.(flag.Getter).Get().(time.Duration); ok && set > 0 {
		timeout = set
	}
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { file.Close() }, nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			file.Close()
			return nil, fmt.Errorf("%s: %w", file.Name(), err)
		case time.Since(began) > timeout:
			file.Close()
			return nil, fmt.Errorf("other end-to-end tests run for more than %v (they hold %s): use make test, or go test -p 1 -timeout 1h", timeout, file.Name())
		}
	}
}

// lockFile opens a file to lock, and creates it if there is none. In a directory such as /tmp
// nobody may open a file of another user with O_CREATE, not even root.
func lockFile(path string) (*os.File, error) {
	file, err := os.Open(path)
	if !errors.Is(err, os.ErrNotExist) {
		return file, err
	}
	file, err = os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o644)
	if errors.Is(err, os.ErrPermission) { // another user has just created it
		return os.Open(path)
	}
	return file, err
}
