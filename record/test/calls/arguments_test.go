//go:build linux

package calls

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// These tests record arguments and results in programs that print what must be recorded.

// argumentProbes returns the probes for each of the programs testdata/targets/arguments.*, by
// language.
func argumentProbes() map[string][]string {
	return map[string][]string{
		"c": {
			"/^r(u?[0-9]+|bool|char|color|pointer)$/(v) -> ...", "ints(...) -> ...", "kinds(yes, c, color, flags, code, p, s)", "thirteen(...)",
			"reals(*d, *f, *none)", "floats(n, m) -> ...", "values(p.a, p.b, q.a, q.b, q.c, q.d, q.e, m.n, b.a, b.b, b.c, last)",
			"chain(at, n->len, n->next->name, n->next->next->name, n->next->next->len, n->next->next->in.x, n->next->next->in.z[2], n->next->next->label, n->next->next->real, n->next->next->reals[1]) -> ...",
			"texts(s, t, u:str, b:buf[n], n)", "rtext(s) -> ...", "rpair(...) -> ...", "rpacked -> ...", "rbig -> (...)", "rmixed(n) -> ...",
		},
		"cpp": {
			"strings(a, b, *c, d) -> ...", "kinds(...) -> ...", "structs(p.x, p.y, r.from, r.to, b.a, b.b, b.c, o.id) -> ...",
			"over(int)(n) -> ...", "over(long)(n) -> s32", "over(char const*, unsigned int)(s, n) -> u32", "twice*(v) -> ...",
			"rstring(...) -> ...", "rview(...) -> ...", "rpoint(...) -> ...", "rrange(...) -> ...", "rbox(...) -> ...", "rcolor(...) -> ...", "rref(...) -> ...",
			"Derived::shape(this->id, this->label, this->extra, scale) -> ...", "Derived::method(this->id, this->extra, n, s) -> ...", "Derived::fixed(...) -> ...",
			"ns::deep::inside(...) -> ...",
		},
		"rs": {
			"arguments::ints(...) -> ...", "arguments::kinds(...) -> ...", "arguments::texts(...) -> ...", "arguments::owned(...) -> ...", "arguments::option -> ...",
			"arguments::pairs(p.a, p.b, n) -> ...", "arguments::rstr(...) -> ...", "arguments::rstring(...) -> ...", "arguments::rchar(...) -> ...",
			"arguments::rcolor(...) -> ...", "arguments::Point::method(self->x, self->y, self->name, n)",
		},
		"go": {
			"main.ints(...) -> ...", "main.kinds(...) -> ...", "main.slices(...) -> ...", "main.faces(...) -> ...", "main.structs(p.X, p.Y, r.id, r.name, r.at.X, r.at.Y, last) -> ...",
			"main.chain(r->id, r->next->name, r->at.Y, depth) -> ...", "main.floats(n, *p) -> ...", "main.(*record).method(r->id, n) -> ...", "main.point.byValue(p.X, p.Y, n) -> ...",
			"main.fails(...) -> ...", "main.generic*(a, n) -> ...",
		},
	}
}

