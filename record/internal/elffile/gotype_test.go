package elffile

import (
	"errors"
	"path/filepath"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/elftest"
)

// Without symbols and DWARF, a Go program still has the names of its types, at the same addresses.
func TestGoTypeNamesOfStrippedProgram(t *testing.T) {
	for _, flags := range [][]string{nil, {"-buildmode=pie"}} {
		full, bare := elftest.BuildGo(t, false, flags...)
		for _, path := range []string{full, bare} {
			f := open(t, path)
			types, err := f.goTypes()
			if err != nil {
				t.Fatal(err)
			}
			known := map[string]bool{}
			for a := types.start; a < types.end; a += 8 {
				if name, err := f.GoTypeName(abi.Addr(a)); err == nil {
					known[name] = true
				}
			}
			for _, name := range []string{"*runtime.TypeAssertionError", "error", "*os.File", "[]uint8"} {
				if !known[name] {
					t.Errorf("%v %s: %d types, not %s", flags, filepath.Base(path), len(known), name)
				}
			}
			for _, a := range []abi.Addr{0, abi.Addr(types.start), abi.Addr(types.end) - 8, f.Entry, 1 << 60} {
				if name, err := f.GoTypeName(a); !errors.Is(err, ErrNoGoType) && a != abi.Addr(types.start) {
					t.Errorf("at %#x: %q, %v", uint64(a), name, err)
				}
			}
		}
	}
	if _, err := fixture(t, "pie").GoTypeName(0x1000); !errors.Is(err, ErrNoGoType) {
		t.Errorf("of a C program: %v", err)
	}
}
