package page

import (
	"fmt"
	"slices"
	"time"

	"utrace/analyze"
)

// limits is how much of each kind a page holds.
type limits struct {
	rows       int // of the report
	histograms int // of rows
	details    int // functions with heatmap and slowest calls
	slowest    int // calls of each of these
	nodes      int // call paths
	edges      int // pairs of caller and callee
}

// mostData is what a page of that many functions holds at most. With fewer slow calls it mostly fits
// at once: each try takes time.
func mostData(functions int) limits {
	return limits{rows: 20_000, histograms: 4000, details: 2000, slowest: min(10, max(3, 2000/max(1, functions))), nodes: 20_000, edges: 20_000}
}

// less is about half.
func (l limits) less() limits {
	return limits{
		rows: max(100, l.rows*3/4), histograms: max(10, l.histograms/2), details: max(10, l.details/2), slowest: max(1, l.slowest*3/4),
		nodes: max(100, l.nodes*3/4), edges: max(100, l.edges*3/4),
	}
}

// least reports whether there is no less.
func (l limits) least() bool { return l == l.less() }

// leaveOutEdges says how many pairs of callers and callees the page holds, if not all.
func (d *data) leaveOutEdges(all, room int) {
	text := fmt.Sprintf("callers and callees after the first %d pairs, by time", room)
	if all > room && !slices.Contains(d.LeftOut, text) {
		d.LeftOut = append(d.LeftOut, text)
	}
}

// leaveOut says what the page does not hold of all rows and of call paths.
func (d *data) leaveOut(all int, lim limits, trees ...*tree) {
	add := func(text string, args ...any) { d.LeftOut = append(d.LeftOut, fmt.Sprintf(text, args...)) }
	shown := len(d.Rows.Label)
	if shown < all {
		add("%d of %d rows of the table, the last ones", all-shown, all)
	}
	if lim.histograms < shown {
		add("the distributions of the functions after the first %d", lim.histograms)
	}
	for _, t := range trees {
		if t.LeftOut > 0 {
			add("%s of less than %s each", analyze.Plural(uint64(t.LeftOut), "call path", "call paths"), analyze.FormatDuration(time.Duration(t.MinNs)))
		}
	}
}
