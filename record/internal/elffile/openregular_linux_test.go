package elffile

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// A FIFO is not opened: that would have an effect on whoever writes to it, as it would on a device.
func TestOpenLooksFirst(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(dir+"/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	watch, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(watch)
	if _, err := unix.InotifyAddWatch(watch, dir, unix.IN_OPEN); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir + "/fifo"); !errors.Is(err, ErrNotELF) {
		t.Errorf("%v", err)
	}
	if n, err := unix.Read(watch, make([]byte, 4096)); err != unix.EAGAIN {
		t.Errorf("the FIFO was opened: %d bytes of events, %v", n, err)
	}
}
