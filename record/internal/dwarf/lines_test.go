package dwarf_test

import (
	godwarf "debug/dwarf"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/dwarf"
	"utrace/record/internal/elftest"
)

// sourceLine returns the number of the first line that starts with text in a source of the
// fixtures.
func sourceLine(t *testing.T, file, text string) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elftest.Dir, "src", file))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		if strings.HasPrefix(line, text) {
			return n
		}
	}
	t.Fatalf("%s: no %q", file, text)
	return 0
}

func TestLines(t *testing.T) {
	c := map[string][2]string{
		"main":     {"first.c", "int main("},
		"original": {"first.c", "__attribute__((noinline)) int original("},
		"choose":   {"first.c", "__attribute__((noinline)) int choose("},
		"fail":     {"first.c", "__attribute__((cold, noinline)) void fail("},
		"second":   {"second.c", "__attribute__((noinline)) int second("},
	}
	cxx := map[string][2]string{
		"main":                    {"throw.cc", "int main("},
		"shop::Cart::add":         {"throw.cc", "void Cart::add("},
		"shop::Cart::total const": {"throw.cc", "int Cart::total("},
	}
	for file, want := range map[string]map[string][2]string{
		"pie": c, "nopie": c, "cet": c, "clang": c, "arm64": c, "cxx": cxx,
	} {
		f := fixture(t, file)
		l, err := f.Lines()
		if err != nil {
			t.Fatal(err)
		}
		if l.Truncated() {
			t.Errorf("%s: truncated", file)
		}
		for name, where := range want {
			for _, fn := range find(t, f, strings.TrimSuffix(name, " const")) {
				source, line, ok := l.Func(fn.Addr)
				if wantLine := sourceLine(t, where[0], where[1]); !ok || source != "/fixture/src/"+where[0] || line != wantLine {
					t.Errorf("%s: %s is at %s:%d, %v; want %s:%d", file, name, source, line, ok, where[0], wantLine)
				}
			}
		}
		if source, line, ok := l.Func(1); ok {
			t.Errorf("%s: address 1 is at %s:%d", file, source, line)
		}
	}
	// Two static functions have this name.
	f := fixture(t, "nopie")
	l, err := f.Lines()
	if err != nil {
		t.Fatal(err)
	}
	for _, fn := range find(t, f, "helper") {
		if source, _, _ := l.Func(fn.Addr); filepath.Base(source) != fn.SourceFile {
			t.Errorf("helper of %s is at %s", fn.SourceFile, source)
		}
	}
	if _, err := fixture(t, "stripped").Lines(); !errors.Is(err, dwarf.ErrNoDWARF) {
		t.Errorf("stripped: %v", err)
	}
}

// The assembler describes functions without a line of declaration, but writes a row of the line
// table for each instruction.
func TestLinesFallBackToLineTable(t *testing.T) {
	f := fixture(t, "vector")
	l, err := f.Lines()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"legacy", "vex", "evex", "xop"} {
		fn := find(t, f, name)[0]
		if l.Declared(fn.Addr) {
			t.Errorf("%s has a declaration", name)
		}
		source, line, ok := l.Func(fn.Addr)
		if want := sourceLine(t, "vector.S", name+":") + 1; !ok || source != "/fixture/src/vector.S" || line != want {
			t.Errorf("%s is at %s:%d, %v; want line %d", name, source, line, ok, want)
		}
	}
}

// A function in two parts is declared once.
func TestLinesOfColdParts(t *testing.T) {
	for _, file := range []string{"pie", "nopie", "cet"} {
		f := fixture(t, file)
		l, err := f.Lines()
		if err != nil {
			t.Fatal(err)
		}
		_, cold, _ := l.Func(find(t, f, "unlikely.cold")[0].Addr)
		_, line, ok := l.Func(find(t, f, "unlikely")[0].Addr)
		if !ok || line != cold {
			t.Errorf("%s: unlikely is at line %d, its cold part at %d", file, line, cold)
		}
	}
}

// debug/dwarf finds the same declarations.
func TestLinesAgreeWithDebugDwarf(t *testing.T) {
	paths := append(elftest.Fixtures(t), "/proc/self/exe")
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if path == "/proc/self/exe" {
				path, _ = os.Executable()
			}
			ef, err := elf.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer ef.Close()
			d, err := ef.DWARF()
			l, ours := open(t, path).Lines()
			if err != nil || ef.Section(".debug_info") == nil && ef.Section(".zdebug_info") == nil {
				if !errors.Is(ours, dwarf.ErrNoDWARF) && ef.Section(".gopclntab") == nil { // Go has lines of its own
					t.Errorf("no DWARF, but %v", ours)
				}
				return
			}
			if ours != nil {
				t.Fatal(ours)
			}
			n := 0
			for addr, want := range declarations(t, d) {
				file, line, ok := l.Func(addr)
				if !ok || line != want.Line || !strings.HasSuffix(file, filepath.Clean(want.File.Name)) {
					t.Errorf("%#x: %s:%d, %v; want %s:%d", addr, file, line, ok, want.File.Name, want.Line)
				}
				n++
			}
			t.Logf("%d functions", n)
		})
	}
}

// declarations returns the declaration of each function with an address, by debug/dwarf.
func declarations(t *testing.T, d *godwarf.Data) map[abi.Addr]godwarf.LineEntry {
	t.Helper()
	type function struct {
		file   *godwarf.LineFile
		line   int64
		origin godwarf.Offset
		addr   uint64
	}
	all := map[godwarf.Offset]function{}
	var files []*godwarf.LineFile
	for r := d.Reader(); ; {
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			break
		}
		if e.Tag == godwarf.TagCompileUnit {
			files = nil
			if lr, err := d.LineReader(e); err == nil && lr != nil {
				files = lr.Files()
			}
		}
		if e.Tag != godwarf.TagSubprogram {
			continue
		}
		var f function
		if i, ok := e.Val(godwarf.AttrDeclFile).(int64); ok && int(i) < len(files) {
			f.file = files[i]
		}
		f.line, _ = e.Val(godwarf.AttrDeclLine).(int64)
		f.addr, _ = e.Val(godwarf.AttrLowpc).(uint64)
		for _, a := range []godwarf.Attr{godwarf.AttrSpecification, godwarf.AttrAbstractOrigin} {
			if o, ok := e.Val(a).(godwarf.Offset); ok {
				f.origin = o
			}
		}
		all[e.Offset] = f
	}
	out := map[abi.Addr]godwarf.LineEntry{}
	for _, f := range all {
		addr := f.addr
		for f.origin != 0 && (f.file == nil || f.line == 0) {
			o := all[f.origin]
			if f.file == nil {
				f.file = o.file
			}
			if f.line == 0 {
				f.line = o.line
			}
			f.origin = o.origin
		}
		if addr != 0 && f.file != nil && f.line != 0 {
			out[abi.Addr(addr)] = godwarf.LineEntry{File: f.file, Line: int(f.line)}
		}
	}
	return out
}
