package elffile

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openRegular opens a regular file and returns its size. For another file the error is ErrNotELF.
//
// Note: it looks before it opens. Opening can have an effect: a FIFO that somebody planted waits for
// a writer, and a watchdog device starts to run.
func openRegular(path string) (h *os.File, size uint64, err error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, 0, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, 0, fmt.Errorf("not a regular file: %w", ErrNotELF)
	}
	opened, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(opened), path), uint64(st.Size), nil
}
