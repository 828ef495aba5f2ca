//go:build linux

package stacks

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"utrace/record/internal/image"
	"utrace/record/internal/image/imagetest"
	"utrace/record/internal/procmaps"
	"utrace/record/list"
)

// TestSameInode: two files remain two although the mappings show one device and inode for both, as
// in two subvolumes of btrfs.
func TestSameInode(t *testing.T) {
	dir, pid := t.TempDir(), os.Getpid()
	lowers := []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}
	code, err := os.ReadFile("/usr/bin/cat")
	if err != nil {
		t.Skip(err)
	}
	for _, lower := range lowers {
		imagetest.MountAt(t, "tmpfs", "", lower)
		if err := os.WriteFile(filepath.Join(lower, "cat-"+filepath.Base(lower)), code, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	merged := imagetest.Overlay(t, lowers...)
	before, err := list.Find(list.Config{PID: pid})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(merged, "cat-a"), filepath.Join(merged, "cat-b")}
	inodes := map[uint64]bool{}
	for _, path := range want {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		text, err := unix.Mmap(int(file.Fd()), 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(text)
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		inodes[st.Ino] = true
	}
	if len(inodes) > 1 {
		t.Skipf("the inodes of two file systems are not the same: %v", inodes)
	}
	after, err := list.Find(list.Config{PID: pid})
	if err != nil {
		t.Fatal(err)
	}
	if n := after.Searched - before.Searched; n != 2 {
		t.Errorf("%d of 2 files were searched", n)
	}
	stacks := newCodeMaps(image.NewFiles(nil))
	defer stacks.close()
	maps, err := procmaps.Read(pid)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range maps {
		if m.Exec && slices.Contains(want, m.Path) {
			got = append(got, stacks.file(stacks.process(uint32(pid)), &mappedCode{Mapping: m}).name)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("on stacks they are %q, want %q", got, want)
	}
}
