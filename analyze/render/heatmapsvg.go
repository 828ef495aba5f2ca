package render

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"math"
	"time"

	"utrace/analyze"
)

// Sizes in a heatmap in an SVG file, in pixels.
const (
	heatCell   = 14
	heatLeft   = 90
	heatTop    = 34                                              // title, and space above it
	heatBottom = 66                                              // axis of time, and the legend
	heatTick   = 16                                              // cells between two times on the axis
	heatWidth  = heatLeft + analyze.HeatmapSlices*heatCell + 100 // with the last time on the axis
)

// HeatmapSVG writes heatmaps as a picture, one below the other. Each cell has its figures as a
// tooltip. The axis has the time since the start and, for a single recording, by the clock.
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
			at := m.From + time.Duration(s)*m.Slice
			fmt.Fprintf(w, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"><title>%s of %s to %s, %s to %s after the start</title></rect>\n",
				heatLeft+s*heatCell, y, heatCell-1, heatCell-1, heatShade(n, highest), analyze.Plural(n, "call", "calls"), analyze.FormatDuration(row.Low),
				analyze.FormatDuration(row.High), analyze.FormatDuration(at), analyze.FormatDuration(at+m.Slice))
		}
		y += heatCell
	}
	heatAxis(w, m, y)
	heatLegend(w, highest, y+46)
	return y + heatBottom
}

// heatShade is the colour of a cell.
func heatShade(calls, highest uint64) string {
	return fmt.Sprintf("hsl(14,85%%,%.0f%%)", 88-68*intensity(calls, highest))
}

// heatAxis writes the axis of time: since the start of the recording and, below that, by the clock.
func heatAxis(w io.Writer, m *analyze.Heatmap, y int) {
	fmt.Fprintf(w, "<path d=\"M%d %dH%d\" stroke=\"#666666\"/>\n", heatLeft, y, heatLeft+m.Slices*heatCell)
	for s := 0; s <= m.Slices; s += heatTick {
		x, at := heatLeft+s*heatCell, m.From+time.Duration(s)*m.Slice
		fmt.Fprintf(w, "<path d=\"M%d %dv4\" stroke=\"#666666\"/>\n", x, y)
		fmt.Fprintf(w, "<text x=\"%d\" y=\"%d\">%s</text>\n", x, y+14, analyze.FormatDuration(at))
		if !m.Start.IsZero() {
			clock := m.Start.Add(at)
			layout := "15:04:05.000"
			if s == 0 {
				layout = "2006-01-02 15:04:05.000 MST"
			}
			fmt.Fprintf(w, "<text x=\"%d\" y=\"%d\" fill=\"#666666\">%s</text>\n", x, y+27, clock.Format(layout))
		}
	}
}

// heatLegend says how many calls a colour is.
func heatLegend(w io.Writer, highest uint64, y int) {
	if highest == 0 {
		return
	}
	fmt.Fprintf(w, "<text x=\"%d\" y=\"%d\">calls in a cell:</text>\n", heatLeft, y)
	x := heatLeft + 110
	for _, calls := range legendCalls(highest) {
		label := fmt.Sprint(calls)
		fmt.Fprintf(w, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>\n", x, y-heatCell+3, heatCell-1, heatCell-1, heatShade(calls, highest))
		fmt.Fprintf(w, "<text x=\"%d\" y=\"%d\">%s</text>\n", x+heatCell+2, y, label)
		x += heatCell + 14 + 7*len(label)
	}
}

// legendCalls are numbers of calls from 1 to highest, at about equal distances of colour.
func legendCalls(highest uint64) (list []uint64) {
	const steps = 4
	for i := range steps + 1 {
		calls := uint64(math.Round(math.Pow(float64(highest), float64(i)/steps)))
		if len(list) == 0 || calls > list[len(list)-1] {
			list = append(list, calls)
		}
	}
	return list
}
