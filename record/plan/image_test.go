//go:build linux

package plan

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"utrace/record/internal/image"

	"golang.org/x/sys/unix"
)

// A library that cannot be opened may hold anything. Data that are mapped with it hold nothing.
func TestUnopenedLibrary(t *testing.T) {
	library, err := os.ReadFile("../../testdata/elf/stripped.elf")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name            string
		text            []byte
		deleted, partly bool
	}{
		{name: "library", text: library},
		{name: "data", text: []byte("no library")},
		{name: "deleted library", text: library, deleted: true, partly: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mapped")
			if err := os.WriteFile(path, c.text, 0o700); err != nil {
				t.Fatal(err)
			}
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			mapped, err := unix.Mmap(int(file.Fd()), 0, len(c.text), unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Munmap(mapped)
			if c.deleted {
				os.Remove(path)
			}
			withoutCapabilities(t)
			images := image.NewSet()
			defer images.Close()
			sc, err := ProcessScope(&images, os.Getpid())
			if err != nil {
				t.Fatal(err)
			}
			if unknown := sc.surroundings().unknown == unknownProcess; unknown != c.partly {
				t.Errorf("not all is known: %v, want %v", unknown, c.partly)
			}
		})
	}
}

// withoutCapabilities takes the capabilities from the thread of a test, which ends with it.
func withoutCapabilities(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	var none [2]unix.CapUserData
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		t.Fatal(err)
	}
}
