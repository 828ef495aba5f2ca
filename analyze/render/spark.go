package render

import (
	"strings"

	"utrace/analyze"
)

// sparkWidth is the width of the column of sparklines.
const sparkWidth = 16

// sparklines draws the distribution of each row. All have the same range, which it also returns. A
// character covers one power of two of the duration, or more if the range needs it.
func sparklines(rows []analyze.Row) (lines []string, scale string) {
	low, high := 64, -1
	counts := make([][64]uint64, len(rows))
	for i := range rows {
		counts[i] = rows[i].Durations.Octaves()
		for o, n := range counts[i] {
			if n > 0 {
				low, high = min(low, o), max(high, o)
			}
		}
	}
	step := max(1, (high-low+sparkWidth)/sparkWidth)
	for i := range counts {
		lines = append(lines, sparkline(counts[i][min(low, high+1):high+1], step))
	}
	if high < 0 {
		return lines, ""
	}
	from, to := analyze.OctaveStart(low), analyze.OctaveStart(high+1)
	return lines, analyze.FormatDuration(from) + " to " + analyze.FormatDuration(to) + ", " + analyze.Plural(uint64(step), "power", "powers") + " of two a character"
}

// sparkline has no spaces, so that the number of a line's fields is always the same.
func sparkline(counts []uint64, step int) string {
	bars := []rune("▁▂▃▄▅▆▇█")
	var sums [sparkWidth]uint64
	highest := uint64(1)
	for o, n := range counts {
		sums[o/step] += n
		highest = max(highest, sums[o/step])
	}
	var b strings.Builder
	for _, n := range sums {
		if n == 0 {
			b.WriteByte('.')
		} else {
			b.WriteRune(bars[int(float64(n)/float64(highest)*float64(len(bars)-1))])
		}
	}
	return b.String()
}
