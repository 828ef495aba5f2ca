package render

import (
	"bufio"
	_ "embed"
	"fmt"
	"html"
	"io"
	"time"

	"utrace/analyze"
)

// flameScript fits a flame graph to the window, zooms and searches.
//
//go:embed flame.js
var flameScript string

// Sizes in a flame graph, in pixels. Without a script it is flameWidth wide.
const (
	flameWidth    = 1200
	flameEdge     = 10
	flameRow      = 17
	flameTop      = 50
	flameBottom   = 24
	flameChar     = 7.2 // width of a character
	flameMinWidth = 0.1 // narrower frames are not drawn
)

// flamePicture draws frames.
type flamePicture struct {
	origin, summary string // above the frames
	color           func(*flameNode) string
	title           func(*flameNode) string // what a tooltip says besides the width
	legend          time.Duration           // of a comparison: the largest change
	out             *bufio.Writer
	all             time.Duration // width of everything
	base            int           // y of the lowest row
}

func (p *flamePicture) write(w io.Writer, all *flameNode) error {
	p.out, p.all = bufio.NewWriter(w), all.width
	rows := all.rows()
	p.base = (rows - 1) * flameRow
	height := flameTop + rows*flameRow + flameBottom
	fmt.Fprintf(p.out, `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" class="utrace-flame" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="monospace" font-size="12">
<style>g.frame, .button { cursor: pointer } g.frame:hover rect { stroke: #000000 } g.found rect { fill: #c04ce0 } text { pointer-events: none } .button { pointer-events: all }</style>
<rect width="100%%" height="100%%" fill="#ffffff"/>
<text x="%d" y="20" font-size="14">%s</text>
<text x="%[3]d" y="38">%[5]s; click a frame to zoom, press / to search</text>
`, flameWidth, height, flameEdge, html.EscapeString(p.origin), html.EscapeString(p.summary))
	y := height - 8
	fmt.Fprintf(p.out, "<text id=\"search\" class=\"button\" x=\"%d\" y=\"%d\" fill=\"#0050a0\">search</text>\n", flameEdge, y)
	fmt.Fprintf(p.out, "<text id=\"reset\" class=\"button\" x=\"%d\" y=\"%d\" fill=\"#0050a0\">reset</text>\n", flameEdge+60, y)
	fmt.Fprintf(p.out, "<text id=\"matched\" x=\"%d\" y=\"%d\"></text>\n", flameEdge+120, y)
	if p.legend > 0 {
		p.writeLegend(y)
	}
	fmt.Fprintf(p.out, "<svg id=\"frames\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\">\n", flameEdge, flameTop, flameWidth-2*flameEdge, rows*flameRow)
	p.node(all, 0, 0)
	fmt.Fprintf(p.out, "</svg>\n<script><![CDATA[\n%s]]></script>\n</svg>\n", flameScript)
	return p.out.Flush()
}

// writeLegend shows the colours of changes.
func (p *flamePicture) writeLegend(y int) {
	x := flameWidth / 2
	fmt.Fprintf(p.out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">self time: %s less</text>\n", x-6, y, analyze.FormatDuration(p.legend))
	const steps, width = 4, 18
	for i := -steps; i <= steps; i++ {
		shade := changeShade(time.Duration(float64(p.legend)*float64(i*max(i, -i))/(steps*steps)), p.legend)
		fmt.Fprintf(p.out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"12\" fill=\"%s\"/>\n", x+(i+steps)*width, y-10, width, shade)
	}
	fmt.Fprintf(p.out, "<text x=\"%d\" y=\"%d\">%s more</text>\n", x+(2*steps+1)*width+6, y, analyze.FormatDuration(p.legend))
}

// node draws n at x and all frames above it, unless they are too narrow to be seen.
func (p *flamePicture) node(n *flameNode, x time.Duration, depth int) {
	percent := 100 / float64(max(1, p.all))
	const inner = flameWidth - 2*flameEdge
	wide := float64(n.width) * percent * inner / 100
	if wide < flameMinWidth && depth > 0 {
		return
	}
	y := p.base - depth*flameRow
	title := fmt.Sprintf("%s: %s, %.2f%%", n.name, analyze.FormatDuration(n.width), float64(n.width)*percent)
	color := warmColor(n.name)
	if depth > 0 {
		title += p.title(n)
	}
	if depth > 0 || p.legend > 0 {
		color = p.color(n)
	}
	name := html.EscapeString(n.name)
	fmt.Fprintf(p.out, "<g class=\"frame\" data-name=\"%s\"><title>%s</title><rect x=\"%.4f%%\" y=\"%d\" width=\"%.4f%%\" height=\"%d\" fill=\"%s\" rx=\"1\"/><text x=\"%.4[3]f%%\" dx=\"3\" y=\"%[8]d\">%s</text></g>\n",
		name, html.EscapeString(title), float64(x)*percent, y, float64(n.width)*percent, flameRow-1, color, y+12, html.EscapeString(fitting(n.name, wide)))
	for _, child := range n.children {
		p.node(child, x, depth+1)
		x += child.width
	}
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
