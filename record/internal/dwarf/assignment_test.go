//go:build linux && amd64

package dwarf_test

import (
	"strings"
	"testing"

	"utrace/record/internal/dwarf"
	"utrace/record/internal/elffile"
	"utrace/record/internal/elftest"
)

func TestConventionsAgree(t *testing.T) {
	for _, c := range []string{
		"gcc -g -O2 testdata/values.c", "clang-19 -g -O2 testdata/values.c", "g++ -g -O2 testdata/values.cc", "clang++-19 -g -O2 testdata/values.cc",
		"rustc -g -O testdata/values.rs", "go build testdata/values.go",
	} {
		t.Run(c, func(t *testing.T) {
			same, unknown, differ := conventionAgrees(t, open(t, elftest.Build(t, strings.Fields(c)...)))
			t.Logf("%d agree, %d known to the compiler only", same, unknown)
			// Compilers' lists are wrong at times: Go 1.26 gives two parameters the same register.
			if len(differ)*500 > same {
				t.Errorf("%d differ, as %s", len(differ), strings.Join(differ[:min(len(differ), 10)], "\n"))
			}
		})
	}
}

func TestLibcAgrees(t *testing.T) {
	const path = "/lib/x86_64-linux-gnu/libc.so.6"
	f, err := elffile.Open(path)
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	if _, err := f.DebugInfo(); err != nil {
		t.Skip(err)
	}
	same, unknown, differ := conventionAgrees(t, f)
	t.Logf("%d agree, %d known to the compiler only", same, unknown)
	if len(differ)*500 > same {
		t.Errorf("%d differ, as %s", len(differ), strings.Join(differ[:min(len(differ), 20)], "\n"))
	}
}

// conventionAgrees compares the calling conventions with what compilers say in optimised code:
// where a parameter is when its function is entered. It returns how many locations are the same,
// how many only the compiler knows, and which differ.
func conventionAgrees(t *testing.T, f *elffile.File) (same, unknown int, differ []string) {
	t.Helper()
	funcs, err := f.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	d, err := f.DebugInfo()
	if err != nil {
		t.Fatal(err)
	}
	for _, fn := range funcs {
		s, u, list := d.CompareConvention(dwarf.Function{Addr: fn.Addr, Name: fn.Name, Aliases: fn.Aliases})
		same, unknown, differ = same+s, unknown+u, append(differ, list...)
	}
	return same, unknown, differ
}
