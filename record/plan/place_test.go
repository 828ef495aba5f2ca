package plan

import (
	"os"
	"strings"
	"testing"

	"utrace/record/internal/elffile"
	"utrace/record/internal/insn"
)

// placeAll places every function of a fixture.
func placeAll(t *testing.T, name string) (placed map[string]placement, leftOut map[string]string) {
	t.Helper()
	file, err := elffile.Open("../../testdata/elf/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	funcs, err := file.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	placed, leftOut = map[string]placement{}, map[string]string{}
	h := newHazards(file, newSurroundings([]*elffile.File{file}, false))
	for _, fn := range funcs {
		p, why := place(file, fn, h, insn.NewKernel(6, 18), false, false)
		if why != "" {
			leftOut[fn.Name] = why
		} else {
			placed[fn.Name] = p
		}
	}
	return placed, leftOut
}

func TestPlaceC(t *testing.T) {
	placed, leftOut := placeAll(t, "pie.elf")
	if p, ok := placed["main"]; !ok || p.by != ByTrampoline {
		t.Errorf("main: %+v, %v", p, ok)
	}
	if !strings.Contains(leftOut["_start"], "entry point") {
		t.Errorf("_start: %q", leftOut["_start"])
	}
}

// No function of a program that throws may have its return address replaced,
// unless nothing is called below it.
func TestPlaceExceptions(t *testing.T) {
	placed, leftOut := placeAll(t, "cxx.elf")
	instructions := 0
	for name, p := range placed {
		switch p.by {
		case ByInstruction:
			instructions++
			if len(p.returns)+len(p.tailCalls) == 0 {
				t.Errorf("%s: no return instructions", name)
			}
		case ByTrampoline:
			file, err := elffile.Open("../../testdata/elf/cxx.elf")
			if err != nil {
				t.Fatal(err)
			}
			funcs, _ := file.Funcs()
			for _, fn := range funcs {
				if e, err := file.Exits(fn); fn.Name == name && (err != nil || e.Calls || e.Outside) {
					t.Errorf("%s is no leaf (%+v, %v) and its return address would be replaced", name, e, err)
				}
			}
			file.Close()
		}
	}
	if instructions == 0 {
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

func TestPlaceByName(t *testing.T) {
	for name, want := range map[string]bool{
		"f.cold": true, "f.cold.3": true, "f.colder": false, "cold": false, "f.constprop.0": false,
		"_start": true, "__restore_rt": true, "_dl_runtime_resolve_xsavec": true, "main": false,
	} {
		if got := notCalled(name) != ""; got != want {
			t.Errorf("notCalled(%s) = %v", name, got)
		}
	}
	for name, want := range map[string]bool{
		"setjmp": true, "_setjmp": true, "__sigsetjmp": true, "swapcontext": true, "vfork": true, "dlsym": true,
		"_Unwind_RaiseException": true, "__cxa_throw": true, "malloc": false, "settings": false,
	} {
		if got := unsafeReturn(name) != ""; got != want {
			t.Errorf("unsafeReturn(%s) = %v", name, got)
		}
	}
}

// The kernel is the judge of what it refuses; these are from its own lists.
func TestRefusedByKernel(t *testing.T) {
	bin, err := os.ReadFile("../../testdata/elf/pie.elf")
	if err != nil {
		t.Fatal(err)
	}
	file, err := elffile.Open("../../testdata/elf/pie.elf")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	funcs, _ := file.Funcs()
	off, _ := file.FileOff(funcs[0].Addr)
	for code, want := range map[string]bool{"\x55": false, "\xf3\x0f\x1e\xfa": false, "\xf0\x48\x0f\xc1": true, "\xf4": true, "\xcc": true, "\x66\x2e\x0f\x1f": true, "\x2e\x66": true, "\xc5\xf8\x57": true, "\x62\xe2\x7d\x28\x7a": true} {
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
