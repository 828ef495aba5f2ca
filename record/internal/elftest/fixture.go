package elftest

import (
	"os"
	"path/filepath"
	"testing"
)

// Dir has the fixtures: NAME.elf, and the output of nm and readelf for each. SplitDir has stripped
// fixtures with separate debug files. Both paths are relative to a package in record/internal.
const (
	Dir      = "../../../testdata/elf"
	SplitDir = Dir + "/split"
)

// Fixtures returns the paths of all committed ELF files.
func Fixtures(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(Dir, "*.elf"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures in %s: %v", Dir, err)
	}
	return paths
}

// RealFiles returns files that the machine may have: tests check that they exist. It returns none
// with -short.
func RealFiles() []string {
	if testing.Short() {
		return nil
	}
	return []string{
		"/lib/x86_64-linux-gnu/libc.so.6",
		"/lib/x86_64-linux-gnu/libcrypto.so.3",
		"/lib/x86_64-linux-gnu/libstdc++.so.6",
		"/lib/x86_64-linux-gnu/libm.so.6",
		"/lib/x86_64-linux-gnu/libz.so.1",
		"/usr/bin/python3.11",
	}
}

// WriteFile writes a file for a test.
func WriteFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
