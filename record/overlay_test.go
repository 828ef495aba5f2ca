//go:build linux

package record

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"utrace/record/internal/procmaps"
)

// mountAt mounts a file system on a new directory, until the end of the test.
func mountAt(t *testing.T, kind, data, at string) {
	t.Helper()
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(kind, at, kind, 0, data); err != nil {
		t.Skipf("needs to mount %s: %v", kind, err)
	}
	t.Cleanup(func() { syscall.Unmount(at, syscall.MNT_DETACH) })
}

// overlay returns a directory with what is in others, on overlayfs. Of files of other file systems than the first the kernel
// tells one device in the mappings and another in stat, as it does on btrfs.
func overlay(t *testing.T, lowers ...string) string {
	t.Helper()
	dir := t.TempDir()
	upper, merged := filepath.Join(dir, "upper"), filepath.Join(dir, "merged")
	mountAt(t, "tmpfs", "", upper)
	for _, name := range []string{"files", "work"} {
		if err := os.Mkdir(filepath.Join(upper, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mountAt(t, "overlay", "xino=off,lowerdir="+strings.Join(lowers, ":")+",upperdir="+upper+"/files,workdir="+upper+"/work", merged)
	return merged
}

// TestMappedOnOverlay: a process has mapped its program whatever device the mappings have.
func TestMappedOnOverlay(t *testing.T) {
	merged := overlay(t, "/usr/bin")
	cat := exec.Command(filepath.Join(merged, "cat")) // until its input ends
	in, err := cat.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	defer cat.Wait()
	defer in.Close()

	files := newImages()
	defer files.close()
	sc, err := files.processScope(cat.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(sc.libs, sc.program) {
		t.Error("the program is one of its own libraries")
	}
	if !slices.Contains(mappedKeys(cat.Process.Pid), sc.program.key) {
		t.Error("a guard does not find the program mapped")
	}
	mem := openMemory(cat.Process.Pid, sc.program)
	if mem == nil {
		t.Fatal("no memory of the program")
	}
	defer mem.close()
	if code := sc.program.file.Segments[0].Addr; !bytes.Equal(mem.read(mem.addr(code), 16), sc.program.file.Data(code, 16)) {
		t.Error("its memory does not hold its code")
	}
}

// TestSameInode: two files are two although the mappings have one device and inode for both, as in two subvolumes of btrfs.
func TestSameInode(t *testing.T) {
	dir, pid := t.TempDir(), os.Getpid()
	lowers := []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}
	code, err := os.ReadFile("/usr/bin/cat")
	if err != nil {
		t.Skip(err)
	}
	for _, lower := range lowers {
		mountAt(t, "tmpfs", "", lower)
		if err := os.WriteFile(filepath.Join(lower, "cat-"+filepath.Base(lower)), code, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	merged := overlay(t, lowers...)
	before, err := List(ListConfig{PID: pid})
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
	after, err := List(ListConfig{PID: pid})
	if err != nil {
		t.Fatal(err)
	}
	if n := after.Searched - before.Searched; n != 2 {
		t.Errorf("%d of 2 files were searched", n)
	}
	stacks := newCodeMaps()
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
