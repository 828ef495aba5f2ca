package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"utrace/analyze/compare"
	"utrace/analyze/render/terminal"
)

// diffTable writes three columns for each metric: old, new, and the change, with * if it is
// significant. If the screen is too narrow, metrics are left out, and then names are shortened.
func diffTable(w io.Writer, changes []compare.Change, screen terminal.Screen) {
	metrics := diffMetrics()
	widths, left := diffWidths(changes, metrics), []compare.Metric(nil)
	labels := make([]string, len(changes))
	names := len("Function")
	for i := range changes {
		labels[i] = diffLabel(&changes[i])
		names = max(names, terminal.Width(labels[i]))
	}
	if screen.Width > 0 {
		metrics, left = fitMetrics(changes, metrics, widths, screen.Width-2-min(names, terminal.MinName))
		room := screen.Width - 2
		for _, m := range metrics {
			room -= groupWidth(widths[m])
		}
		for i := range labels {
			labels[i] = terminal.Shorten(labels[i], max(1, room))
		}
	}
	titles := map[compare.Metric]string{
		compare.Calls: "Calls", compare.Total: "Total time", compare.Self: "Self time", compare.P50: "P50", compare.P99: "P99",
	}
	for _, m := range metrics {
		width := groupWidth(widths[m]) - 2
		before := (width - len(titles[m]) - 2) / 2
		fmt.Fprintf(w, "  %s %s %s", strings.Repeat("=", before), titles[m], strings.Repeat("=", width-before-len(titles[m])-2))
	}
	fmt.Fprintln(w)
	for _, m := range metrics {
		fmt.Fprintf(w, "  %*s %*s %*s", widths[m][0], "old", widths[m][1], "new", widths[m][2], "change")
	}
	fmt.Fprintln(w, "  Function")
	for i := range changes {
		for _, m := range metrics {
			cells := diffCells(&changes[i], m)
			fmt.Fprintf(w, "  %*s %*s ", widths[m][0], cells[0], widths[m][1], cells[1])
			fmt.Fprint(w, strings.Repeat(" ", widths[m][2]-len(cells[2])), screen.Paint(cells[2], changeColor(&changes[i].Deltas[m])))
		}
		label, marked := strings.CutPrefix(labels[i], "~")
		if marked {
			label = screen.Paint("~", terminal.Caution) + label
		}
		fmt.Fprintln(w, " ", label)
	}
	dropped := make([]string, len(left))
	for i, m := range left {
		dropped[i] = titles[m]
	}
	leftOut(w, dropped)
}

// diffWidths are the widths of the three columns of each metric.
func diffWidths(changes []compare.Change, metrics []compare.Metric) map[compare.Metric][3]int {
	all := map[compare.Metric][3]int{}
	for _, m := range metrics {
		widths := [3]int{6, 6, 6}
		for i := range changes {
			for c, cell := range diffCells(&changes[i], m) {
				widths[c] = max(widths[c], len(cell))
			}
		}
		all[m] = widths
	}
	return all
}

// groupWidth is the width of the columns of a metric, with the space around them.
func groupWidth(widths [3]int) int { return widths[0] + widths[1] + widths[2] + 4 }

// fitMetrics returns the metrics that have room, and those that have not. Metrics without a
// significant change are left out first.
func fitMetrics(changes []compare.Change, metrics []compare.Metric, widths map[compare.Metric][3]int, room int) (fit, left []compare.Metric) {
	ranked := []compare.Metric{compare.Total, compare.P50, compare.P99, compare.Calls, compare.Self}
	columns := make([]terminal.Column, len(metrics))
	for i, m := range metrics {
		rank := slices.Index(ranked, m)
		if !slices.ContainsFunc(changes, func(ch compare.Change) bool { return ch.Deltas[m].Significant }) {
			rank += len(ranked)
		}
		columns[i] = terminal.Column{Width: groupWidth(widths[m]), Rank: rank}
	}
	for i, keep := range terminal.Fit(columns, room) {
		if keep {
			fit = append(fit, metrics[i])
		} else {
			left = append(left, metrics[i])
		}
	}
	return fit, left
}

// changeColor is that of a significant change.
func changeColor(d *compare.Delta) terminal.Color {
	switch {
	case !d.Significant:
		return terminal.Plain
	case d.New > d.Old:
		return terminal.Bad
	}
	return terminal.Good
}
