//go:build linux && amd64

package dwarf_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/dwarf"
	"utrace/record/internal/elffile"
	"utrace/record/internal/elftest"
)

// signatureOf returns the signature of the function with a name.
func signatureOf(t *testing.T, f *elffile.File, name string) (*dwarf.Signature, error) {
	t.Helper()
	funcs, err := f.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	for _, fn := range funcs {
		if fn.Name == name {
			return f.Signature(fn, fn.Addr)
		}
	}
	t.Fatalf("no function %s", name)
	return nil, nil
}

func describeSignature(s *dwarf.Signature) string {
	var b strings.Builder
	for i, v := range append(s.Params, s.Results...) {
		if i == len(s.Params) {
			b.WriteString("-> ")
		}
		b.WriteString(v.TypeName + " " + v.Name + " " + v.Kind.String())
		if v.Why != "" {
			b.WriteString(" (" + v.Why + ")")
		}
		b.WriteString("; ")
	}
	return b.String()
}

const (
	smallWalk = "struct node * n pointer; mixed m aggregate; struct node by_value aggregate; const char * text cstring; char last char; -> int  int; "
	smallMake = "unsigned char a int; long long int b int; int * list pointer; enum color (*)() f pointer; -> mixed  aggregate; "
)

// The signature is the same in every form of debugging information.
func TestSignatureForms(t *testing.T) {
	run := func(dir string, command ...string) {
		t.Helper()
		if _, err := exec.LookPath(command[0]); err != nil {
			t.Skip("needs " + command[0])
		}
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	source, err := filepath.Abs("testdata/small.c")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, flags, after string }{
		{"DWARF 5", "-g", ""},
		{"DWARF 4", "-g -gdwarf-4", ""},
		{"DWARF 3", "-g -gdwarf-3 -gstrict-dwarf", ""},
		{"optimised, DWARF 3", "-g -O2 -gdwarf-3 -gstrict-dwarf", ""},
		{"64-bit DWARF", "-g -gdwarf64 -O2", ""},
		{"compressed", "-g -gz -O2", ""},
		{"type units", "-g -gdwarf-4 -fdebug-types-section -O2", ""},
		{"type units of DWARF 5", "-g -fdebug-types-section -O2", ""},
		{"link-time optimisation", "-g -O2 -flto", ""},
		{"separate", "-g", "objcopy --only-keep-debug prog prog.debug; strip prog; objcopy --add-gnu-debuglink prog.debug prog"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			run(dir, append(strings.Fields("gcc -o prog -rdynamic "+c.flags), source)...)
			for _, command := range strings.Split(c.after, ";") {
				if command != "" {
					run(dir, strings.Fields(command)...)
				}
			}
			f := open(t, filepath.Join(dir, "prog"))
			for name, want := range map[string]string{"walk": smallWalk, "make": smallMake} {
				s, err := signatureOf(t, f, name)
				if err != nil {
					t.Fatal(err)
				}
				if got := describeSignature(s); got != want {
					t.Errorf("%s:\n got %s\nwant %s", name, got, want)
				}
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		dir := t.TempDir()
		run(dir, "gcc", "-o", "prog", source)
		if s, err := signatureOf(t, open(t, filepath.Join(dir, "prog")), "walk"); !errors.Is(err, dwarf.ErrNoDWARF) {
			t.Errorf("%v, %v", s, err)
		}
	})
	t.Run("split", func(t *testing.T) {
		dir := t.TempDir()
		run(dir, "gcc", "-g", "-gsplit-dwarf", "-o", "prog", source)
		if s, err := signatureOf(t, open(t, filepath.Join(dir, "prog")), "walk"); !errors.Is(err, dwarf.ErrNoDWARF) || !strings.Contains(err.Error(), ".dwo, which is not read") {
			t.Errorf("%v, %v", s, err)
		}
	})
}

// The expected values follow the standard of aarch64's convention.
func TestSignatureArm64(t *testing.T) {
	linker, err := exec.LookPath("ld.lld")
	if err != nil {
		root, _ := exec.Command("rustc", "--print", "sysroot").Output()
		found, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "lib/rustlib/*/bin/gcc-ld/ld.lld"))
		if len(found) == 0 {
			t.Skip("needs ld.lld")
		}
		linker = found[0]
	}
	const x0, sp = abi.Register(0), abi.SPARM64
	vector := dwarf.Value{Why: "it is in a floating-point register, which a probe cannot read"}
	in := func(r abi.Register, shift uint8) dwarf.Value {
		return dwarf.Value{At: abi.Operand{Kind: abi.InRegister, Base: r, Shift: shift}}
	}
	at := func(r abi.Register, disp int64) dwarf.Value {
		return dwarf.Value{At: abi.Operand{Kind: abi.InMemory, Base: r, Disp: disp}}
	}
	for _, optimisation := range []string{"-O0", "-O2"} {
		path := elftest.Build(t, "clang-19", "--target=aarch64-linux-gnu", "-fPIC", "-g", optimisation, "-ffreestanding", "-nostdlib", "-shared", "--ld-path="+linker, "testdata/aapcs.c")
		f := open(t, path)
		for _, c := range []struct {
			function, path string
			want           dwarf.Value
		}{
			{"mixed", "a", in(x0, 0)}, {"mixed", "b", in(x0+1, 0)}, {"mixed", "p.a", in(x0+2, 0)}, {"mixed", "p.b", in(x0+2, 32)}, {"mixed", "t.a", in(x0+3, 0)}, {"mixed", "t.b", in(x0+4, 0)},
			{"mixed", "g.c", at(x0+5, 16)}, {"mixed", "d", vector}, {"mixed", "h.y", vector}, {"mixed", "last", at(sp, 0)}, {"mixed", "onstack", at(sp, 8)}, {"mixed", "t2.b", at(sp, 24)}, {"mixed", "ret", in(x0, 0)},
			{"registers", "p->b", at(x0, 8)}, {"registers", "q->y", at(x0+1, 4)}, {"registers", "n", in(x0+2, 0)}, {"registers", "ret.b", in(x0+1, 0)},
			{"memory", "m", in(x0+1, 0)}, {"memory", "ret.a", dwarf.Value{Why: "it is in memory whose address is no longer in a register"}},
			{"wide", "b", in(x0+4, 0)}, {"wide", "e", in(x0+7, 0)}, {"wide", "f", at(sp, 0)}, {"wide", "h", at(sp, 16)},
		} {
			s, err := signatureOf(t, f, c.function)
			if err != nil {
				t.Fatal(err)
			}
			name, member, dot := strings.Cut(c.path, ".")
			if !dot {
				name, member, _ = strings.Cut(c.path, "->")
			}
			v := s.Results[0]
			if name != "ret" {
				if v, err = s.Find(name); err != nil {
					t.Fatal(err)
				}
			}
			if member != "" {
				if v, err = v.Member("." + member); err != nil {
					t.Fatal(err)
				}
			}
			if v.Why != c.want.Why || v.At.Kind != c.want.At.Kind || v.Why == "" && (v.At.Base != c.want.At.Base || v.At.Disp != c.want.At.Disp || v.At.Shift != c.want.At.Shift) {
				t.Errorf("%s %s %s: %q %+v, want %q %+v", optimisation, c.function, c.path, v.Why, v.At, c.want.Why, c.want.At)
			}
		}
	}
}

