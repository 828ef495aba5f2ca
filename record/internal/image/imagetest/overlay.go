//go:build linux

// Package imagetest mounts file systems on which a file is hard to distinguish from others.
package imagetest

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// MountAt mounts a file system on a new directory, until the end of the test.
func MountAt(t testing.TB, kind, data, at string) {
	t.Helper()
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(kind, at, kind, 0, data); err != nil {
		t.Skipf("needs to mount %s: %v", kind, err)
	}
	t.Cleanup(func() { syscall.Unmount(at, syscall.MNT_DETACH) })
}

// Overlay returns a directory with the contents of others, on overlayfs. For files of any file
// system but the first, the kernel shows one device in mappings and another in stat, as on btrfs.
func Overlay(t testing.TB, lowers ...string) string {
	t.Helper()
	dir := t.TempDir()
	upper, merged := filepath.Join(dir, "upper"), filepath.Join(dir, "merged")
	MountAt(t, "tmpfs", "", upper)
	for _, name := range []string{"files", "work"} {
		if err := os.Mkdir(filepath.Join(upper, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	MountAt(t, "overlay", "xino=off,lowerdir="+strings.Join(lowers, ":")+",upperdir="+upper+"/files,workdir="+upper+"/work", merged)
	return merged
}
