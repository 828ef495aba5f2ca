package elffile

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/demangle"
	"utrace/record/internal/elftest"
)

// The names at each address, their sizes and source files are as readelf prints them.
func TestFuncsAgreeWithReadelf(t *testing.T) {
	for _, path := range elftest.Fixtures(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			want := map[abi.Addr][]symbolFact{}
			for _, s := range readFacts(t, path).funcs {
				want[s.addr] = append(want[s.addr], s)
			}
			f := open(t, path)
			funcs, err := f.Funcs()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.IsSortedFunc(funcs, func(a, b Func) int { return cmp.Compare(a.Addr, b.Addr) }) {
				t.Error("not sorted")
			}
			for _, fn := range slices.Concat(funcs, f.IFuncs()) {
				if fn.Recovered {
					continue
				}
				names := append([]string{fn.Name}, fn.Aliases...)
				size := uint64(0)
				file := false
				for _, s := range want[fn.Addr] {
					if !slices.Contains(names, s.name) {
						t.Errorf("%#x: readelf has %s, we have %v", fn.Addr, s.name, names)
					}
					size = max(size, s.size)
					file = file || s.file == fn.SourceFile
				}
				if len(want[fn.Addr]) == 0 {
					t.Errorf("readelf has no %s at %#x", fn.Name, fn.Addr)
				}
				if fn.SizeGuessed != (size == 0) || size != 0 && fn.Size != size {
					t.Errorf("%s: size %d (guessed %v), readelf says %d", fn.Name, fn.Size, fn.SizeGuessed, size)
				}
				if fn.Size == 0 {
					t.Errorf("%s: no size", fn.Name)
				}
				if !file {
					t.Errorf("%s: source file %q is none of readelf's %v", fn.Name, fn.SourceFile, want[fn.Addr])
				}
				delete(want, fn.Addr)
			}
			for a, s := range want {
				t.Errorf("%#x: %v is missing", a, s)
			}
		})
	}
}

// Every function is code in the output of nm.
func TestFuncsAgreeWithNM(t *testing.T) {
	for _, path := range elftest.Fixtures(t) {
		b, err := os.ReadFile(strings.TrimSuffix(path, ".elf") + ".nm")
		if err != nil {
			t.Fatal(err)
		}
		code := map[string]bool{}
		for line := range strings.Lines(string(b)) {
			word := strings.Fields(line)
			name, _, _ := strings.Cut(word[2], "@")
			code[strings.TrimLeft(word[0], "0")+" "+name] = true
		}
		f := open(t, path)
		funcs, err := f.Funcs()
		if err != nil {
			t.Fatal(err)
		}
		for _, fn := range funcs {
			if !fn.Recovered && !code[hexAddr(fn.Addr)+" "+fn.Name] {
				t.Errorf("%s: nm has no code %s at %#x", path, fn.Name, fn.Addr)
			}
		}
	}
}

func find(t testing.TB, f *File, name string) []Func {
	t.Helper()
	funcs, err := f.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	var out []Func
	for _, fn := range funcs {
		if fn.Name == name || demangle.Short(fn.Name) == name {
			out = append(out, fn)
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s: no %s", f.Path, name)
	}
	return out
}

func TestFuncNames(t *testing.T) {
	for _, name := range []string{"pie", "nopie", "cet", "clang", "arm64"} {
		f := fixture(t, name)
		var files []string
		for _, fn := range find(t, f, "helper") {
			files = append(files, fn.SourceFile)
			if fn.Global {
				t.Errorf("%s: static helper is global", name)
			}
		}
		slices.Sort(files)
		if !slices.Equal(files, []string{"first.c", "second.c"}) {
			t.Errorf("%s: the static functions helper are in %v", name, files)
		}
		fn := find(t, f, "original")[0]
		if !slices.Equal(fn.Aliases, []string{"_alias", "weak_alias"}) || !fn.Global || fn.SourceFile != "" {
			t.Errorf("%s: %+v", name, fn)
		}
		if i := f.IFuncs(); len(i) != 1 || i[0].Name != "scale" {
			t.Errorf("%s: indirect functions %+v", name, i)
		}
		if f.Stripped() || !f.HasSymtab() {
			t.Errorf("%s is not stripped", name)
		}
		if got, ok := f.FuncAt(fn.Addr + abi.Addr(fn.Size) - 1); !ok || got.Addr != fn.Addr {
			t.Errorf("%s: FuncAt its last byte: %v, %v", name, got, ok)
		}
	}
	if f := fixture(t, "stripped"); !f.Stripped() {
		t.Error("stripped.elf is stripped")
	} else if _, ok := f.Imports("nothing", "abort"); !ok {
		t.Error("stripped.elf imports abort")
	}
}

func TestPreference(t *testing.T) {
	f := fixture(t, "pie")
	at := uint64(find(t, f, "original")[0].Addr)
	table := &symbolTable{files: []string{"", "a.c"}}
	for _, c := range []struct {
		want  string
		binds string // g, w, l for each name
		names []string
	}{
		{"b", "lg", []string{"a", "b"}},
		{"b", "lw", []string{"a", "b"}},
		{"b", "wg", []string{"a", "b"}},
		{"printf", "ggg", []string{"_IO_printf", "printf", "__printf"}},
		{"open", "gg", []string{"open64", "open"}},
		{"a", "gg", []string{"b", "a"}},
	} {
		var syms []symbol
		for i, n := range c.names {
			bind := map[byte]int{'l': 0, 'g': 1, 'w': 2}[c.binds[i]]
			syms = append(syms, symbol{name: n, addr: at, size: 1, bind: elfBind(bind)})
		}
		slices.SortFunc(syms, cmpPreference)
		if fn, _ := f.newFunc(table, syms, at+1); fn.Name != c.want || len(fn.Aliases) != len(c.names)-1 {
			t.Errorf("%v: %s and %v, want %s", c.names, fn.Name, fn.Aliases, c.want)
		}
	}
}
