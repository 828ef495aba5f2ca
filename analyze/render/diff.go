package render

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"utrace/analyze"
	"utrace/analyze/compare"
	"utrace/analyze/render/terminal"
)

// Verdict is a threshold and the changes that meet it.
type Verdict struct {
	Condition *compare.Threshold
	Met       []*compare.Change
}

// diffMetrics are the metrics in the table.
func diffMetrics() []compare.Metric {
	return []compare.Metric{compare.Calls, compare.Total, compare.Self, compare.P50, compare.P99}
}

// Diff writes a comparison: a header, and a table of the first top functions.
func Diff(w io.Writer, c *compare.Comparison, top int, screen terminal.Screen) error {
	out := bufio.NewWriter(w)
	for _, f := range DiffFacts(c) {
		fmt.Fprintf(out, "# %-7s %s\n", f.Name, f.Value)
	}
	fmt.Fprintln(out)
	diffTable(out, c.Changes[:top], screen)
	return out.Flush()
}

// DiffFacts are the header of a comparison: what was compared, and how.
func DiffFacts(c *compare.Comparison) (facts []Fact) {
	add := func(name, value string) { facts = append(facts, Fact{name, value}) }
	add("old", diffSide(&c.Old))
	add("new", diffSide(&c.New))
	if len(c.Shifts) > 0 {
		var shifts []string
		for m := compare.Calls; m <= compare.P99; m++ {
			if shift, ok := c.Shifts[m]; ok {
				shifts = append(shifts, fmt.Sprintf("%s %+.1f%%", m, 100*shift))
			}
		}
		add("shift", strings.Join(shifts, ", ")+": the median of all functions, which counts as the machine's")
	}
	if c.Old.Probes.Raw {
		add("probes", probes(&c.Old))
	}
	if c.ByRuns {
		add("noise", "from the differences between the traces of a side")
	} else {
		add("noise", "from how each trace varies in time, and how functions differ; three or more traces a side show more")
	}
	significant := 0
	for i := range c.Changes {
		if c.Changes[i].Significant() {
			significant++
		}
	}
	add("result", fmt.Sprintf("%d of %d functions changed significantly: those with *", significant, len(c.Changes)))
	return facts
}

func diffSide(t *analyze.Trace) string {
	var durations []string
	for _, d := range t.Durations {
		durations = append(durations, analyze.FormatDuration(d))
	}
	text := strings.Join(t.Files, ", ") + ": "
	if n := len(t.Files); n > 1 {
		text += fmt.Sprintf("%d traces, ", n)
	}
	text += fmt.Sprintf("%s, %d events", strings.Join(durations, " + "), t.Events)
	if t.Survey != nil {
		text += ", a survey: " + survey(t.Survey)
	}
	switch n := len(t.Processes); {
	case len(t.Commands) > 0:
		text += ", " + cut(strings.Join(t.Commands, "; "), maxCommand)
	case n > 1:
		text += fmt.Sprintf(", process %s, and %d more", processText(&t.Processes[0]), n-1)
	case n > 0:
		text += ", process " + processText(&t.Processes[0])
	}
	return text + ", asked for " + cut(strings.Join(t.AskedFor(), ", "), maxAskedFor)
}

// diffLabel is the name of a function with notes about its figures.
func diffLabel(ch *compare.Change) string {
	label := ch.Label
	if ch.BelowResolution() {
		label = "~" + label
	}
	for _, side := range []struct {
		name string
		row  *analyze.Row
	}{{"old", ch.Old}, {"new", ch.New}} {
		if side.row == nil {
			continue
		}
		if side.row.CallsError > 0 {
			label += fmt.Sprintf(", %s: calls %s", side.name, margin(&side.row.Stats))
		}
		if n := side.row.Lost; n > 0 {
			label += fmt.Sprintf(", %s: %s lost", side.name, analyze.Plural(n, "entry", "entries"))
		}
	}
	return label
}

// hasMetric reports whether a function has calls for a metric.
func hasMetric(s *analyze.Stats, m compare.Metric) bool {
	switch known := KnownFigures(s); m {
	case compare.Calls:
		return true
	case compare.Total, compare.Self:
		return known.Total
	case compare.Avg:
		return known.Mean
	case compare.Max:
		return known.Max
	default:
		return known.Quantiles
	}
}

func diffCells(ch *compare.Change, m compare.Metric) []string {
	d := &ch.Deltas[m]
	value := func(r *analyze.Row, v int64) string {
		switch {
		case r == nil, !hasMetric(&r.Stats, m):
			return "-"
		case m == compare.Calls:
			return fmt.Sprint(v)
		}
		return aligned(time.Duration(v))
	}
	return []string{value(ch.Old, d.Old), value(ch.New, d.New), diffChange(ch, m)}
}

// hasChange reports whether a metric has a change: both sides have it, of the same calls.
func hasChange(ch *compare.Change, m compare.Metric) bool {
	return ch.Old != nil && ch.New != nil && hasMetric(&ch.Old.Stats, m) && hasMetric(&ch.New.Stats, m) && !ch.Deltas[m].Unlike
}

// diffChange writes a change as measured, in percent.
func diffChange(ch *compare.Change, m compare.Metric) string {
	d := &ch.Deltas[m]
	switch {
	case ch.Old == nil:
		return "new"
	case ch.New == nil:
		return "gone"
	case !hasChange(ch, m), d.Old == 0 && d.New == 0:
		return "-"
	}
	text := "more"
	if d.Old != 0 {
		text = fmt.Sprintf("%+.1f%%", 100*(float64(d.New)/float64(d.Old)-1))
	}
	if d.Significant {
		return text + "*"
	}
	return text + " "
}
