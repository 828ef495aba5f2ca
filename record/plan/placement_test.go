package plan

import (
	"os"
	"strings"
	"testing"

	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/insn"
)

// openFixture opens a file of testdata/elf.
func openFixture(t *testing.T, name string) *elffile.File {
	t.Helper()
	file, err := elffile.Open("../../testdata/elf/" + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// newTestPlacer returns the placer of a file in a process that runs nothing else, on Linux 6.18.
func newTestPlacer(file *elffile.File) *placer {
	h := newFileHazards(file, newProcessHazards([]*elffile.File{file}, false))
	return &placer{file: file, hazards: h, kernel: insn.NewKernel(6, 18)}
}

// placeAll places every function of a fixture.
func placeAll(t *testing.T, name string) (placed map[string]placement, leftOut map[string]string) {
	t.Helper()
	pl := newTestPlacer(openFixture(t, name))
	funcs, err := pl.file.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	placed, leftOut = map[string]placement{}, map[string]string{}
	for _, fn := range funcs {
		p, why := pl.place(fn, false)
		if why != "" {
			leftOut[fn.Name] = why
		} else {
			placed[fn.Name] = p
		}
	}
	return placed, leftOut
}

// TestPlaceC checks that functions of a C program return by the trampoline, and that its entry
// point is left out.
func TestPlaceC(t *testing.T) {
	placed, leftOut := placeAll(t, "pie.elf")
	if p, ok := placed["main"]; !ok || p.by != ByTrampoline {
		t.Errorf("main: %+v, %v", p, ok)
	}
	if !strings.Contains(leftOut["_start"], "entry point") {
		t.Errorf("_start: %q", leftOut["_start"])
	}
}

// TestPlaceFiltered checks that no return address is replaced on a kernel where that would kill
// programs with a filter of system calls.
func TestPlaceFiltered(t *testing.T) {
	for _, name := range []string{"pie.elf", "cxx.elf", "cet.elf"} {
		file := openFixture(t, name)
		funcs, err := file.Funcs()
		if err != nil {
			t.Fatal(err)
		}
		f := &filePlan{p: &Plan{filtered: true, kernel: insn.NewKernel(6, 12)}, m: &Module{}, img: &image.Image{File: file}}
		pl := f.newPlacer(funcs)
		for _, fn := range funcs {
			if p, why := pl.place(fn, false); why == "" && p.by == ByTrampoline {
				t.Errorf("%s: %s returns by the trampoline", name, fn.Name)
			}
		}
	}
}

// TestPlaceAtFirstByte checks that each entry is probed at its first byte if that is asked for.
func TestPlaceAtFirstByte(t *testing.T) {
	pl := newTestPlacer(openFixture(t, "pie.elf"))
	pl.atFirstByte = true
	funcs, err := pl.file.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	placed := 0
	for _, fn := range funcs {
		p, why := pl.place(fn, false)
		if why != "" {
			continue
		}
		placed++
		if p.entry.Addr != fn.Addr || p.entry.Class != insn.Stepped {
			t.Errorf("%s at %#x: site %+v", fn.Name, uint64(fn.Addr), p.entry)
		}
	}
	if placed == 0 {
		t.Error("no function is placed")
	}
}

// TestPlaceExceptions checks a program that throws: only a function that calls nothing may have its
// return address replaced.
func TestPlaceExceptions(t *testing.T) {
	placed, leftOut := placeAll(t, "cxx.elf")
	file := openFixture(t, "cxx.elf")
	funcs, err := file.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	byInstruction := 0
	for _, fn := range funcs {
		p, ok := placed[fn.Name]
		switch {
		case !ok:
		case p.by == ByInstruction:
			byInstruction++
			if len(p.returns)+len(p.tailCalls) == 0 {
				t.Errorf("%s: no return instructions", fn.Name)
			}
		case p.by == ByTrampoline:
			if e, err := file.Exits(fn); err != nil || e.Calls || e.Outside {
				t.Errorf("%s is no leaf (%+v, %v) and its return address would be replaced", fn.Name, e, err)
			}
		}
	}
	if byInstruction == 0 {
		t.Error("no function is seen by its return instructions")
	}

	cold := false
	for name, why := range leftOut {
		cold = cold || strings.Contains(name, ".cold") && strings.Contains(why, "cold part")
	}
	if !cold {
		t.Errorf("no cold part is left out: %v", leftOut)
	}
}

// TestRefusedByKernel checks some instructions from the kernel's own lists of what it refuses.
func TestRefusedByKernel(t *testing.T) {
	bin, err := os.ReadFile("../../testdata/elf/pie.elf")
	if err != nil {
		t.Fatal(err)
	}
	file := openFixture(t, "pie.elf")
	funcs, err := file.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	off, _ := file.FileOff(funcs[0].Addr)
	for code, want := range map[string]bool{
		"\x55": false, "\xf3\x0f\x1e\xfa": false, "\xf0\x48\x0f\xc1": true, "\xf4": true, "\xcc": true,
		"\x66\x2e\x0f\x1f": true, "\x2e\x66": true, "\xc5\xf8\x57": true, "\x62\xe2\x7d\x28\x7a": true,
	} {
		path := t.TempDir() + "/elf"
		patched := append([]byte{}, bin...)
		copy(patched[off:], code)
		if err := os.WriteFile(path, patched, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := elffile.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := refusedByKernel(f, funcs[0].Addr) != ""; got != want {
			t.Errorf("% x: refused %v, want %v", code, got, want)
		}
		f.Close()
	}
}