// buildArguments builds one of the programs testdata/targets/arguments.*.
func buildArguments(t *testing.T, language string, compiler ...string) string {
	t.Helper()
	harness.NeedTool(t, compiler[0])
	bin := filepath.Join(t.TempDir(), "arguments")
	source := harness.Testdata(t, "targets/arguments."+language)
	if language == "go" {
		source = harness.Testdata(t, "targets/arguments/main.go")
	}
	build := exec.Command(compiler[0], append(slices.Clone(compiler[1:]), "-o", bin, source)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return bin
}

// probeFlags returns a flag -e for each probe.
func probeFlags(probes ...string) (flags []string) {
	for _, p := range probes {
		flags = append(flags, "-e", p)
	}
	return flags
}

// TestArguments: arguments and results are as the program prints them, whatever compiler built it.
func TestArguments(t *testing.T) {
	harness.NeedKernel(t)
	probes := argumentProbes()
	for _, c := range []struct {
		language string
		compiler []string
	}{
		{"c", []string{"gcc", "-g", "-w", "-O0"}},
		{"c", []string{"gcc", "-g", "-w", "-O2"}},
		{"c", []string{"gcc", "-g", "-w", "-O2", "-fcf-protection", "-gdwarf-4", "-no-pie"}},
		{"c", []string{"clang-19", "-g", "-w", "-O0"}},
		{"c", []string{"clang-19", "-g", "-w", "-O2"}},
		{"cpp", []string{"g++", "-std=c++17", "-g", "-w", "-O0"}},
		{"cpp", []string{"g++", "-std=c++17", "-g", "-w", "-O2"}},
		{"cpp", []string{"clang++-19", "-std=c++17", "-g", "-w", "-O0"}},
		{"cpp", []string{"clang++-19", "-std=c++17", "-g", "-w", "-O2"}},
		{"rs", []string{"rustc", "--edition=2021", "-Adead_code", "-g", "-Copt-level=0"}},
		{"rs", []string{"rustc", "--edition=2021", "-Adead_code", "-g", "-Copt-level=3"}},
		{"go", []string{"go", "build"}},
		{"go", []string{"go", "build", "-gcflags=-N -l"}},
	} {
		t.Run(strings.Join(c.compiler, " "), func(t *testing.T) {
			t.Parallel()
			bin := buildArguments(t, c.language, c.compiler...)
			got, _, stdout := harness.RecordFlow(t, probeFlags(probes[c.language]...), bin, "2")
			harness.WantLines(t, got, harness.Lines(stdout))
		})
	}
}

// TestArgumentsByConvention records programs without debug information: only the calling convention
// says which registers and stack slots have the arguments.
func TestArgumentsByConvention(t *testing.T) {
	harness.NeedKernel(t)
	c := []string{"ints(s8, u8, s16, u16, s32, u32, s64, u64, s8, u16, s32, s64) -> s64", "r8(u64) -> s8", "ru16(v:u64) -> u16", "r32(u64) -> s32",
		"rbool(u64) -> bool", "rchar(u64) -> char", "rtext(s:str) -> str", "rpointer(u64) -> ptr"}
	for _, c := range []struct {
		language         string
		compiler, probes []string
		want             []string // beginnings of the program's lines
	}{
		{"c", []string{"gcc", "-w", "-O0"}, c, []string{"ints(", "r8(", "ru16(", "r32(", "rbool(", "rchar(", "rtext(", "rpointer("}},
		{"c", []string{"gcc", "-w", "-O2"}, c, []string{"ints(", "r8(", "ru16(", "r32(", "rbool(", "rchar(", "rtext(", "rpointer("}},
		{"cpp", []string{"g++", "-std=c++17", "-w", "-O2"},
			[]string{"ns::deep::inside(s16) -> s16", "over(long)(n:s64) -> s32", "over(char const*, unsigned int)(str, u32) -> u32"},
			[]string{"ns::deep::inside(", "over(long)(", "over(char const*"}},
		{"rs", []string{"rustc", "--edition=2021", "-Adead_code", "-Copt-level=3"},
			[]string{"arguments::ints(s8, u8, s16, u16, s32, u32, s64, u64, s64, u64) -> s64", "arguments::rchar(u32) -> u32"},
			[]string{"arguments::ints(", "arguments::rchar("}},
		{"go", []string{"go", "build", "-ldflags=-w"},
			[]string{"main.chain(arg2:s64) -> s64", `/^main\.generic.*string/(arg2:str, arg3:s32) -> str`}, nil},
	} {
		t.Run(strings.Join(c.compiler, " "), func(t *testing.T) {
			t.Parallel()
			bin := buildArguments(t, c.language, c.compiler...)
			got, _, stdout := harness.RecordFlow(t, probeFlags(c.probes...), bin, "2")
			want := []string{"main.chain(0) = -10;", `main.generic[go.shape.string]("shape", 2) = "shape";`, "main.chain(1) = -10;", `main.generic[go.shape.string]("shape", 2) = "shape";`}
			if c.want != nil {
				want = slices.DeleteFunc(harness.Lines(stdout), func(line string) bool {
					return !slices.ContainsFunc(c.want, func(begin string) bool { return strings.HasPrefix(line, begin) })
				})
			}
			harness.WantLines(t, got, want)
		})
	}
}

// TestArgumentsOverwritten: the recorded values are those at the entry, even if the function
// changes what its arguments point to.
func TestArgumentsOverwritten(t *testing.T) {
	harness.NeedKernel(t)
	for _, flags := range []string{"-O1", "-O2", "-Os", "-O2 -fcf-protection"} {
		program := harness.Target(t, "overwrites.c", append([]string{"-g"}, strings.Fields(flags)...)...)
		got, _, stdout := harness.RecordFlow(t, probeFlags("reset(r->n)", "count(r->left)"), program)
		harness.WantLines(t, got, harness.Lines(stdout))
	}
}

// TestArgumentErrors: record and plan refuse what cannot be recorded, and give the reason.
func TestArgumentErrors(t *testing.T) {
	harness.NeedKernel(t)
	programs := map[string]string{
		"c":  buildArguments(t, "c", "gcc", "-g", "-w", "-O2"),
		"":   buildArguments(t, "c", "gcc", "-w", "-O2"),
		"go": buildArguments(t, "go", "go", "build"),
	}
	if _, err := exec.LookPath("rustc"); err == nil {
		programs["rs"] = buildArguments(t, "rs", "rustc", "--edition=2021", "-Adead_code", "-g", "-Copt-level=0")
	}
	for _, c := range []struct{ program, probe, want string }{
		{"c", "thirteen(a, b, c, d, e, f, g, h, i, j, k, l, m)", "13 arguments: at most 12"},
		{"c", "thirteen(a, b, c, d, e, f, g, h, i, j, k, l) if m == 1", "at most 12 can be fetched"},
		{"c", "floats(x)", "floating-point register"},
		{"c", "floats(y:f32)", "floating-point register"},
		{"c", "floats(x:u64)", "floating-point register"},
		{"c", "floats(x) if n == 1", "floating-point register"},
		{"c", "floats if y == 1", "floating-point"},
		{"c", "rdouble -> f64", "floating-point register"},
		{"c", "reals(none) -> s32", "returns nothing"},
		{"c", "chain(n->next->low)", "bit field"},
		{"c", "chain(n->nxt)", "next"},
		{"c", "chain(m->next)", "n"},
		{"c", "chain(n->next->next->next->next->len)", "loads"},
		{"c", "values(b)", "members"},
		{"c", "kinds(u)", "members"},
		{"c", "r8(v) if v == \"x\"", "not a text"},
		{"c", "rtext(s) if s == 1", "is a text"},
		{"c", "rtext(s) -> str if ret < 3", "is a text"},
		{"c", "rcolor(v) -> ... if ret == \"GREY\"", "GREEN"},
		{"c", "r8(v) -> s8 if ret == 128", "cannot have the value 128"},
		{"c", "r8(v) if v < 0", "never below 0"},
		{"c", "r8(v) if duration == 10", "time"},
		{"c", "r8(v) if v > 10ms", "only duration"},
		{"", "floats(f64)", "floating-point register"},
		{"", "ints(a)", "give its type"},
		{"", "ints(...)", "name the arguments"},
		{"", "ints -> ...", "give the type"},
		{"", "rtext(s->len)", "give its type"},
		{"", "r8 if ret < 0", "the type of ret is not known"},
		{"go", "main.floats(x)", "floating-point register"},
		{"go", "main.structs(r)", "members"},
		{"go", "main.chain(r->neext)", "next"},
		{"rs", "arguments::option(o)", "Option"},
		{"rs", "arguments::option(n)", "not specified"},
		{"rs", "arguments::pairs(p)", "members"},
	} {
		t.Run(c.program+" "+c.probe, func(t *testing.T) {
			t.Parallel()
			bin := programs[c.program]
			if bin == "" {
				t.Skip("no compiler")
			}
			trace := filepath.Join(t.TempDir(), "trace.arrow")
			for _, args := range [][]string{{"plan", "-e", c.probe, bin}, {"record", "--no-follow", "-o", trace, "-e", c.probe, "--", bin, "0"}} {
				_, stderr, status := harness.Utrace(t, args...)
				if status == 0 || !strings.Contains(stderr, c.want) {
					t.Errorf("%s: status %d, want %q\n%s", args[0], status, c.want, stderr)
				}
			}
		})
	}
}
