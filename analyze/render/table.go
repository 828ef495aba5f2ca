package render

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"utrace/analyze"
	"utrace/analyze/render/terminal"
)

// waitColumns are the titles for the parts of the total time; none if the scheduler was not
// recorded.
func waitColumns(r *analyze.Result) []string {
	if !r.Trace.Sched {
		return nil
	}
	list := []string{"On CPU", "Runnable", "Blocked"}
	if slices.ContainsFunc(r.Rows, func(row analyze.Row) bool { return row.Waits.Unknown > 0 }) {
		list = append(list, "Not known")
	}
	return list
}

func columns(estimates, errors bool) []string {
	list := []string{"Total time", "Self time", "Calls", "Avg", "P50", "P90", "P99", "P99.9", "Max"}
	if estimates {
		list = append(slices.Insert(list, 3, "±"), "Covered")
	}
	if errors {
		list = append(list, "Errors")
	}
	return list
}

// waitCells are the cells of the first n wait columns.
func waitCells(s *analyze.Stats, n int) []string {
	line := []string{"-", "-", "-", "-"}
	if known := KnownFigures(s); known.Total {
		for i, v := range []time.Duration{s.CPU(), s.Waits.Runnable, s.Waits.Blocked, s.Waits.Unknown} {
			if i == 3 || known.Waits {
				line[i] = aligned(v)
			}
		}
	}
	return line[:n]
}

func newFigureTable(r *analyze.Result, named bool) *figureTable {
	rows := r.Rows
	t := &figureTable{labels: []label{{name: "Function"}}}
	for i := range rows {
		l := label{mark: unresolved(&rows[i]), name: rows[i].Label}
		if r.By != "" {
			l.notes = append(l.notes, cut(cmp.Or(rows[i].Value.Text, "-"), maxValue))
		}
		if named {
			l.notes = append(l.notes, Programs(rows[i].Programs))
		}
		t.labels = append(t.labels, l)
	}
	if r.By != "" {
		t.labels[0].notes = append(t.labels[0].notes, r.By)
	}
	if named {
		t.labels[0].notes = append(t.labels[0].notes, "Process")
	}
	errors := slices.ContainsFunc(rows, func(r analyze.Row) bool { return r.Errors > 0 })
	estimates := slices.ContainsFunc(rows, func(r analyze.Row) bool { return r.Covered < 1 || r.CallsError > 0 })
	waits := waitColumns(r)
	t.lines = [][]terminal.Span{plainCells(append(columns(estimates, errors), waits...))}
	var self time.Duration
	for i := range rows {
		self += rows[i].Self
	}
	for i := range rows {
		row := &rows[i]
		line := plainCells(cells(&row.Stats))
		line[1].Color = selfColor(row.Self, self)
		if estimates {
			line = append(slices.Insert(line, 3, terminal.Span{Text: margin(&row.Stats)}), terminal.Span{Text: share(row.Covered)})
		}
		if errors {
			cell := terminal.Span{Text: fmt.Sprint(row.Errors)}
			if row.Errors > 0 {
				cell.Color = terminal.Bad
			}
			line = append(line, cell)
		}
		t.lines = append(t.lines, append(line, plainCells(waitCells(&row.Stats, len(waits)))...))
	}
	return t
}

func plainCells(texts []string) []terminal.Span {
	cells := make([]terminal.Span, len(texts))
	for i, text := range texts {
		cells[i].Text = text
	}
	return cells
}

// Shares of all self time from which a function's is coloured.
const (
	muchSelf = 0.05
	mostSelf = 0.25
)

func selfColor(self, all time.Duration) terminal.Color {
	switch part := float64(self) / float64(max(1, all)); {
	case part >= mostSelf:
		return terminal.Bad
	case part >= muchSelf:
		return terminal.Caution
	}
	return terminal.Plain
}

// unresolved is the mark ahead of a function whose times are below the uncertainty of its probes'
// cost, or may contain the cost of others' probes.
func unresolved(r *analyze.Row) string {
	if r.BelowResolution || r.AwaitsProbes {
		return "~"
	}
	return ""
}

// margin is half of the 95% interval of a number of calls, in percent.
func margin(s *analyze.Stats) string {
	switch {
	case s.CallsError == 0:
		return "exact"
	case s.Calls == 0:
		return "±" + fmt.Sprint(s.CallsError)
	}
	percent := 100 * float64(s.CallsError) / float64(s.Calls)
	if percent < 10 {
		return fmt.Sprintf("±%.1f%%", percent)
	}
	return fmt.Sprintf("±%.0f%%", percent)
}

// share writes a part of 1 in percent, with two digits where it is small.
func share(part float64) string {
	switch percent := 100 * part; {
	case percent >= 99.95:
		return "100%"
	case percent >= 10:
		return fmt.Sprintf("%.1f%%", percent)
	default:
		return fmt.Sprintf("%.2g%%", percent)
	}
}

// Known says which figures of a row are known: the others are shown as -.
type Known struct {
	Total, Mean, Quantiles, Max bool
	Waits                       bool // the parts of the total time, if the scheduler was recorded
}

// KnownFigures returns which figures of a row the report shows.
func KnownFigures(s *analyze.Stats) Known {
	return Known{
		Total: timed(s), Mean: s.Durations.Count()+s.Censored.Count()+s.Dropped > 0, Quantiles: s.Durations.Count()+s.Censored.Count() > 0,
		Max: s.Durations.Count() > 0, Waits: timed(s) && (s.Waits.Unknown == 0 || s.Waits.Unknown < s.Total),
	}
}

// timed reports whether any call is in the total time.
func timed(s *analyze.Stats) bool {
	return s.Durations.Count()+s.Censored.Count()+s.Uncertain+s.Dropped > 0
}

// cells are the figures of a row, "-" if no call is complete.
func cells(s *analyze.Stats) []string {
	line := []string{"-", "-", fmt.Sprint(s.Calls), "-", "-", "-", "-", "-", "-"}
	known := KnownFigures(s)
	if known.Total {
		line[0], line[1] = bounded(s.Total, ">", s.MeanAtLeast()), selfCell(s)
	}
	if known.Mean {
		line[3] = bounded(s.Mean(), ">", s.MeanAtLeast())
	}
	if known.Quantiles {
		for i, q := range quantiles() {
			line[4+i] = bounded(s.Quantile(q), ">", s.QuantileAtLeast(q))
		}
	}
	if known.Max {
		line[8] = aligned(s.Durations.Max())
	}
	return line
}

// selfCell is a bound if the time of callees, or of long calls, is unknown.
func selfCell(s *analyze.Stats) string {
	switch least := s.MeanAtLeast(); {
	case least && s.SelfAtMost:
		return "-"
	case least:
		return bounded(s.Self, ">", true)
	default:
		return bounded(s.Self, "<", s.SelfAtMost)
	}
}

// quantiles are those of the columns, in thousandths.
func quantiles() []uint64 { return []uint64{500, 900, 990, 999} }

// bounded writes a duration with a mark if it is a bound only.
func bounded(d time.Duration, mark string, bound bool) string {
	if bound {
		return mark + aligned(d)
	}
	return aligned(d)
}

// aligned writes a duration with its unit in two characters, as uftrace does, so that columns
// align.
func aligned(d time.Duration) string { return string(appendAligned(nil, d)) }

func appendAligned(b []byte, d time.Duration) []byte {
	b = analyze.AppendDuration(b, d)
	if n := len(b) - 1; b[n-1] == ' ' {
		b = append(b[:n], " s"...)
	}
	return b
}
