package render

import (
	"bufio"
	_ "embed"
	"fmt"
	"hash/fnv"
	"html"
	"io"
	"time"

	"utrace/analyze"
)

// flameScript zooms into a flame graph when a frame is clicked.
//
//go:embed flame.js
var flameScript string

// Sizes in a flame graph, in pixels.
const (
	flameWidth    = 1200
	flameRow      = 17
	flameTop      = 30
	flameChar     = 7.0 // width of a character
	flameMinWidth = 0.1 // narrower frames are not drawn
)

// Flame writes a tree as a flame graph: callers below callees, each as wide as its time. The
// picture is a single SVG file that loads nothing else.
func Flame(w io.Writer, t *analyze.Tree) error {
	f := &flame{out: bufio.NewWriter(w), by: t.By, widths: map[*analyze.Node]time.Duration{}}
	var roots []*analyze.Node
	for _, thread := range t.Threads {
		roots = append(roots, thread.Roots...)
	}
	depth := 0
	for _, n := range roots {
		depth = max(depth, f.measure(n))
		f.all += f.widths[n]
	}
	height := flameTop + (depth+1)*flameRow + 24
	fmt.Fprintf(f.out, `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="monospace" font-size="12">
<style>g.frame { cursor: pointer } g.frame:hover rect { stroke: #000000 } text { pointer-events: none }</style>
<rect width="100%%" height="100%%" fill="#ffffff"/>
<text x="10" y="20" font-size="14">%s; click a frame to zoom</text>
`, flameWidth, height, html.EscapeString("utrace: "+analyze.FormatDuration(f.all)+" in complete calls"))
	f.bottom = flameTop + depth*flameRow
	f.frame("all", 0, f.all, 0, 0, 0)
	x := time.Duration(0)
	for _, n := range roots {
		f.node(n, x, 1, "")
		x += f.widths[n]
	}
	fmt.Fprintf(f.out, "<script><![CDATA[\n%s]]></script>\n</svg>\n", flameScript)
	return f.out.Flush()
}

type flame struct {
	out    *bufio.Writer
	by     string // the nodes are grouped by this
	widths map[*analyze.Node]time.Duration
	all    time.Duration
	bottom int // y of the lowest row
}

// measure computes the widths of n and all nodes above it, and returns their number of rows. A call
// without a return is as wide as the complete calls inside it.
func (f *flame) measure(n *analyze.Node) int {
	inside, rows := time.Duration(0), 0
	for _, child := range n.Children {
		rows = max(rows, f.measure(child))
		inside += f.widths[child]
	}
	f.widths[n] = max(n.Total, n.Self+inside)
	return rows + 1
}

// node draws n and all nodes above it. around is the value of its caller.
func (f *flame) node(n *analyze.Node, x time.Duration, depth int, around string) {
	width := f.widths[n]
	if !f.frame(nodeName(n, f.by, around), x, width, depth, n.Self, n.Calls) {
		return
	}
	for _, child := range n.Children {
		f.node(child, x, depth+1, n.Value.Text)
		x += f.widths[child]
	}
}

// frame draws a frame if it is wide enough to be seen, and reports whether it is.
func (f *flame) frame(name string, x, width time.Duration, depth int, self time.Duration, calls uint64) bool {
	scale := float64(flameWidth-20) / float64(max(1, f.all))
	left, wide := 10+float64(x)*scale, float64(width)*scale
	if wide < flameMinWidth {
		return false
	}
	y := f.bottom - depth*flameRow
	title := fmt.Sprintf("%s: %s, %.2f%%", name, analyze.FormatDuration(width), 100*float64(width)/float64(max(1, f.all)))
	if depth > 0 {
		title += fmt.Sprintf(", self %s, %s", analyze.FormatDuration(self), analyze.Plural(calls, "call", "calls"))
	}
	fmt.Fprintf(f.out, "<g class=\"frame\" data-name=\"%s\"><title>%s</title><rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" fill=\"%s\" rx=\"1\"/><text x=\"%.2f\" y=\"%d\">%s</text></g>\n",
		html.EscapeString(name), html.EscapeString(title), left, y, wide, flameRow-1, flameColour(name), left+3, y+12, html.EscapeString(fitting(name, wide)))
	return true
}

// fitting cuts a name to the width of a frame.
func fitting(name string, wide float64) string {
	room := int((wide - 6) / flameChar)
	if room < 3 {
		return ""
	}
	if runes := []rune(name); len(runes) > room {
		return string(runes[:room-2]) + ".."
	}
	return name
}

// flameColour is a warm colour, always the same for the same name.
func flameColour(name string) string {
	h := fnv.New32a()
	io.WriteString(h, name)
	hash := h.Sum32()
	return fmt.Sprintf("hsl(%d,85%%,%d%%)", 5+hash%45, 58+hash>>8%14)
}
