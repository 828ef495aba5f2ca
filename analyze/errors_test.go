package analyze

import (
	"strings"
	"testing"

	"utrace/format"
	"utrace/format/condition"
)

// Each function is called once for each return below, with its arguments.
const errorTrace = `
module {"path": "/bin/prog"}
func {"name": "read", "module": 0, "addr": 1, "args": [{"name": "fd", "type": "s32"}, {"name": "req->len", "type": "u64"}], "results": [{"name": "ret", "type": "s64"}]}
func {"name": "malloc", "module": 0, "addr": 2, "args": [{"name": "size", "type": "u64"}], "results": [{"name": "ret", "type": "ptr"}, {"name": "errno", "type": "errno"}]}
func {"name": "hash", "module": 0, "addr": 3, "results": [{"name": "ret", "type": "u32"}]}
func {"name": "raw", "module": 0, "addr": 4}
func {"name": "open", "module": 0, "addr": 5, "args": [{"name": "path", "type": "str"}, {"name": "how", "type": "char"}], "results": [{"name": "ret", "type": "s32"}]}
func {"name": "span", "module": 0, "addr": 6, "static": "p:s", "results": [{"name": "n", "type": "s32"}]}
func {"name": "ratio", "module": 0, "addr": 7, "results": [{"name": "ret", "type": "f64"}]}
func {"name": "isok", "module": 0, "addr": 8, "results": [{"name": "ret", "type": "bool"}]}
process {"pid": 7, "comm": "prog"}
thread {"pid": 7, "tid": 7, "comm": "prog"}
`

// returns are the values of the calls: the number of the function, its arguments, its results, and
// the return register.
var errorReturns = []struct{ fn, args, results, value string }{
	{"0", "[3, 100]", "[100]", "0x64"}, {"0", "[3, 100]", "[-1]", "0xffffffffffffffff"}, {"0", "[-1, 0]", "[0]", "0"}, {"0", "[4, 18446744073709551615]", "[null]", "0"},
	{"1", "[8]", "[4096, 0]", "0x1000"}, {"1", "[0]", "[0, 0]", "0"}, {"1", "[99]", `[0, "ENOMEM"]`, "0"}, {"1", "[7]", "[16, 5]", "0x10"}, {"1", "[1]", "[null, null]", "0"},
	{"2", "", "[4294967295]", "0xffffffff"}, {"2", "", "[0]", "0"},
	{"3", "", "", "0xfffffffffffffffe"}, {"3", "", "", "0"}, {"3", "", "", "5"},
	{"4", `["/etc/passwd", "r"]`, "[3]", "3"}, {"4", `["/srv/x/", "w"]`, "[-2]", "0xfffffffe"}, {"4", `[{"text": "/srv/long", "cut": true}, "r"]`, "[-2]", "0xfffffffe"}, {"4", `[null, "r"]`, "[-13]", "0"},
	{"5", "", "[-1]", "0"}, {"6", "", "[-0.5]", "0"}, {"6", "", "[2.5]", "0"}, {"6", "", `["NaN"]`, "0"}, {"7", "", "[false]", "0"}, {"7", "", "[true]", "1"},
}

