package dwarf_test

import (
	"path/filepath"
	"testing"

	"utrace/record/internal/demangle"
	"utrace/record/internal/elffile"
	"utrace/record/internal/elftest"
)

// open opens a file and closes it with the test.
func open(t testing.TB, path string) *elffile.File {
	t.Helper()
	f, err := elffile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func fixture(t testing.TB, name string) *elffile.File {
	t.Helper()
	return open(t, filepath.Join(elftest.Dir, name+".elf"))
}

// find returns the functions with a name.
func find(t testing.TB, f *elffile.File, name string) []elffile.Func {
	t.Helper()
	funcs, err := f.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	var out []elffile.Func
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
