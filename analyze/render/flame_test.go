package render

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/analyze"
)

// A flame graph by value names each value at the frame where it begins.
func TestFlameValues(t *testing.T) {
	fn, inner := analyze.Function{Name: "serve"}, analyze.Function{Name: "read"}
	var roots []*analyze.Node
	for _, text := range []string{`"a<b"`, "7", ""} {
		value := analyze.Value{Text: text}
		child := &analyze.Node{Function: &inner, Value: value, Calls: 1, Total: 4, Self: 4}
		roots = append(roots, &analyze.Node{Function: &fn, Value: value, Calls: 1, Total: 9, Self: 5, Children: []*analyze.Node{child}})
	}
	var out bytes.Buffer
	if err := Flame(&out, &analyze.Tree{By: "host", Threads: []analyze.ThreadTree{{Roots: roots}}}); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, title := range texts(t, out.Bytes(), "title") {
		name, _, _ := strings.Cut(title, ": ")
		names = append(names, name)
	}
	if want := []string{"all", `serve host="a<b"`, "read", "serve host=7", "read", "serve", "read"}; !slices.Equal(names, want) {
		t.Errorf("frames %q, want %q", names, want)
	}
}

// TestFlameOrigin: a flame graph says what was recorded, where and when.
func TestFlameOrigin(t *testing.T) {
	tree, err := analyze.CallTree([]string{trace(t, "nesting")}, analyze.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Flame(&out, tree); err != nil {
		t.Fatal(err)
	}
	want := []string{"./prog -x, on box, 2023-11-14 22:13:20 UTC", "3.000 s in complete calls; click a frame to zoom, press / to search"}
	if got := texts(t, out.Bytes(), "text"); !slices.Equal(got[:2], want) {
		t.Errorf("%q, want %q", got[:2], want)
	}
}

// TestFlameDiff: frames are as wide as in the new trace, red where their self time has grown and
// blue where it has shrunk. Times are means of the traces of a side.
func TestFlameDiff(t *testing.T) {
	node := func(name string, calls uint64, self time.Duration, children ...*analyze.Node) *analyze.Node {
		n := &analyze.Node{Function: &analyze.Function{Name: name}, Calls: calls, Self: self, Total: self, Children: children}
		for _, child := range children {
			n.Total += child.Total
		}
		return n
	}
	tree := func(files int, roots ...*analyze.Node) *analyze.Tree {
		return &analyze.Tree{Threads: []analyze.ThreadTree{{Roots: roots}}, Trace: analyze.Trace{Files: make([]string, files)}}
	}
	before := tree(2, node("main", 2, 200, node("faster", 4, 2000), node("gone", 2, 600), node("same", 2, 400)))
	after := tree(1, node("main", 1, 100, node("faster", 2, 400), node("same", 1, 200), node("slower", 1, 100)))
	var out bytes.Buffer
	if err := FlameDiff(&out, before, after); err != nil {
		t.Fatal(err)
	}
	titles := texts(t, out.Bytes(), "title")
	want := []string{
		"all: 0.800 us, 100.00%",
		"main: 0.800 us, 100.00%, was 1.600 us; self 0.100 us, was 0.100 us; 1 calls, were 1",
		"faster: 0.400 us, 50.00%, was 1.000 us; self 0.400 us, was 1.000 us; 2 calls, were 2",
		"same: 0.200 us, 25.00%, was 0.200 us; self 0.200 us, was 0.200 us; 1 calls, were 1",
		"slower: 0.100 us, 12.50%, was 0.000 us; self 0.100 us, was 0.000 us; 1 calls, were 0",
	}
	if !slices.Equal(titles, want) {
		t.Errorf("%s\nwant:\n%s", strings.Join(titles, "\n"), strings.Join(want, "\n"))
	}
	for name, hue := range map[string]string{"faster": "hsl(215,", "slower": "hsl(5,", "same": "hsl(0,0%", "main": "hsl(0,0%"} {
		frame := regexp.MustCompile(`data-name="` + name + `".*?fill="(.*?)"`).FindStringSubmatch(out.String())
		if frame == nil || !strings.HasPrefix(frame[1], hue) {
			t.Errorf("%s is %q, want %s", name, frame, hue)
		}
	}
}
