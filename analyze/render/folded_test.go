package render

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"utrace/analyze"
)

// TestFolded: the values of paths that end in a function add up to its self time. Names cannot be
// misread.
func TestFolded(t *testing.T) {
	for _, name := range traces() {
		path := trace(t, name)
		tree, err := analyze.CallTree([]string{path}, analyze.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := Folded(&out, tree); err != nil {
			t.Fatal(err)
		}
		self := map[string]int64{}
		for line := range strings.Lines(out.String()) {
			at := strings.LastIndexByte(line, ' ') // as flamegraph.pl reads it
			ns, err := strconv.ParseInt(strings.TrimSuffix(line[at+1:], "\n"), 10, 64)
			if err != nil {
				t.Fatalf("%s: %q: %v", name, line, err)
			}
			frames := strings.Split(line[:at], ";")
			self[frames[len(frames)-1]] += ns
		}
		want := map[string]int64{}
		for _, row := range report(t, path).Rows {
			if row.Self > 0 {
				want[row.Name] += int64(row.Self)
			}
		}
		if fmt.Sprint(self) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v\n%s", name, self, want, out.String())
		}
	}
}

func TestFoldedEscapes(t *testing.T) {
	leaf := &analyze.Node{Function: &analyze.Function{Name: "g<A;B>(a b)"}, Self: 7}
	root := &analyze.Node{Function: &analyze.Function{Name: "L;f"}, Children: []*analyze.Node{leaf}}
	var out strings.Builder
	if err := Folded(&out, &analyze.Tree{Threads: []analyze.ThreadTree{{Roots: []*analyze.Node{root}}}}); err != nil {
		t.Fatal(err)
	}
	if out.String() != "L:f;g<A:B>(a b) 7\n" {
		t.Errorf("%q", out.String())
	}
}
