package elffile

import (
	"debug/elf"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

const elfDir = "../../../testdata/elf"

// fixtures returns the paths of all committed ELF files.
func fixtures(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(elfDir, "*.elf"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures in %s: %v", elfDir, err)
	}
	return paths
}

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
	return open(t, filepath.Join(elfDir, name+".elf"))
}

func hexAddr(a Addr) string { return strconv.FormatUint(uint64(a), 16) }

func elfBind(n int) elf.SymBind { return elf.SymBind(n) }

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
