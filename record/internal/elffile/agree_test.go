//go:build linux && amd64

package elffile

import (
	"fmt"
	"strings"
	"testing"
)

// In optimised code compilers say where a parameter is when its function is entered: the calling conventions must say the same. It
// returns how many places were compared, and the first differences.
func conventionAgrees(t *testing.T, f *File) (same, unknown int, differ []string) {
	t.Helper()
	funcs, err := f.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	d, err := f.types()
	if err != nil {
		t.Fatal(err)
	}
	for _, fn := range funcs {
		found, _ := d.function(fn.Addr)
		if len(found) == 0 {
			continue
		}
		w := &walk{debugInfo: d}
		e, ok := w.chooseDIE(found, fn)
		if !ok {
			continue
		}
		function := w.function(e, fn.Name)
		conv := w.convention(function)
		if conv.why != "" || w.doubt(function, fn) != "" {
			continue
		}
		places, _ := conv.assign(function)
		for i, p := range function.params {
			size := w.typeOf(p.typ).size
			where, exact := w.entryPlace(function, p, size, fn, fn.Addr)
			if p.entry.hasConst && !p.entry.hasLocation || len(where) == 0 || size == 0 || !exact {
				continue
			}
			for off := uint64(0); off < size && off < 32; off += 8 {
				n := uint64(8)
				for off+n > size {
					n /= 2
				}
				want, why := where.operand(off, n, false)
				if why != "" {
					continue
				}
				got, why := places[i].operand(off, n, false)
				switch {
				case why != "":
					unknown++
				case fmt.Sprint(got) == fmt.Sprint(want):
					same++
				case want.Kind == Constant || want.Kind == AddressOf && want.Relative: // known without being passed
				default:
					differ = append(differ, fmt.Sprintf("%s %s +%d (%s): %d %d %d %v, want %d %d %d %v", fn.Name, p.name, off, w.typeName(p.typ), got.Kind, got.Base, got.Disp, got.Derefs, want.Kind, want.Base, want.Disp, want.Derefs))
				}
			}
		}
	}
	return same, unknown, differ
}

func TestConventionsAgree(t *testing.T) {
	for _, c := range []string{
		"gcc -g -O2 testdata/values.c", "clang-19 -g -O2 testdata/values.c", "g++ -g -O2 testdata/values.cc", "clang++-19 -g -O2 testdata/values.cc",
		"rustc -g -O testdata/values.rs", "go build testdata/values.go",
	} {
		t.Run(c, func(t *testing.T) {
			same, unknown, differ := conventionAgrees(t, open(t, build(t, strings.Fields(c)...)))
			t.Logf("%d agree, %d known to the compiler only", same, unknown)
			// The lists of compilers are wrong at times: Go 1.26 has one parameter in a register that another one is in.
			if len(differ)*500 > same {
				t.Errorf("%d differ, as %s", len(differ), strings.Join(differ[:min(len(differ), 10)], "\n"))
			}
		})
	}
}

func TestLibcAgrees(t *testing.T) {
	const path = "/lib/x86_64-linux-gnu/libc.so.6"
	f, err := Open(path)
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	if _, err := f.types(); err != nil {
		t.Skip(err)
	}
	same, unknown, differ := conventionAgrees(t, f)
	t.Logf("%d agree, %d known to the compiler only", same, unknown)
	if len(differ)*500 > same {
		t.Errorf("%d differ, as %s", len(differ), strings.Join(differ[:min(len(differ), 20)], "\n"))
	}
}
