package compare

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"utrace/analyze"
)

func TestMatch(t *testing.T) {
	row := func(name, module, file string, addr uint64) analyze.Row {
		return analyze.Row{Function: analyze.Function{Name: name, Module: module, File: file, Addr: addr}}
	}
	before := []analyze.Row{
		row("main", "/old/server-1", "main.c", 10),
		row("init", "/old/libx.so.1", "", 1),
		row("step", "/old/app", "/build/1/a.c", 5),
		row("step", "/old/app", "/build/1/b.c", 6),
		row("twin", "/old/app", "", 7),
		row("twin", "/old/app", "", 8),
	}
	after := []analyze.Row{
		row("step", "/new/app", "/build/2/b.c", 50),
		row("step", "/new/app", "/build/2/a.c", 60),
		row("twin", "/new/app", "", 8),
		row("twin", "/new/app", "", 9),
		row("init", "/new/libx.so.2", "", 2),
		row("main", "/new/server-2", "main.c", 20),
	}
	got := map[pair]bool{}
	for _, p := range match(before, after) {
		got[p] = true
	}
	// One twin has the same address. The other is then the only one of its name on either side.
	want := map[pair]bool{{0, 5}: true, {1, 4}: true, {2, 1}: true, {3, 0}: true, {5, 2}: true, {4, 3}: true}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Two traces with hardly a function in common are probably of different programs.
func TestDiffOfStrangers(t *testing.T) {
	trace := func(names ...string) string {
		text := "meta {}\n" + `module {"path":"/bin/` + names[0] + `"}` + "\n"
		events := ""
		for i, name := range names {
			text += fmt.Sprintf("func {\"name\":%q,\"module\":0,\"addr\":%d}\n", name, i)
			events += fmt.Sprintf("%d 0 entry %d sp=0x1000\n%d 0 return %d sp=0x1000\n", 10*i, i, 10*i+5, i)
		}
		return wholeTrace(t, text+"thread {\"pid\":1,\"tid\":1}\n"+events+"end {}")
	}
	const warning = "old and new have hardly anything in common: "
	for _, c := range []struct {
		old, new []string
		want     string
	}{
		{[]string{"main", "a", "b"}, []string{"main", "a", "b"}, ""},
		{[]string{"main", "a", "b"}, []string{"a"}, ""},        // fewer probes
		{[]string{"a", "b", "c", "d"}, []string{"a", "x"}, ""}, // half of the smaller side
		{[]string{"main"}, []string{"main"}, ""},               // only that was probed
		{[]string{"main", "a"}, []string{"main", "x", "y"}, "1 of their 2 and 3 functions are the same"},
		{[]string{"a"}, []string{"x"}, "0 of their 1 and 1 functions are the same"},
		{[]string{"a", "b", "c", "d", "e"}, []string{"a", "v", "w", "x", "y", "z"}, "1 of their 5 and 6 functions are the same"},
	} {
		got := strings.Join(texts(diff(t, []string{trace(c.old...)}, []string{trace(c.new...)})), "\n")
		if c.want == "" && strings.Contains(got, warning) || !strings.Contains(got, c.want) || c.want != "" && !strings.Contains(got, warning) {
			t.Errorf("%v and %v: %q, want %q", c.old, c.new, got, c.want)
		}
	}
}
