//go:build linux

package image

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestFiles: Sets share a file as long as it is the same, also when all that have used it are closed.
func TestFiles(t *testing.T) {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "program")
	write := func(path string) {
		t.Helper()
		os.Remove(path)
		if err := os.WriteFile(path, program, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	files := NewFiles(nil)
	get := func(s *Set, path string) *Image {
		t.Helper()
		img, err := s.Get("", 0, path, path)
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	write(path)
	a, b := files.NewSet(), files.NewSet()
	first := get(&a, path)
	if second := get(&b, path); first == second || first.File != second.File {
		t.Error("two sets must have one file, and an image each")
	}
	a.Close()
	b.Close()
	a = files.NewSet()
	if again := get(&a, path); again.File != first.File {
		t.Error("the file was opened again")
	}
	if _, err := first.File.Code(first.File.Segments[0].Addr, 16); err != nil {
		t.Errorf("a file that is in use was closed: %v", err)
	}
	write(path)
	b = files.NewSet()
	if other := get(&b, path); other.File == first.File {
		t.Error("another file has the same name: it was not opened")
	}
	a.Close()
	b.Close()
	for i := range maxIdle + 5 {
		s := files.NewSet()
		path := filepath.Join(dir, fmt.Sprint(i))
		write(path)
		get(&s, path)
		s.Close()
	}
	if len(files.open) != maxIdle || len(files.idle) != maxIdle {
		t.Errorf("%d files are open, %d of them idle, want %d", len(files.open), len(files.idle), maxIdle)
	}
	if files.Close(); len(files.open) != 0 {
		t.Errorf("%d files are open after Close", len(files.open))
	}
}
