package packed

import (
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
)

// TestFullDisk: the error says what to do.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a full file system needs root: %v", err)
	}
	defer syscall.Unmount(dir, 0)
	t.Setenv("TMPDIR", dir)
	o := NewOpener(io.LimitReader(&endless{}, 1<<20))
	defer o.Close()
	_, err := o.Open(Stdin)
	want := fmt.Sprintf("standard input: its contents need more space than %s has: set TMPDIR", dir)
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}