// A type that is only declared where it is used is found where it is defined.
func TestSignatureOfDeclaredTypes(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{
		"main.cc": "namespace app { struct hidden; struct outer { struct inner; }; }\nstruct hidden;\nextern \"C\" int use(app::hidden *h, app::outer::inner *i, struct hidden *other, struct nowhere *n);\n" +
			"__attribute__((noinline)) int use(app::hidden *h, app::outer::inner *i, hidden *other, nowhere *n) { return h && i && other && n; }\nint main() { return use(0, 0, 0, 0); }\n",
		"other.cc": "struct hidden { int wrong; } one;\nnamespace app { struct hidden { long pad; int port; } two; struct outer { struct inner { char c; }; }; outer::inner three; }\n",
	}
	args := []string{"-g", "-std=c++17"}
	for name, text := range files {
		elftest.WriteFile(t, filepath.Join(dir, name), text)
		args = append(args, filepath.Join(dir, name))
	}
	f := open(t, elftest.Build(t, append([]string{"g++"}, args...)...))
	s, err := signatureOf(t, f, "use")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"h->port": "", "i->c": "", "other->wrong": "",
		"h->wrong": `no such member: hidden has no member "wrong"; it has pad, port`,
		"n->x":     "no such member \"x\": n has no known members: the debugging information does not say what is in its type",
	} {
		name, member, _ := strings.Cut(path, "->")
		v, err := s.Find(name)
		if err == nil {
			v, err = v.Member("->" + member)
		}
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %+v, %v", path, v.At, err)
		}
		if path == "h->port" && v.At.Disp != 8 {
			t.Errorf("%s: %+v", path, v.At)
		}
	}
}
