//go:build linux

package plan

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"utrace/record/internal/image"
	"utrace/record/internal/proc"
)

// TestUnopenedLibrary checks that a mapped library which cannot be opened makes the hazards of its
// process unknown. Mapped data do not.
func TestUnopenedLibrary(t *testing.T) {
	library, err := os.ReadFile("../../testdata/elf/stripped.elf")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name             string
		text             []byte
		deleted, unknown bool
	}{
		{name: "library", text: library},
		{name: "data", text: []byte("no library")},
		{name: "deleted library", text: library, deleted: true, unknown: true},
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
			if unknown := sc.hazards().unknown == unknownProcess; unknown != c.unknown {
				t.Errorf("hazards unknown: %v, want %v", unknown, c.unknown)
			}
		})
	}
}

// withoutCapabilities removes the capabilities of a test's thread. The thread ends with the test.
func withoutCapabilities(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	var none [2]unix.CapUserData
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		t.Fatal(err)
	}
}

func TestShadowStack(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tx\nx86_Thread_features:\tshstk wrss \nx86_Thread_features_locked:\t\n": true,
		"Name:\tx\nx86_Thread_features:\t\nx86_Thread_features_locked:\tshstk wrss \n": false,
		"Name:\tshstk\n": false,
	} {
		if got := statusHasShadowStack(status); got != want {
			t.Errorf("%q: %v", status, got)
		}
	}
	for value, want := range map[string]bool{
		"glibc.cpu.x86_shstk=on": true, "glibc.cpu.hwcaps=SHSTK": true, "glibc.malloc.check=1": false,
	} {
		sc := &Scope{command: &proc.Invocation{Env: []string{"GLIBC_TUNABLES=" + value}}}
		if got := sc.hasShadowStack(); got != want {
			t.Errorf("%s: %v", value, got)
		}
	}
}
