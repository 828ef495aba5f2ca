//go:build linux

package record

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// TestMappedOnOverlay: a process has mapped its program also where the kernel gives the file one device in the mappings, and another in
// stat: on overlayfs above two filesystems, as on btrfs.
func TestMappedOnOverlay(t *testing.T) {
	dir := t.TempDir()
	mount := func(kind, data, at string) {
		t.Helper()
		if err := os.MkdirAll(at, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount(kind, at, kind, 0, data); err != nil {
			t.Skipf("needs to mount %s: %v", kind, err)
		}
		t.Cleanup(func() { syscall.Unmount(at, syscall.MNT_DETACH) })
	}
	upper, merged := filepath.Join(dir, "upper"), filepath.Join(dir, "merged")
	mount("tmpfs", "", upper)
	for _, name := range []string{"files", "work"} {
		if err := os.Mkdir(filepath.Join(upper, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mount("overlay", "lowerdir=/usr/bin,upperdir="+upper+"/files,workdir="+upper+"/work", merged)

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