func TestErrors(t *testing.T) {
	var b strings.Builder
	b.WriteString(errorTrace)
	for _, r := range errorReturns {
		line := func(kind, args, value string) {
			b.WriteString("1 0 " + kind + " " + r.fn + " sp=0x1000" + value)
			if args != "" {
				b.WriteString(" args=" + args)
			}
			b.WriteString("\n")
		}
		line("entry", r.args, "")
		line("return", r.results, " value="+r.value)
	}
	b.WriteString("1 0 entry 0 sp=0x1000 args=[-1, 0]\nend {}") // its return is not seen
	path := fromText(t, b.String())
	for _, c := range []struct {
		rules []string
		want  string // functions with errors, by name
	}{
		{nil, "malloc 3, open 3, read 1"},
		{[]string{"ret < 0"}, "open 3, ratio 1, raw 1, read 1, span 1"},
		{[]string{"raw: ret < 0"}, "malloc 3, open 3, raw 1, read 1"},
		{[]string{"/^r.*d$/: fd == -1"}, "malloc 3, open 3, read 1"},
		{[]string{"read: fd == -1 || ret == -1"}, "malloc 3, open 3, read 2"},
		{[]string{"read: fd == -1", "read: ret == -1"}, "malloc 3, open 3, read 2"},
		{[]string{"req->len > 9223372036854775807"}, "malloc 3, open 3, read 1"},
		{[]string{"malloc: ret == 0 && size > 0"}, "malloc 1, open 3, read 1"},
		{[]string{"malloc: !(size > 7)"}, "malloc 3, open 3, read 1"},
		{[]string{"malloc: errno == \"ENOMEM\" || errno == 5"}, "malloc 2, open 3, read 1"},
		{[]string{"malloc: errno"}, "malloc 2, open 3, read 1"},
		{[]string{"hash: ret == 0xffffffff"}, "hash 1, malloc 3, open 3, read 1"},
		{[]string{"hash: ret == -1"}, "malloc 3, open 3, read 1"},
		{[]string{"open: ret < 0 && path == \"/srv/long\""}, "malloc 3, open 1, read 1"},
		{[]string{"open: path =~ \"/srv/*\" && ret != -13"}, "malloc 3, open 2, read 1"},
		{[]string{`open: path =~ "/srv/*/"`}, "malloc 3, open 1, read 1"},
		{[]string{`open: path != "x: y"`}, "malloc 3, open 3, read 1"},
		{[]string{"open: how == 'w'"}, "malloc 3, open 1, read 1"},
		{[]string{"open: path"}, "malloc 3, open 3, read 1"},
		{[]string{"arg2 == 'r'"}, "malloc 3, open 3, read 0"},
		{[]string{"ratio: ret < -0.25"}, "malloc 3, open 3, ratio 1, read 1"},
		{[]string{"isok: !ret"}, "isok 1, malloc 3, open 3, read 1"},
		{[]string{"n == -1"}, "malloc 3, open 3, read 1, span 1"},
		{[]string{"nothing < 0"}, "malloc 3, open 3, read 1"},
		{[]string{"nothing: ret < 0"}, "malloc 3, open 3, read 1"},
	} {
		opts := Options{}
		for _, text := range c.rules {
			rule, err := ParseErrorRule(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			opts.Errors = append(opts.Errors, rule)
		}
		r, err := Report([]string{path}, opts)
		if err != nil {
			t.Fatal(err)
		}
		r.Sort("name")
		got := ""
		for i := range r.Rows {
			if n := r.Rows[i].Errors; n > 0 {
				got += ", " + Plural(n, r.Rows[i].Name, r.Rows[i].Name)
			}
		}
		if got = swapWords(got); got != strings.ReplaceAll(c.want, ", read 0", "") {
			t.Errorf("%q: %s, want %s", c.rules, got, c.want)
		}
		// A rule that applies to nothing, and one that compares a name with a number.
		if useless := len(c.rules) > 0 && (strings.HasPrefix(c.rules[0], "nothing") || strings.Contains(c.rules[0], "errno == 5")); useless != (len(r.Warnings) > 0) {
			t.Errorf("%q: warnings %q", c.rules, r.Warnings)
		}
	}
}

// swapWords turns ", 3 open, 1 read" into "open 3, read 1".
func swapWords(text string) string {
	var list []string
	for _, part := range strings.Split(text, ", ")[1:] {
		n, name, _ := strings.Cut(part, " ")
		list = append(list, name+" "+n)
	}
	return strings.Join(list, ", ")
}

func TestErrorRuleMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"": "the end", "ret": "", "ret <": "at 6", "ret = 5": "not expected", "ret < \"a\"": "a text is compared by", "ret =~ 5": "=~ compares with", "(ret < 0": "a ) is missing",
		"ret < 0 &&": "the end", "5 < ret": `not "5"`, "a[1 > 0": "a ] is missing", "ret == -'a'": "a - in front", "ret < 99999999999999999999999e999": "not a number",
		"[: ret": "pattern", `p =~ "["`: "pattern", "ret > 5ms": "a time", "ret < 0 ret": "not expected", "a: b: ret < 0": "not expected", strings.Repeat("!", 200) + "ret": "nested too deeply",
		"p->": "the end", "ret == 'ab'": "at 8",
	} {
		_, err := ParseErrorRule(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestErrorRules(t *testing.T) {
	many := "ret" + strings.Repeat(" || ret", maxEntryBits-1)
	if rules, err := ParseErrorRules([]string{many}); err != nil || len(rules) != 1 {
		t.Errorf("%d rules: %v", len(rules), err)
	}
	for _, texts := range [][]string{{many + " || ret"}, {many, "n"}, {"ret", "ret <"}} {
		if _, err := ParseErrorRules(texts); err == nil {
			t.Errorf("%d rules: no error", len(texts))
		}
	}
}

// FuzzErrorRule: any rule is refused or can be decided, whatever the values of a call.
func FuzzErrorRule(f *testing.F) {
	for _, text := range []string{"ret < 0", "f: a->b == 'x' && !(ret >= -5 || s =~ \"a*\")", "*p.x[3] != 1.5", `/(/: ret`, "arg1 == \"\x00", "ret == `a`"} {
		f.Add(text, `[1, "x", {"bytes": "AA=="}]`)
	}
	f.Fuzz(func(t *testing.T, text, args string) {
		rule, err := ParseErrorRule(text)
		if err != nil {
			return
		}
		list := []format.Arg{{Name: "a->b", Type: "char"}, {Name: "s", Type: "str"}, {Name: "*p.x[3]", Type: "f64"}}
		check := newErrorCheck(&format.Func{Name: "f", Args: list, Results: list[1:]}, []*ErrorRule{rule})
		if check == nil {
			return
		}
		for _, b := range append(check.entries, check.conds...) {
			if !b.Op.Compares() {
				continue
			}
			b.compareText(args)
			if n, ok := condition.ParseNumber(args); ok {
				b.compareNumber(n)
			}
		}
		check.failed(&thread{}, check.enter(&thread{}))
	})
}

// TestResolutionErrors: a failure to resolve a name is a negative number, shown by its name.
func TestResolutionErrors(t *testing.T) {
	path := fromText(t, `
module {"path": "/lib/libc.so.6"}
func {"name": "getaddrinfo", "module": 0, "addr": 1, "results": [{"name": "ret", "type": "enum EAI"}, {"name": "errno", "type": "errno"}]}
process {"pid": 7, "comm": "prog"}
thread {"pid": 7, "tid": 7, "comm": "prog"}
1 0 entry 0 sp=0x1000
2 0 return 0 sp=0x1000 args=["EAI_NONAME", 0]
3 0 entry 0 sp=0x1000
4 0 return 0 sp=0x1000 args=[0, 0]
5 0 entry 0 sp=0x1000
6 0 return 0 sp=0x1000 args=["EAI_SYSTEM", "ENOENT"]
7 0 entry 0 sp=0x1000
8 0 return 0 sp=0x1000 args=[-77, 0]
end {}`)
	for rule, want := range map[string]uint64{
		"": 3, "ret != 0": 3, "ret < 0": 3, "ret == 0": 1, `ret == "EAI_NONAME"`: 1, `ret =~ "EAI_*"`: 2, "ret >= 0": 1,
	} {
		opts := Options{}
		if rule != "" {
			r, err := ParseErrorRule(rule)
			if err != nil {
				t.Fatal(err)
			}
			opts.Errors = []*ErrorRule{r}
		}
		r, err := Report([]string{path}, opts)
		if err != nil || r.Rows[0].Errors != want {
			t.Errorf("%s: %v, %d errors, want %d", rule, err, r.Rows[0].Errors, want)
		}
	}
}
