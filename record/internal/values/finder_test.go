//go:build linux

package values

import (
	"debug/elf"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/bpf"
	"utrace/record/internal/dwarf"
	"utrace/record/internal/elffile"
	"utrace/record/internal/elftest"
	"utrace/record/internal/probe"
)

// FuzzBind binds the values of a probe to functions of C and C++, with debug information and
// without. It gives an error, or what the BPF side can do.
func FuzzBind(f *testing.F) {
	for _, text := range []string{
		"(...) -> ...", "(a, b:u8) -> s32 if ret < 0", "(n:str, x:buf[arg2], arg3:f64)", `(this->x, *p, a.b[2]) if a->b != 0 && !(duration > 1ms)`,
		`(s) -> str if s =~ "x*" || ret == "y" || comm == "z"`, "if arg1 == arg2", "(a:str[4095])", "(arg13:u8)", "-> buf[3]", "() -> ", "(a->) if a",
		"if pid", "(x:buf[x])", "if arg0 == 1", "(x:buf[arg0])", "if arg99999999999999999999 == 1",
		"if " + "a==1||a==2||a==3||a==4||a==5||a==6||a==7||a==8||a==9||a==10||a==11||a==12||a==13||a==14||a==15||a==16||a==17",
	} {
		f.Add(text, true)
		f.Add(text, false)
	}
	var finders []*Finder
	for _, path := range []string{"../../../testdata/elf/pie.elf", "../../../testdata/elf/cxx.elf"} {
		file, err := elffile.Open(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() { file.Close() })
		funcs, err := file.Funcs()
		if err != nil {
			f.Fatal(err)
		}
		for _, fn := range funcs {
			vf := &Finder{File: file, Func: fn, Site: fn.Addr}
			if debug, err := vf.debugInfo(); err == nil && len(debug.Params) > 0 {
				finders = append(finders, vf, &Finder{File: file, Func: fn, Site: fn.Addr, read: true, debugErr: dwarf.ErrNoDWARF})
			}
		}
	}
	if len(finders) < 4 {
		f.Fatalf("%d functions", len(finders))
	}
	f.Fuzz(func(t *testing.T, text string, returns bool) {
		p, err := probe.Parse("f" + text)
		if err != nil || p.USDT != nil {
			return
		}
		for _, vf := range finders {
			b, err := vf.Bind(&p.Values, returns, time.Millisecond)
			if err != nil {
				continue
			}
			checkConds(t, text, b.conds, len(b.Args), len(b.Results))
			for _, flags := range []bpf.SiteFlags{0, bpf.SiteDeferred} {
				entry, exit := b.Sites(bpf.Site{Flags: flags}, vf.Site, elf.EM_X86_64)
				for _, site := range []*bpf.Site{entry, exit} {
					if site != nil && (int(site.NumArgs) > bpf.MaxArgs || int(site.NumConds) > bpf.MaxConds) {
						t.Fatalf("%q: %d values, %d comparisons", text, site.NumArgs, site.NumConds)
					}
				}
			}
		}
	})
}

// TestArgumentZero checks that there is no argument 0, with debug information or without.
func TestArgumentZero(t *testing.T) {
	file := &elffile.File{Machine: elf.EM_X86_64}
	with := &dwarf.Signature{Params: []dwarf.Value{{Name: "x", Kind: dwarf.Pointer}}}
	for _, vf := range []*Finder{{File: file, read: true, debugErr: dwarf.ErrNoDWARF}, {File: file, read: true, debug: with}} {
		for _, text := range []string{"f if arg0 == 1", "f if arg00 == 1", "f(x:buf[arg0])", "f if arg99999999999999999999 == 1"} {
			p, err := probe.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = vf.Bind(&p.Values, true, 0); err == nil || !strings.Contains(err.Error(), "the arguments are arg1, arg2 and so on") {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

// TestMembersAdvice checks that what the error about a struct or an array advises can be recorded.
func TestMembersAdvice(t *testing.T) {
	source := filepath.Join(t.TempDir(), "s.c")
	text := "struct in { int x; }; struct s { int c[3]; struct in m; struct in l[2]; };\n" +
		"int f(struct s *s) { return s->c[0] + s->m.x + s->l[1].x; }\nint main(int n, char **a) { (void)a; struct s s = {{n}, {n}, {{n}}}; return f(&s); }\n"
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := elffile.Open(elftest.Build(t, "gcc", "-g", "-O0", source))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	funcs, err := file.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(funcs, func(fn elffile.Func) bool { return fn.Name == "f" })
	bind := func(path string) error {
		p, err := probe.Parse("f(" + path + ")")
		if err != nil {
			t.Fatal(err)
		}
		vf := &Finder{File: file, Func: funcs[at], Site: funcs[at].Addr}
		_, err = vf.Bind(&p.Values, true, 0)
		return err
	}
	for path, want := range map[string]string{"s->c": "record its elements, as in s->c[0]", "s->l[1]": "record its members, as in s->l[1].NAME", "s->m": "record its members, as in s->m.NAME"} {
		err := bind(path)
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
			continue
		}
		_, advised, _ := strings.Cut(want, "as in ")
		if err := bind(strings.Replace(advised, "NAME", "x", 1)); err != nil {
			t.Errorf("%s is advised: %v", advised, err)
		}
	}
}
