package elffile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/elftest"
)

func TestExits(t *testing.T) {
	type want struct {
		returns                             int
		calls, indirect, selfEntry, outside bool
	}
	for _, c := range []struct {
		file, fn string
		want     want
	}{
		{"pie", "helper", want{returns: 1}},
		{"pie", "original", want{returns: 1, calls: true}},
		{"pie", "tail", want{returns: 1, calls: true}}, // jmp second
		{"pie", "to_entry", want{returns: 1, selfEntry: true}},
		{"pie", "unsized", want{returns: 1}},
		{"pie", "unlikely", want{returns: 1, calls: true, outside: true}}, // js unlikely.cold
		{"pie", "unlikely.cold", want{calls: true}},                       // call abort
		{"pie", "again", want{returns: 1, calls: true, outside: true}},
		{"cet", "tail", want{returns: 1, calls: true}},
		{"stripped", "to_entry", want{returns: 1, selfEntry: true}},
		{"arm64", "helper", want{returns: 1}},
		{"arm64", "original", want{returns: 1, calls: true}},
		{"arm64", "tail", want{returns: 1, calls: true}},
		{"arm64", "to_entry", want{returns: 1, selfEntry: true}},
		{"vector", "legacy", want{returns: 1}},
		{"vector", "vex", want{returns: 1}},
		{"vector", "evex", want{returns: 1}},
		{"vector", "xop", want{returns: 1}},
	} {
		f := fixture(t, c.file)
		fn := find(t, f, c.fn)[0]
		e, err := f.Exits(fn)
		if err != nil {
			t.Errorf("%s %s: %v", c.file, c.fn, err)
			continue
		}
		if got := (want{len(e.Returns) + len(e.TailCalls), e.Calls, e.Indirect, e.SelfEntry, e.Outside}); got != c.want {
			t.Errorf("%s %s: %+v, want %+v", c.file, c.fn, got, c.want)
		}
		for _, r := range append(e.Returns, e.TailCalls...) {
			if ok, err := f.IsInstruction(fn, r); !ok || err != nil {
				t.Errorf("%s %s: return %#x is no instruction: %v", c.file, c.fn, r, err)
			}
		}
	}
	f := fixture(t, "pie")
	if e, err := f.Exits(find(t, f, "choose")[0]); err != nil || !e.Indirect || len(e.Returns) < 4 || len(e.TailCalls) < 3 {
		t.Errorf("choose has a switch table and an exit for each case: %+v, %v", e, err)
	}
}

