//go:build linux

package elffile

import (
	"os"
	"path/filepath"
	"testing"
)

// operator new of jemalloc imports std::__throw_system_error. That must not count as exceptions in
// every program that uses jemalloc.
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

// Threads that end early unwind through destructors and cleanup handlers, where there are any.
func TestCancellation(t *testing.T) {
	libc := []string{"libc.so.6"}
	for _, c := range []struct {
		name             string
		imports, defined []string
		needed           []string
		throws, cancels  bool
	}{
		{"C", []string{"pthread_cancel"}, nil, libc, false, true},
		{"C with handlers", []string{"pthread_cancel", "__gcc_personality_v0"}, nil, libc, true, true},
		{"C++ with destructors", []string{"pthread_cancel", "__gxx_personality_v0"}, nil, libc, true, true},
		{"C++ whose threads leave", []string{"pthread_exit", "__gxx_personality_v0"}, nil, libc, true, false},
		{"C++ without threads", []string{"__gxx_personality_v0"}, nil, libc, false, false},
		{"static program with threads", nil, []string{"pthread_cancel"}, nil, false, true},
		{"libpthread of older glibc", nil, []string{"pthread_cancel"}, libc, false, false},
	} {
		table := &symbolTable{imports: map[string]bool{}}
		for _, name := range c.imports {
			table.imports[name] = true
		}
		for _, name := range c.defined {
			table.defined = append(table.defined, symbol{name: name})
		}
		f := &File{Needed: c.needed, symbols: func() (*symbolTable, error) { return table, nil }, imports: func() map[string]bool { return table.imports }}
		if why, ok := f.Throws(); ok != c.throws {
			t.Errorf("%s: Throws: %q, %v", c.name, why, ok)
		}
		if why, ok := f.Cancels(); ok != c.cancels {
			t.Errorf("%s: Cancels: %q, %v", c.name, why, ok)
		}
	}
}
