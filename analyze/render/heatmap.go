package render

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"utrace/analyze"
)

// shades are characters for more and more calls, on a logarithmic scale.
const shades = ".:-=+*#%@"

// Heatmap writes how the latency of functions changes over time: a line for each power of two,
// longest first, and a character for each slice of time.
func Heatmap(w io.Writer, maps []analyze.Heatmap) error {
	out := bufio.NewWriter(w)
	for i := range maps {
		if i > 0 {
			fmt.Fprintln(out)
		}
		m := &maps[i]
		fmt.Fprintf(out, "# %s: complete calls by latency (up) and by when they began (right)\n", m.Label)
		if m.Calls > 0 {
			heatmap(out, m)
		}
		if m.Sampled {
			fmt.Fprintf(out, "# a sample: %s, in the times when utrace probed the function\n", analyze.Plural(m.Calls, "recorded call", "recorded calls"))
		}
		if m.Uncertain > 0 {
			fmt.Fprintf(out, "# %s\n", furtherUncertain(m.Uncertain))
		}
	}
	return out.Flush()
}

func heatmap(w io.Writer, m *analyze.Heatmap) {
	highest := maxCalls(m)
	for r := len(m.Rows) - 1; r >= 0; r-- {
		row := &m.Rows[r]
		line, calls := make([]byte, m.Slices), uint64(0)
		for s := range line {
			line[s] = ' '
			if n := row.Calls[s]; n > 0 {
				line[s] = shades[int(intensity(n, highest)*float64(len(shades)-1))]
				calls += n
			}
		}
		fmt.Fprintf(w, "%11s |%s| %d\n", aligned(row.Low), line, calls)
	}
	from, to := analyze.FormatDuration(m.From), analyze.FormatDuration(m.From+time.Duration(m.Slices)*m.Slice)
	fmt.Fprintf(w, "%11s +%s+\n", "", strings.Repeat("-", m.Slices))
	fmt.Fprintf(w, "%11s  %-*s%s\n", "", max(m.Slices-len(to), len(from)+1), from, to)
	fmt.Fprintf(w, "# a character is %s; %s is 1 to %d calls\n", analyze.FormatDuration(m.Slice), shades, highest)
}

// maxCalls is the highest number of calls in a cell.
func maxCalls(m *analyze.Heatmap) uint64 {
	highest := uint64(0)
	for i := range m.Rows {
		for _, n := range m.Rows[i].Calls {
			highest = max(highest, n)
		}
	}
	return highest
}

// intensity is 0 for one call and 1 for highest calls. calls must be at least 1.
func intensity(calls, highest uint64) float64 {
	if highest <= 1 {
		return 1
	}
	return min(1, math.Log(float64(calls))/math.Log(float64(highest)))
}
