//go:build linux

package record

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
)

func TestParseProbe(t *testing.T) {
	for _, c := range []struct {
		text            string
		path, lib, name string // name is one that it must match
		delta           uint64
		addr            abi.Addr
		exclude         bool
	}{
		{text: "main", name: "main"},
		{text: "*", name: "anything"},
		{text: "!main.hot*", name: "main.hotter", exclude: true},
		{text: "c:getaddrinfo", lib: "c", name: "getaddrinfo"},
		{text: "libfoo.so.1:bar", lib: "libfoo.so.1", name: "bar"},
		{text: "/usr/lib/libc.so.6:mall*", path: "/usr/lib/libc.so.6", name: "malloc"},
		{text: "/usr//lib/../lib/libc.so.6:malloc", path: "/usr/lib/libc.so.6", name: "malloc"},
		{text: "uprobe:/bin/bash:readline", path: "/bin/bash", name: "readline"},
		{text: "uretprobe:libc:free", lib: "libc", name: "free"},
		{text: "u:c:free", lib: "c", name: "free"},
		{text: "/^SSL_(read|write)$/", name: "SSL_write"},
		{text: "ssl:/^SSL_/", lib: "ssl", name: "SSL_new"},
		{text: "/opt/x/libssl.so:/^SSL_/", path: "/opt/x/libssl.so", name: "SSL_new"},
		{text: "/std::.*/", name: "std::sort"},
		{text: "ns::Class::method", name: "ns::Class::method"},
		{text: "::global", name: "::global"},
		{text: "libx.so:ns::f", lib: "libx.so", name: "ns::f"},
		{text: "operator[]", name: "operator[]"},
		{text: "f[!0-9]", name: "fx"},
		{text: "work+0x10", name: "work", delta: 16},
		{text: "work+12", name: "work", delta: 12},
		{text: "operator+", name: "operator+"},
		{text: ":0x1234", addr: 0x1234},
		{text: "/bin/app:0x4a10", path: "/bin/app", addr: 0x4a10},
		{text: "c:0xff", lib: "c", addr: 0xff},
	} {
		p, err := ParseProbe(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if p.Path != c.path || p.Lib != c.lib || p.delta != c.delta || p.Exclude != c.exclude {
			t.Errorf("%s: %+v", c.text, p)
		}
		if c.addr != 0 {
			if p.addr == nil || *p.addr != c.addr {
				t.Errorf("%s: address %v", c.text, p.addr)
			}
		} else if !p.pattern.matchString(c.name) {
			t.Errorf("%s does not match %s", c.text, c.name)
		}
	}
}

func TestParseProbeErrors(t *testing.T) {
	for _, text := range []string{"", "!", " ", "c:", "/bin/x:", "c:0x", "c:0xzz", "/(/", "f[z-a]", "f+0xfffffffff", "f(x:u33) -> s32", "f(x:u32) ->", "f if x >", "f if", "f(x:u32", "f+4(x:u32)", "f+4 -> s32", "f+0x10 if pid == 3", "!f(x:u32)", "f -> buf[n]", "f if x > 3 3", "a => b"} {
		if p, err := ParseProbe(text); !errors.Is(err, ErrSyntax) || !errors.Is(err, ErrProbe) {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
	}
}

// TestInstructionsHaveNoValues: what stands behind an instruction is not ignored, but refused, with the place in the text.
func TestInstructionsHaveNoValues(t *testing.T) {
	path, err := filepath.Abs("../testdata/elf/pie.elf")
	if err != nil {
		t.Fatal(err)
	}
	const main, inside = ":0x720", ":0x722"
	for _, c := range []struct {
		probe  string
		slower time.Duration
		want   string // in the error; "": there is none
		is     error
	}{
		{probe: inside},
		{probe: ":main+2"},
		{probe: main + "(x:s32) if x == 1"},
		{probe: main, slower: time.Millisecond},
		{probe: inside + "(x:s32)", want: `"(x:s32)": no function begins at 0x722`, is: ErrProbe},
		{probe: inside + "(x:s32) -> s32 if pid == 3", want: `"(x:s32) -> s32 if pid == 3": no function begins`, is: ErrProbe},
		{probe: inside + " if pid == 3", want: `"if pid == 3": no function begins`, is: ErrProbe},
		{probe: ":main+2 if pid == 3", want: `"if pid == 3": an instruction is given`, is: ErrSyntax},
		{probe: ":main+2", slower: time.Millisecond, want: "--slower-than", is: ErrLate},
		{probe: inside, slower: time.Millisecond, want: "--slower-than", is: ErrLate},
	} {
		plan, err := NewPlan(Config{Probes: []string{path + c.probe}, SlowerThan: c.slower})
		switch {
		case err == nil:
			if plan.Close(); plan.Funcs() != 1 || c.want != "" {
				t.Errorf("%s: %d functions, %d left out, want %q", c.probe, plan.Funcs(), len(plan.LeftOut), c.want)
			}
		case c.want == "" || !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: %v, want %q", c.probe, err, c.want)
		}
	}
}

func TestMatchNames(t *testing.T) {
	cxx := elffile.Func{Name: "_ZN2ns5Class6methodEid", Aliases: []string{"_ZN2ns5Class5aliasEv"}}
	tagged := elffile.Func{Name: "_Z7rstringB5cxx11i"} // returns a std::string
	rust := elffile.Func{Name: "_ZN4core3fmt5write17h0123456789abcdefE"}
	for _, c := range []struct {
		fn   elffile.Func
		text string
		want bool
	}{
		{cxx, "_ZN2ns5Class6methodEid", true},
		{cxx, "ns::Class::method", true},
		{cxx, "ns::Class::method(int, double)", true},
		{cxx, "ns::Class::*", true},
		{cxx, "ns::Class::alias", true},
		{cxx, "method", false},
		{cxx, "ns::Class::metho", false},
		{tagged, "rstring", true},
		{tagged, "rstring(int)", true},
		{tagged, "rstring[abi:cxx11](int)", true},
		{tagged, "rstring[abi:cxx11]", true},
		{tagged, "rstr?ng", true},
		{tagged, "/^rstring.abi/", true},
		{rust, "core::fmt::write", true},
		{rust, "/^core::fmt::/", true},
		{rust, "core::fmt", false},
	} {
		p, err := ParseProbe(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if _, got := p.pattern.match(c.fn); got != c.want {
			t.Errorf("%s matches %s: %v", c.text, c.fn.Name, got)
		}
	}
}

// TestOverloads: names in parentheses are parameters if the file has such a function, else arguments to record.
func TestOverloads(t *testing.T) {
	point, number, flag := elffile.Func{Addr: 1, Name: "_ZN2ns1fE5Point"}, elffile.Func{Addr: 2, Name: "_ZN2ns1fEi"}, elffile.Func{Addr: 3, Name: "_ZN2ns1fEb"}
	for _, c := range []struct {
		text  string
		funcs []elffile.Func
		want  []string // the functions, and how many arguments of each are recorded
	}{
		{"ns::f(Point)", []elffile.Func{point, number, flag}, []string{"ns::f(Point) 0"}},
		{"ns::f(Point)", []elffile.Func{number, flag}, []string{"ns::f(int) 1", "ns::f(bool) 1"}},
		{"ns::f(bool) -> s32 if ret == 1", []elffile.Func{point, number, flag}, []string{"ns::f(bool) 0"}},
		{"ns::*(Point)", []elffile.Func{point, number}, []string{"ns::f(Point) 0"}},
		{"ns::f(p)", []elffile.Func{point}, []string{"ns::f(Point) 1"}},
		{"ns::f(int)", []elffile.Func{point, number}, []string{"ns::f(int) 0"}},
		{"ns::f(Point)(p)", []elffile.Func{point, number}, []string{"ns::f(Point) 1"}},
		{"/^ns::f/(p)", []elffile.Func{point}, []string{"ns::f(Point) 1"}},
		{"ns::f(p:u32)", []elffile.Func{point}, []string{"ns::f(Point) 1"}},
	} {
		probe, err := ParseProbe(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		probe = probe.forFuncs(c.funcs)
		var got []string
		for _, fn := range c.funcs {
			if symbol, by := selectFunc(fn, []*Probe{probe}, map[*Probe]bool{}); by != nil {
				got = append(got, fmt.Sprintf("%s %d", elffile.Demangle(symbol), len(by.values.args)))
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.text, got, c.want)
		}
	}
	not, err := ParseProbe("!ns::f(Point)")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := not.pattern.match(point); !ok {
		t.Error("!ns::f(Point) does not match it")
	}
	if _, ok := not.pattern.match(number); ok {
		t.Error("!ns::f(Point) matches ns::f(int)")
	}
}

func FuzzParseProbe(f *testing.F) {
	for _, text := range []string{"main", "c:f*", "/a/b:f+0x10", "!/x::y/", "uprobe:c:0x12", "f[!a-z]\\", "libx.so:ns::f(int)",
		"usdt:a:b", "usdt:/x/y:a:b*", "!usdt:libx:/a|b/:c", "usdt:a:b(ip:str[20], size:u32, x16, d:f64, b:buf[size])", "U:x::b(...)",
		`usdt:a:b(s:str) if s =~ "x*" && !(arg2 == -1 || arg3 < 'c') || pid != 0x10 => a:/c|d/ on arg4`, `usdt:a:b if comm == "=>" => none`,
		"f(a, b:u8, c->d[1].e, *p, ...) -> ...", "f(int)(n) -> s32 if n > 1ms", `c:f(s:str[9], b:buf[n]) -> (...) if !(ret == "x") && duration >= 1.5us`,
		"operator->(x) -> ptr", "/^f(a|b)/(...) if pid", "f[abi:cxx11](int) -> str", "f(char const*, unsigned int)(s, n)"} {
		f.Add(text)
	}
	fn := elffile.Func{Name: "_ZN2ns5Class6methodEid"}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseProbe(text)
		if err != nil {
			if !errors.Is(err, ErrSyntax) {
				t.Fatal(err)
			}
			return
		}
		if p.static != nil {
			checkValues(t, p)
			return
		}
		if (p.pattern == nil) == (p.addr == nil) {
			t.Fatalf("%+v", p)
		}
		if p.pattern != nil {
			p.pattern.match(fn)
		}
	})
}
