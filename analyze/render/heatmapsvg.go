package render

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"time"

	"utrace/analyze"
)

// Sizes in a heatmap in an SVG file, in pixels.
const (
	heatCell   = 14
	heatLeft   = 90
	heatTop    = 34 // title, and space above it
	heatBottom = 30 // axis of time
	heatWidth  = heatLeft + analyze.HeatmapSlices*heatCell + 20
)

// HeatmapSVG writes heatmaps as a picture, one below the other. Each cell has its figures as a
// tooltip.
func HeatmapSVG(w io.Writer, maps []analyze.Heatmap) error {
	out := bufio.NewWriter(w)
	height := 10
	for i := range maps {
		height += heatTop + len(maps[i].Rows)*heatCell + heatBottom
	}
	fmt.Fprintf(out, `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="monospace" font-size="11">
<rect width="100%%" height="100%%" fill="#ffffff"/>
`, heatWidth, height)
	y := 0
	for i := range maps {
		y = heatmapSVG(out, &maps[i], y)
	}
	fmt.Fprintln(out, "</svg>")
	return out.Flush()
}

// heatmapSVG writes one heatmap at y, and returns the y of its end.
func heatmapSVG(w io.Writer, m *analyze.Heatmap, y int) int {
	highest := maxCalls(m)
	title := fmt.Sprintf("%s: %s by latency and when they began", m.Label, analyze.Plural(m.Calls, "complete call", "complete calls"))
	if m.Uncertain > 0 {
		title += "; " + furtherUncertain(m.Uncertain)
	}
	fmt.Fprintf(w, "<text x=\"%d\" y=\"%d\" font-size=\"13\">%s</text>\n", heatLeft, y+heatTop-12, html.EscapeString(title))
	y += heatTop
	for r := len(m.Rows) - 1; r >= 0; r-- {
		row := &m.Rows[r]
		fmt.Fprintf(w, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", heatLeft-6, y+heatCell-3, analyze.FormatDuration(row.Low))
		for s, n := range row.Calls[:m.Slices] {
			if n == 0 {
				continue
			}
			light := 88 - 68*intensity(n, highest)
			at := m.From + time.Duration(s)*m.Slice
			fmt.Fprintf(w, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"hsl(14,85%%,%.0f%%)\"><title>%s of %s to %s, %s to %s after the start</title></rect>\n",
				heatLeft+s*heatCell, y, heatCell-1, heatCell-1, light, analyze.Plural(n, "call", "calls"), analyze.FormatDuration(row.Low),
				analyze.FormatDuration(row.High), analyze.FormatDuration(at), analyze.FormatDuration(at+m.Slice))
		}
		y += heatCell
	}
	right := heatLeft + m.Slices*heatCell
	fmt.Fprintf(w, "<path d=\"M%d %dH%d\" stroke=\"#666666\"/>\n", heatLeft, y, right)
	fmt.Fprintf(w, "<text x=\"%d\" y=\"%d\">%s</text>\n", heatLeft, y+14, analyze.FormatDuration(m.From))
	if m.Slices > 16 {
		fmt.Fprintf(w, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", right, y+14, analyze.FormatDuration(m.From+time.Duration(m.Slices)*m.Slice))
	}
	return y + heatBottom
}
