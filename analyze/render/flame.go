package render

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"utrace/analyze"
)

// flameNode is a frame of a flame graph, and the frames above it.
type flameNode struct {
	name     string
	now      flameSum
	before   flameSum // in a comparison
	width    time.Duration
	children []*flameNode
	index    map[string]*flameNode // children by name, in a comparison
}

// flameSum sums up the calls of a frame.
type flameSum struct {
	calls       float64
	total, self time.Duration
}

// Flame writes a tree as a flame graph: callers below callees, each as wide as its time. The
// picture is a single SVG file that loads nothing else. In a browser, it is as wide as the window;
// a click on a frame zooms, and / searches.
func Flame(w io.Writer, t *analyze.Tree) error {
	all := &flameNode{name: "all"}
	for _, thread := range t.Threads {
		for _, n := range thread.Roots {
			all.children = append(all.children, newFlameNode(n, t.By, ""))
		}
	}
	all.measure()
	p := &flamePicture{
		origin:  origin(&t.Trace),
		summary: analyze.FormatDuration(all.width) + " in complete calls",
		color:   func(n *flameNode) string { return warmColor(n.name) },
		title: func(n *flameNode) string {
			return fmt.Sprintf(", self %s, %s", analyze.FormatDuration(n.now.self), analyze.Plural(uint64(n.now.calls), "call", "calls"))
		},
	}
	return p.write(w, all)
}

// FlameDiff writes the difference of two trees as a flame graph. Frames are as wide as their time
// in the new traces. They are red where the self time has grown, and blue where it has shrunk.
// Times are per trace. Frames of all threads are merged by name. Those that are gone are not drawn.
func FlameDiff(w io.Writer, before, after *analyze.Tree) error {
	all := &flameNode{name: "all"}
	for _, side := range []struct {
		tree *analyze.Tree
		sum  func(*flameNode) *flameSum
	}{{before, func(n *flameNode) *flameSum { return &n.before }}, {after, func(n *flameNode) *flameSum { return &n.now }}} {
		share := 1 / float64(max(1, len(side.tree.Trace.Files)))
		for _, thread := range side.tree.Threads {
			for _, n := range thread.Roots {
				all.merge(n, side.tree.By, "", share, side.sum)
			}
		}
	}
	all.measure()
	all.sort()
	most := all.mostChange()
	was := time.Duration(0)
	for _, n := range all.children {
		was += n.before.total
	}
	p := &flamePicture{
		origin:  origin(&after.Trace) + ", compared with " + begunAt(&before.Trace),
		summary: fmt.Sprintf("%s in complete calls, was %s", analyze.FormatDuration(all.width), analyze.FormatDuration(was)),
		color:   func(n *flameNode) string { return changeShade(n.now.self-n.before.self, most) },
		legend:  most,
		title: func(n *flameNode) string {
			return fmt.Sprintf(", was %s; self %s, was %s; %.0f calls, were %.0f", analyze.FormatDuration(n.before.total),
				analyze.FormatDuration(n.now.self), analyze.FormatDuration(n.before.self), n.now.calls, n.before.calls)
		},
	}
	return p.write(w, all)
}

// newFlameNode copies a node and all below it. around is the value of its caller.
func newFlameNode(n *analyze.Node, by, around string) *flameNode {
	f := &flameNode{name: NodeName(n, by, around), now: flameSum{float64(n.Calls), n.Total, n.Self}}
	for _, child := range n.Children {
		f.children = append(f.children, newFlameNode(child, by, n.Value.Text))
	}
	return f
}

// merge adds a node and all below it to a side. around is the value of its caller.
func (f *flameNode) merge(n *analyze.Node, by, around string, share float64, side func(*flameNode) *flameSum) {
	name := NodeName(n, by, around)
	to := f.index[name]
	if to == nil {
		to = &flameNode{name: name}
		if f.index == nil {
			f.index = map[string]*flameNode{}
		}
		f.index[name] = to
		f.children = append(f.children, to)
	}
	sum := side(to)
	sum.calls += share * float64(n.Calls)
	sum.total += time.Duration(math.Round(share * float64(n.Total)))
	sum.self += time.Duration(math.Round(share * float64(n.Self)))
	for _, child := range n.Children {
		to.merge(child, by, n.Value.Text, share, side)
	}
}

// measure computes the widths of f and all frames above it. A call without a return is as wide as
// the complete calls inside it.
func (f *flameNode) measure() {
	inside := time.Duration(0)
	for _, child := range f.children {
		child.measure()
		inside += child.width
	}
	f.width = max(f.now.total, f.now.self+inside)
}

// sort puts the widest frames first.
func (f *flameNode) sort() {
	slices.SortFunc(f.children, func(a, b *flameNode) int {
		return cmp.Or(cmp.Compare(b.width, a.width), strings.Compare(a.name, b.name))
	})
	for _, child := range f.children {
		child.sort()
	}
}

// mostChange is the largest change of a self time.
func (f *flameNode) mostChange() time.Duration {
	most := (f.now.self - f.before.self).Abs()
	for _, child := range f.children {
		most = max(most, child.mostChange())
	}
	return most
}

// rows is the number of rows that f and the frames above it take.
func (f *flameNode) rows() int {
	rows := 0
	for _, child := range f.children {
		rows = max(rows, child.rows())
	}
	return rows + 1
}

// warmColor is a warm colour, always the same for the same name.
func warmColor(name string) string {
	h := fnv.New32a()
	io.WriteString(h, name)
	hash := h.Sum32()
	return fmt.Sprintf("hsl(%d,85%%,%d%%)", 5+hash%45, 58+hash>>8%14)
}

// changeShade is red for growth and blue for the opposite: two colours that the colour-blind can
// tell apart. It is stronger for a larger part of the largest change.
func changeShade(change, most time.Duration) string {
	if change == 0 || most == 0 {
		return "hsl(0,0%,93%)"
	}
	hue := 5
	if change < 0 {
		hue = 215
	}
	part := math.Sqrt(math.Abs(float64(change)) / float64(most)) // small changes must be seen
	return fmt.Sprintf("hsl(%d,85%%,%.0f%%)", hue, 94-36*part)
}

// origin says in one line what was recorded, where, and when.
func origin(t *analyze.Trace) string {
	var parts []string
	if commands := recordedCommands(t); len(commands) > 0 {
		parts = append(parts, cut(strings.Join(commands, "; "), maxCommand))
	}
	if len(t.Hosts) > 0 {
		parts = append(parts, "on "+strings.Join(t.Hosts, ", "))
	}
	return strings.Join(append(parts, begunAt(t)), ", ")
}

// begunAt says when the recording of traces began.
func begunAt(t *analyze.Trace) string { return t.Start.Format("2006-01-02 15:04:05 MST") }
