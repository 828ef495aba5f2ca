//go:build !linux

package elffile

import (
	"fmt"
	"os"
	"syscall"
)

// openRegular opens a regular file and returns its size. For another file the error is ErrNotELF.
func openRegular(path string) (h *os.File, size uint64, err error) {
	// O_NONBLOCK: opening a FIFO that somebody planted must not wait for a writer.
	if h, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0); err != nil {
		return nil, 0, err
	}
	info, err := h.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("not a regular file: %w", ErrNotELF)
	}
	if err != nil {
		h.Close()
		return nil, 0, err
	}
	return h, uint64(info.Size()), nil
}
