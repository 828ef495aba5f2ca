//go:build linux

package plan

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"utrace/record/internal/image"
	"utrace/record/internal/image/imagetest"
)

// TestMappedOnOverlay checks that a process has mapped its program, whatever device its mappings
// show.
func TestMappedOnOverlay(t *testing.T) {
	merged := imagetest.Overlay(t, "/usr/bin")
	cat := exec.Command(filepath.Join(merged, "cat")) // until its input ends
	in, err := cat.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cat.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	defer cat.Wait()
	defer in.Close()
	// Start returns while exec still maps the program: its first answer shows that it runs.
	if _, err := in.Write([]byte{'x'}); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}

	files := image.NewSet()
	defer files.Close()
	sc, err := ProcessScope(&files, cat.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(sc.libs, sc.Program) {
		t.Error("the program is one of its own libraries")
	}
	if !slices.Contains(image.KeysOf(cat.Process.Pid), sc.Program.Key) {
		t.Error("the program is not among the mapped files")
	}
	mem := openMemory(cat.Process.Pid, sc.Program)
	if mem == nil {
		t.Fatal("no memory of the program")
	}
	defer mem.close()
	if code := sc.Program.File.Segments[0].Addr; !bytes.Equal(mem.read(mem.addr(code), 16), sc.Program.File.Data(code, 16)) {
		t.Error("the memory of the process does not contain the code of the program")
	}
}
