//go:build linux

package flight

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"utrace/format"
)

// segment has the events of some time, as a trace in memory. Its functions are numbered as in the
// Memory, its threads by themselves.
type segment struct {
	file    *os.File
	w       *format.Writer
	fromNs  uint64    // since the start of the recording
	threads []*thread // by number in the segment
	size    int64     // bytes, once it is closed

	losses       []format.Loss
	windows      []format.Window
	surveys      []format.Survey
	calibrations []format.Calibration

	evicted bool // it is no longer in the Memory
	traces  int  // that are being written from it
}

func newSegment(fromNs uint64) (*segment, error) {
	fd, err := unix.MemfdCreate("utrace-segment", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memory for events: %w", err)
	}
	s := &segment{file: os.NewFile(uintptr(fd), "utrace-segment"), fromNs: fromNs}
	if s.w, err = format.NewWriter(s.file, format.Meta{}); err != nil {
		s.file.Close()
		return nil, err
	}
	return s, nil
}

// thread returns the number of a thread in the segment.
func (s *segment) thread(t *thread) format.ThreadID {
	if t.segment != s {
		t.segment, t.local = s, s.w.AddThread(t.Thread)
		t.segments++
		s.threads = append(s.threads, t)
	}
	return t.local
}

// bytes returns the memory of the segment's events.
func (s *segment) bytes() int64 {
	if s.w == nil {
		return s.size
	}
	return s.w.Size()
}

// close ends writing.
func (s *segment) close() error {
	if err := s.w.Close(format.End{}); err != nil {
		return err
	}
	s.size, s.w = s.w.Size(), nil
	return nil
}

// free frees the memory if nothing needs it.
func (s *segment) free() error {
	if !s.evicted || s.traces > 0 {
		return nil
	}
	return s.file.Close()
}
