//go:build linux

package target

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAllocatorThrows: operator new of jemalloc imports std::__throw_system_error, and
// must not make every program that uses jemalloc one with exceptions.
func TestAllocatorThrows(t *testing.T) {
	paths, _ := filepath.Glob("/usr/lib/*/libjemalloc.so.2")
	if len(paths) == 0 {
		t.Skipf("needs libjemalloc: %v", os.ErrNotExist)
	}
	f, err := Open(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if why, ok := f.Throws(); ok {
		t.Errorf("%s throws: %s", paths[0], why)
	}
}
