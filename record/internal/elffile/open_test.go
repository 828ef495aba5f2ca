package elffile

import (
	"debug/elf"
	"path/filepath"
	"strconv"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/elftest"
)

// open opens a file and closes it with the test.
func open(t testing.TB, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func fixture(t testing.TB, name string) *File {
	t.Helper()
	return open(t, filepath.Join(elftest.Dir, name+".elf"))
}

func hexAddr(a abi.Addr) string { return strconv.FormatUint(uint64(a), 16) }

func elfBind(n int) elf.SymBind { return elf.SymBind(n) }
