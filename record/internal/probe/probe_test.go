package probe

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text            string
		path, lib, name string // name is one that it must match
		delta           uint64
		addr            uint64
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
		{text: "f(s8, u8, s8, bool, bool)", name: "f"},
		{text: "work+0x10", name: "work", delta: 16},
		{text: "work+12", name: "work", delta: 12},
		{text: "operator+", name: "operator+"},
		{text: ":0x1234", addr: 0x1234},
		{text: "/bin/app:0x4a10", path: "/bin/app", addr: 0x4a10},
		{text: "c:0xff", lib: "c", addr: 0xff},
		{text: `"/tmp/a:b/prog":work`, path: "/tmp/a:b/prog", name: "work"},
		{text: `! "/tmp/a:b/prog":ns::f`, path: "/tmp/a:b/prog", name: "ns::f", exclude: true},
		{text: `uprobe:"/tmp/a:b (1)/prog":/^w/`, path: "/tmp/a:b (1)/prog", name: "work"},
		{text: `"/tmp/a:b/c:/prog":0x10`, path: "/tmp/a:b/c:/prog", addr: 0x10},
		{text: `"libx:1.so":f(x:u32) if x > 1`, lib: "libx:1.so", name: "f"},
	} {
		p, err := Parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if p.Path != c.path || p.Lib != c.lib || p.Offset != c.delta || p.Exclude != c.exclude {
			t.Errorf("%s: %+v", c.text, p)
		}
		if c.addr != 0 {
			if p.Addr == nil || *p.Addr != c.addr {
				t.Errorf("%s: address %v", c.text, p.Addr)
			}
		} else if !p.Pattern.Match(c.name) {
			t.Errorf("%s does not match %s", c.text, c.name)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, text := range []string{"", "!", " ", "c:", "/bin/x:", "c:0x", "c:0xzz", "/(/", "f[z-a]", "f+0xfffffffff", "f(x:u33) -> s32", "f(x:u32) ->", "f if x >", "f if", "f(x:u32", "f+4(x:u32)", "f+4 -> s32", "f+0x10 if pid == 3", "!f(x:u32)", "f -> buf[n]", "f if x > 3 3", "a => b"} {
		if p, err := Parse(text); !errors.Is(err, ErrSyntax) || !errors.Is(err, ErrProbe) {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
	}
}

func TestMatchNames(t *testing.T) {
	type symbols struct {
		name     string
		aliases  []string
		versions []string
	}
	cxx := symbols{"_ZN2ns5Class6methodEid", []string{"_ZN2ns5Class5aliasEv"}, nil}
	tagged := symbols{name: "_Z7rstringB5cxx11i"} // returns a std::string
	rust := symbols{name: "_ZN4core3fmt5write17h0123456789abcdefE"}
	template := symbols{name: "_Z4tmplIilET_S0_T0_"} // int tmpl<int, long>(int, long)
	member := symbols{name: "_ZNK3BoxIiE3getEv"}     // Box<int>::get() const
	times, plus := symbols{name: "_ZN2nsmlE1VS0_"}, symbols{name: "_ZplN2ns1VES0_"}
	arrow := symbols{name: "_ZN1VpmEi"} // V::operator->*(int)
	generic := symbols{name: "_RINvCsfq2Zq5gqAK1_2v07genericlEB2_"}
	versioned := symbols{name: "f", aliases: []string{"alias"}, versions: []string{"alias@@V2", "f@V1"}}
	for _, c := range []struct {
		fn   symbols
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
		{cxx, "ns::Class::method(int,double)", true},
		{cxx, "ns::Class::method( int , double )", true},
		{cxx, "ns::Class::m*(int,double)", true},
		{cxx, "/method.int,double/", false},
		{template, "tmpl", true},
		{template, "tmpl<int, long>", true},
		{template, "tmpl<int,long>", true},
		{template, "tmpl<int, long>(int, long)", true},
		{template, "int tmpl<int, long>(int, long)", true},
		{template, "tmpl<*, long>", true},
		{template, "/^tmpl<int, long>$/", true},
		{template, "tmpl<long, int>", false},
		{member, "Box::get", true},
		{member, "Box<*>::get", true},
		{member, "Box<int>::get", true},
		{member, "Box<int>::get() const", true},
		{member, "Box<long>::get", false},
		{times, "ns::operator*", true},
		{times, "ns::operator*(V,V)", true},
		{times, "ns::operator*(ns::V,ns::V)", false},

		{times, "ns::operator?", true},
		{times, "ns::operat*", true},
		{plus, "operator*", false},
		{plus, "operator?(*)", true},
		{plus, "operator+(ns::V,ns::V)", true},
		{arrow, "V::operator->*", true},
		{arrow, "V::operator->*(int)", true},
		{symbols{name: "_Z11my_operatorv"}, "my_operator*", true},
		{symbols{name: "_Z12my_operator2v"}, "my_operator*", true},
		{generic, "v0::generic", true},
		{generic, "v0::generic::<i32>", true},
		{generic, "v0::generic::<*>", true},
		{generic, "v0::generic::<u8>", false},
		{versioned, "f", true},
		{versioned, "f@V1", true},
		{versioned, "f@*", true},
		{versioned, "f@@V1", false},
		{versioned, "alias@@V2", true},
	} {
		p, err := Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if _, got := p.Pattern.MatchSymbols(c.fn.name, c.fn.aliases, c.fn.versions); got != c.want {
			t.Errorf("%s matches %s: %v", c.text, c.fn.name, got)
		}
	}
}

// TestLiteral: a pattern that only has its name matches it.
func TestLiteral(t *testing.T) {
	if p := (&Pattern{Literal: "function__entry"}); !p.Match("function__entry") || p.Match("") {
		t.Error("a literal pattern does not match exactly its name")
	}
}

// checkValues checks the values of a static probe against the limits, and its condition against its
// arguments.
func checkValues(t *testing.T, p *Probe) {
	t.Helper()
	args := Arguments(p.Values.Args)
	cond, err := Bind(p.Values.Condition, &args, End{Duration: true})
	if err != nil {
		t.Fatalf("%q: %v", p.Text, err)
	}
	if (cond == nil) != (p.Values.Condition == nil) || len(args) > MaxArgs {
		t.Fatalf("%q: %d arguments, %v", p.Text, len(args), cond)
	}
	for _, a := range args {
		if a.Pos < 0 || a.Pos >= MaxArgs || a.Type.Max > MaxText {
			t.Fatalf("%q: %+v", p.Text, a)
		}
	}
}

func TestUSDTErrors(t *testing.T) {
	for text, want := range map[string]string{
		"usdt:":                          "names no probe",
		"usdt:a:":                        "names no probe",
		"usdt:a:b:c:d":                   "too many colons",
		"usdt:/x":                        "no probe after the file",
		"usdt:a:/b":                      "no end",
		"usdt:a:b(x:u32":                 "not closed",
		`usdt:"/a:b`:                     "in quotes",
		`"/a:b/c"`:                       "in quotes",
		`"":f`:                           "in quotes",
		"usdt:a:b(x:u33)":                "did you mean",
		"usdt:a:b(x:str[9999])":          "1 to 4094",
		"usdt:a:b(x:buf)":                "buf[len]",
		"usdt:a:b(x:buf[n])":             `no argument is called "n"`,
		"usdt:a:b(x:u8, x:u8)":           "two arguments",
		"usdt:a:b(9:u8)":                 "not a name",
		"usdt:a:b if":                    "name of an argument",
		"usdt:a:b if x":                  `no argument is called "x"`,
		"usdt:a:b(size:u8) if sise == 1": "did you mean size?",
		"usdt:a:b(s:str) if s == 1":      "is a text",
		`usdt:a:b(n:u8) if n == "x"`:     "declare it as str",
		"usdt:a:b(d:f64) if d == 1":      "floating-point",
		`usdt:a:b(s:str) if s < "x"`:     "==, != or =~",
		"usdt:a:b if arg1 == ":           "a number or",
		"usdt:a:b if (arg1 == 1":         ") is missing",
		"usdt:a:b if arg1 == 1 arg2":     "not expected",
		"usdt:a:b if arg99 == 1":         "arg1 to arg12",
		"usdt:a:b if " + strings.Repeat("!", 200) + "arg1":                 "too deeply",
		"usdt:a:b if " + strings.Repeat("arg1 == 1 || ", 16) + "arg1 == 2": "at most 16",
		"usdt:a:b => ":              "ends the span",
		"usdt:a:b => a:b:c":         "PROVIDER:NAME",
		"usdt:a:b => c on x":        `no argument is called "x"`,
		"usdt:a:b(s:str) => c on s": "not by a text",
		"usdt:a:b -> s32":           "no return value",
		"usdt:a:b sometimes":        "not expected",
		"!usdt:a:b(x:u8)":           "only names probes",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v; want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"main", "c:f*", "/a/b:f+0x10", "!/x::y/", "uprobe:c:0x12", "f[!a-z]\\", "libx.so:ns::f(int)",
		"usdt:a:b", "usdt:/x/y:a:b*", "!usdt:libx:/a|b/:c", "usdt:a:b(ip:str[20], size:u32, x16, d:f64, b:buf[size])", "U:x::b(...)",
		`usdt:a:b(s:str) if s =~ "x*" && !(arg2 == -1 || arg3 < 'c') || pid != 0x10 => a:/c|d/ on arg4`, `usdt:a:b if comm == "=>" => none`,
		"f(a, b:u8, c->d[1].e, *p, ...) -> ...", "f(int)(n) -> s32 if n > 1ms", `c:f(s:str[9], b:buf[n]) -> (...) if !(ret == "x") && duration >= 1.5us`,
		"operator->(x) -> ptr", "/^f(a|b)/(...) if pid", "f[abi:cxx11](int) -> str", "f(char const*, unsigned int)(s, n)"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrSyntax) {
				t.Fatal(err)
			}
			return
		}
		if p.USDT != nil {
			checkValues(t, p)
			return
		}
		if (p.Pattern == nil) == (p.Addr == nil) {
			t.Fatalf("%+v", p)
		}
		if p.Pattern != nil {
			p.Pattern.MatchSymbols("_ZN2ns5Class6methodEid", nil, nil)
		}
	})
}

// TestNamesFunctions: the probes that presets take names from, and no others of these providers.
func TestNamesFunctions(t *testing.T) {
	for name, want := range map[string]bool{
		"python:function__entry": true, "php:function__entry": true, "hotspot:method__entry": true, "ruby:method__entry": true,
		"python:function__return": false, "python:gc__start": false, "ruby:gc__mark__begin": false, "shop:function__entry": false,
	} {
		provider, probe, _ := strings.Cut(name, ":")
		if got := NamesFunctions(provider, probe); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