// Returns are in code that control reaches in any way, including through the unwinder. None is in a
// table.
func TestReturnsAreCode(t *testing.T) {
	elftest.NeedsTool(t, "g++", "nm")
	for _, flags := range []string{"-O0", "-O2", "-O2 -fno-plt", "-O2 -fno-reorder-blocks-and-partition"} {
		bin := t.TempDir() + "/textdata"
		if out, err := exec.Command("g++", append(strings.Fields(flags), "-o", bin, "../../../testdata/targets/textdata.cpp")...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		f := open(t, bin)
		text := elftest.Disassembly(t, bin)
		for _, name := range []string{"lookup", "lookup_unsized", "lookup_between", "catches", "throws", "main"} {
			e, err := f.Exits(find(t, f, name)[0])
			if err != nil || len(e.Returns) == 0 || strings.HasPrefix(name, "lookup") && len(e.Returns) != 1 {
				t.Errorf("%s: %s: returns at %#x, %v", flags, name, e.Returns, err)
			}
			for _, a := range e.Returns {
				if !strings.Contains(text[uint64(a)], "ret") {
					t.Errorf("%s: %s: at %#x is %q", flags, name, a, text[uint64(a)])
				}
			}
		}
	}
}

func TestUndecodable(t *testing.T) {
	f := fixture(t, "vector")
	fn := find(t, f, "data")[0]
	_, err := f.Exits(fn)
	var u *UndecodableError
	if !errors.Is(err, ErrUndecodable) || !errors.As(err, &u) || u.Addr != fn.Addr+1 || u.Func != "data" {
		t.Errorf("%v", err)
	}
	if _, err := f.Exits(Func{Name: "long", Addr: fn.Addr, Size: 1 << 40}); !errors.Is(err, ErrNoCode) {
		t.Errorf("beyond the segment: %v", err)
	}
}

// Go's linker fills functions up with zeros on arm64, and counts these as part of the function.
func TestPaddingARM64(t *testing.T) {
	elf, err := os.ReadFile(filepath.Join(elftest.Dir, "arm64.elf"))
	if err != nil {
		t.Fatal(err)
	}
	fn := find(t, fixture(t, "arm64"), "helper")[0]
	off, _ := fixture(t, "arm64").FileOff(fn.Addr)
	zeros, data := bytes.Clone(elf), bytes.Clone(elf)
	clear(zeros[off+4:][:fn.Size-4])
	copy(zeros[off:], "\xc0\x03\x5f\xd6") // ret
	copy(data[off:], zeros[off:][:fn.Size])
	data[uint64(off)+fn.Size-1] = 1
	for _, c := range []struct {
		file      []byte
		decodable bool
	}{{zeros, true}, {data, false}} {
		path := filepath.Join(t.TempDir(), "elf")
		if err := os.WriteFile(path, c.file, 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := open(t, path).Exits(fn)
		if (err == nil) != c.decodable || c.decodable && len(e.Returns) != 1 {
			t.Errorf("%+v, %v; want %v", e, err, c.decodable)
		}
	}
}

// Thousands of functions inside each other must not each be decoded to the end: with 4 MiB each,
// that would take minutes.
func TestOverlapping(t *testing.T) {
	elftest.NeedsTool(t, "gcc")
	dir := t.TempDir()
	var text strings.Builder
	text.WriteString(".text\n.globl main\n.type main,@function\nmain: xor %eax,%eax\nret\n.size main,.-main\n" +
		"outer: nop\n.type outer,@function\n.type inner,@function\ninner: nop\nret\n.size inner,.-inner\n.size outer,.-outer\n" +
		"many: .fill 0x500000,1,0x90\nsetter: mov (%rdi),%rsp\nret\n")
	for i := range 5000 {
		fmt.Fprintf(&text, ".type f%d,@function\n.set f%d,many+%d\n.size f%d,0x3f0000\n", i, i, i, i)
	}
	if err := os.WriteFile(dir+"/many.s", []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-o", dir+"/many", dir+"/many.s").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f := open(t, dir+"/many")
	symbols := symbolsOf(t, dir+"/many")
	for name, want := range map[string]error{"main": nil, "inner": nil, "f0": ErrOverlapping, "f4000": ErrOverlapping, "f4999": nil} {
		if e, err := f.Exits(find(t, f, name)[0]); !errors.Is(err, want) || name == "main" && len(e.Returns) != 1 {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
		if _, err := f.IsInstruction(find(t, f, name)[0], symbols[name]); !errors.Is(err, want) {
			t.Errorf("IsInstruction of %s: %v", name, err)
		}
	}
	if at, ok := f.LoadsStackPointer(); !ok || at != symbols["setter"] {
		t.Errorf("the stack pointer is loaded at %#x (%v), not at %#x", at, ok, symbols["setter"])
	}
}

func TestIsInstruction(t *testing.T) {
	f := fixture(t, "vector")
	fn := find(t, f, "legacy")[0] // endbr64 (4), push (1), movabs (10)
	for off, want := range map[abi.Addr]bool{0: true, 1: false, 3: false, 4: true, 5: true, 6: false, 15: true, abi.Addr(fn.Size): false} {
		if got, err := f.IsInstruction(fn, fn.Addr+off); got != want || err != nil {
			t.Errorf("at %d: %v, %v; want %v", off, got, err, want)
		}
	}
	if ok, _ := f.IsInstruction(fn, fn.Addr-1); ok {
		t.Error("before the function")
	}
}
