package analyze

import (
	"slices"
	"testing"
)

// TestLabels: a label is as short as the other functions of the same name allow, and no two are
// equal.
func TestLabels(t *testing.T) {
	native := func(module, id string, addr uint64, file string) Function {
		return Function{Name: "f", Module: module, BuildID: id, Addr: addr, File: file, Line: 12}
	}
	script := func(module, file string, line int) Function {
		return Function{Name: "f", Module: module, File: file, Line: line}
	}
	for name, c := range map[string]struct {
		functions []Function
		want      []string
	}{
		"one":               {[]Function{native("/a/x.so", "", 1, "x.c")}, []string{"f"}},
		"by value":          {[]Function{native("/a/x.so", "", 1, "x.c"), native("/a/x.so", "", 1, "x.c")}, []string{"f", "f"}},
		"modules":           {[]Function{native("/a/x.so", "", 1, "f.c"), native("/a/y.so", "", 1, "f.c")}, []string{"f [x.so]", "f [y.so]"}},
		"places":            {[]Function{native("/a/x.so", "", 1, "f.c"), native("/a/x.so", "", 2, "g.c")}, []string{"f [x.so f.c:12]", "f [x.so g.c:12]"}},
		"addresses":         {[]Function{native("/a/x.so", "", 1, ""), native("/a/x.so", "", 2, "")}, []string{"f [x.so 0x1]", "f [x.so 0x2]"}},
		"paths":             {[]Function{native("/a/x.so", "", 1, "f.c"), native("/b/x.so", "", 1, "f.c")}, []string{"f [/a/x.so f.c:12]", "f [/b/x.so f.c:12]"}},
		"paths, no source":  {[]Function{native("/a/x.so", "", 1, ""), native("x.so", "", 1, "")}, []string{"f [/a/x.so 0x1]", "f [x.so 0x1]"}},
		"builds":            {[]Function{native("/a/x.so", "11", 1, "f.c"), native("/a/x.so", "22", 1, "f.c")}, []string{"f [/a/x.so f.c:12 11]", "f [/a/x.so f.c:12 22]"}},
		"one line":          {[]Function{native("/a/x.so", "11", 1, "f.c"), native("/a/x.so", "11", 2, "f.c")}, []string{"f [x.so f.c:12 0x1]", "f [x.so f.c:12 0x2]"}},
		"directories":       {[]Function{native("/a/x.so", "", 1, "/p/f.c"), native("/a/x.so", "", 2, "/q/f.c")}, []string{"f [x.so f.c:12 0x1]", "f [x.so f.c:12 0x2]"}},
		"script":            {[]Function{script("/py", "/p/f.py", 3), script("/py", "/q/f.py", 0)}, []string{"f [/p/f.py:3]", "f [/q/f.py]"}},
		"two interpreters":  {[]Function{script("/a/py", "f.py", 3), script("/b/py", "f.py", 3)}, []string{"f [/a/py f.py:3]", "f [/b/py f.py:3]"}},
		"one of its module": {[]Function{native("/a/x.so", "", 1, "f.c"), native("/b/x.so", "", 1, "f.c"), native("/a/y.so", "", 1, "f.c")}, []string{"f [/a/x.so f.c:12]", "f [/b/x.so f.c:12]", "f [y.so]"}},
		"lines and builds": {
			[]Function{native("/a/x.so", "11", 1, "f.c"), native("/a/x.so", "11", 2, "f.c"), native("/a/x.so", "22", 1, "f.c")},
			[]string{"f [/a/x.so f.c:12 0x1 11]", "f [x.so f.c:12 0x2]", "f [/a/x.so f.c:12 22]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := Result{Rows: make([]Row, len(c.functions))}
			for i, f := range c.functions {
				r.Rows[i].Function = f
			}
			r.setLabels()
			var got []string
			for i := range r.Rows {
				got = append(got, r.Rows[i].Label)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
