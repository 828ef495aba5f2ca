//go:build linux

package plan

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/record/internal/demangle"
	"utrace/record/internal/elffile"
	"utrace/record/internal/probe"
)

// TestInstructionsHaveNoValues checks that values and conditions of an instruction are refused, not
// ignored. The error quotes them.
func TestInstructionsHaveNoValues(t *testing.T) {
	path, err := filepath.Abs("../../testdata/elf/pie.elf")
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
		{probe: inside + "(x:s32)", want: `"(x:s32)": no function begins at 0x722`, is: probe.ErrProbe},
		{probe: inside + "(x:s32) -> s32 if pid == 3", want: `"(x:s32) -> s32 if pid == 3": no function begins`, is: probe.ErrProbe},
		{probe: inside + " if pid == 3", want: `"if pid == 3": no function begins`, is: probe.ErrProbe},
		{probe: ":main+2 if pid == 3", want: `"if pid == 3": an instruction is given`, is: probe.ErrSyntax},
		{probe: ":main+2", slower: time.Millisecond, want: "deferred calls", is: ErrLate},
		{probe: inside, slower: time.Millisecond, want: "deferred calls", is: ErrLate},
	} {
		var plan *Plan
		pr, err := probe.Parse(path + c.probe)
		if err == nil {
			plan, err = New(Config{Probes: []*probe.Probe{pr}, SlowerThan: c.slower})
		}
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

// TestOverloads checks that names in parentheses are parameters if the file has such a function,
// and arguments to record otherwise.
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
		pr, err := probe.Parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		pr = forFuncs(pr, c.funcs)
		var got []string
		for _, fn := range c.funcs {
			if symbol, by := selectFunc(fn, []*probe.Probe{pr}, map[*probe.Probe]bool{}); by != nil {
				got = append(got, fmt.Sprintf("%s %d", demangle.Full(symbol), len(by.Values.Args)))
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.text, got, c.want)
		}
	}
	not, err := probe.Parse("!ns::f(Point)")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := matchFunc(not.Pattern, point); !ok {
		t.Error("!ns::f(Point) does not match it")
	}
	if _, ok := matchFunc(not.Pattern, number); ok {
		t.Error("!ns::f(Point) matches ns::f(int)")
	}
}
