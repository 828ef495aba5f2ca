package packed

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"utrace/format"
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// Opener opens traces by path. It keeps the contents of compressed files and of standard input
// until it is closed. It may be used from several goroutines.
type Opener struct {
	stdin io.Reader
	mu    sync.Mutex
	files map[string]*os.File // by path: what it holds, decompressed
}

// NewOpener returns an Opener that reads the trace Stdin from stdin.
func NewOpener(stdin io.Reader) *Opener {
	return &Opener{stdin: stdin, files: map[string]*os.File{}}
}

// Close frees the disk space. Traces that are open must have been closed.
func (o *Opener) Close() error {
	var errs []error
	for _, file := range o.files {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// Open opens a trace as format.Open does, and with its errors. The trace may be compressed, or
// Stdin. The first call for such a trace copies it: that may fail for lack of space.
func (o *Opener) Open(path string) (*format.Reader, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	file := o.files[path]
	if file == nil {
		var err error
		if file, err = o.copied(path); err != nil {
			return nil, fmt.Errorf("%s: %w", shownPath(path), err)
		}
		if file == nil {
			return format.Open(path)
		}
		o.files[path] = file
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	r, err := format.NewReader(file, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shownPath(path), err)
	}
	return r, nil
}

// shownPath is how errors name a trace.
func shownPath(path string) string {
	if path == Stdin {
		return "standard input"
	}
	return path
}

// copied returns a temporary file with the contents of a trace, nil if it can be read in place.
func (o *Opener) copied(path string) (*os.File, error) {
	if path == Stdin {
		return unpack(o.stdin)
	}
	// O_NONBLOCK: opening a FIFO must not wait for a writer.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil // format.Open says why
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, nil
	}
	var head [4]byte
	if n, _ := file.ReadAt(head[:], 0); codecOf(head[:n]) == plain {
		return nil, nil
	}
	return unpack(file)
}
