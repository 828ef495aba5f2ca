package render

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"utrace/analyze"
	"utrace/analyze/compare"
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
func Diff(w io.Writer, c *compare.Comparison, top int) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# old     %s\n", diffSide(&c.Old))
	fmt.Fprintf(out, "# new     %s\n", diffSide(&c.New))
	if len(c.Shifts) > 0 {
		var shifts []string
		for m := compare.Calls; m <= compare.P99; m++ {
			if shift, ok := c.Shifts[m]; ok {
				shifts = append(shifts, fmt.Sprintf("%s %+.1f%%", m, 100*shift))
			}
		}
		fmt.Fprintf(out, "# shift   %s: the median of all functions, which counts as the machine's\n", strings.Join(shifts, ", "))
	}
	if c.Old.Probes.Raw {
		fmt.Fprintf(out, "# probes  %s\n", probes(&c.Old))
	}
	if c.ByRuns {
		fmt.Fprintln(out, "# noise   from the differences between the traces of a side")
	} else {
		fmt.Fprintln(out, "# noise   from how each trace varies in time, and how functions differ; three or more traces a side show more")
	}
	significant := 0
	for i := range c.Changes {
		if c.Changes[i].Significant() {
			significant++
		}
	}
	fmt.Fprintf(out, "# result  %d of %d functions changed significantly: those with *\n\n", significant, len(c.Changes))
	diffTable(out, c.Changes[:top])
	return out.Flush()
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
	if len(t.Commands) > 0 {
		text += ", " + cut(strings.Join(t.Commands, "; "), maxCommand)
	}
	return text
}

// diffTable writes three columns for each metric: old, new, and the change, with * if it is
// significant.
func diffTable(w io.Writer, changes []compare.Change) {
	metrics := diffMetrics()
	lines := [][]string{{}}
	for range metrics {
		lines[0] = append(lines[0], "old", "new", "change")
	}
	for i := range changes {
		var line []string
		for _, m := range metrics {
			line = append(line, diffCells(&changes[i], m)...)
		}
		lines = append(lines, line)
	}
	widths := make([]int, 3*len(metrics))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], len(cell), 6)
		}
	}
	titles := map[compare.Metric]string{
		compare.Calls: "Calls", compare.Total: "Total time", compare.Self: "Self time", compare.P50: "P50", compare.P99: "P99",
	}
	for i, m := range metrics {
		width := widths[3*i] + widths[3*i+1] + widths[3*i+2] + 2
		left := (width - len(titles[m]) - 2) / 2
		fmt.Fprintf(w, "  %s %s %s", strings.Repeat("=", left), titles[m], strings.Repeat("=", width-left-len(titles[m])-2))
	}
	fmt.Fprintln(w)
	for i, line := range lines {
		for c, cell := range line {
			if c%3 == 0 {
				fmt.Fprint(w, " ")
			}
			fmt.Fprintf(w, " %*s", widths[c], cell)
		}
		if i == 0 {
			fmt.Fprintln(w, "  Function")
		} else {
			fmt.Fprintln(w, " ", diffLabel(&changes[i-1]))
		}
	}
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
		if side.row.RemovedAt != 0 {
			label += fmt.Sprintf(", %s: first %s only", side.name, analyze.FormatDuration(side.row.RemovedAt))
		}
		if n := side.row.Lost; n > 0 {
			label += fmt.Sprintf(", %s: %s lost", side.name, analyze.Plural(n, "entry", "entries"))
		}
	}
	return label
}

// hasMetric reports whether a function has calls for a metric.
func hasMetric(s *analyze.Stats, m compare.Metric) bool {
	switch m {
	case compare.Calls:
		return true
	case compare.Total, compare.Self:
		return timed(s)
	case compare.Avg:
		return s.Durations.Count()+s.Dropped > 0
	}
	return s.Durations.Count() > 0
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

// jsonDiff is a comparison for programs. Its keys are a contract, like those of jsonReport.
type jsonDiff struct {
	Old       jsonDiffSide       `json:"old"`
	New       jsonDiffSide       `json:"new"`
	Shifts    map[string]float64 `json:"shift_percent"` // by metric
	ByRuns    bool               `json:"by_runs"`
	Raw       bool               `json:"raw"` // the cost of probes is not subtracted
	Functions []jsonChange       `json:"functions"`
	Failed    []jsonFailure      `json:"failed"`
	Warnings  []string           `json:"warnings"`
}

type jsonDiffSide struct {
	Files       []string `json:"files"`
	DurationNs  int64    `json:"duration_ns"`  // from the beginning of the first recording to the end of the last
	DurationsNs []int64  `json:"durations_ns"` // of each of the files
	Events      uint64   `json:"events"`
	Lost        uint64   `json:"lost"`
}

type jsonChange struct {
	Name            string               `json:"name"`
	Module          string               `json:"module"`
	File            string               `json:"file"`
	Line            int                  `json:"line"`
	State           string               `json:"state"` // both, new or gone
	Significant     bool                 `json:"significant"`
	BelowResolution bool                 `json:"below_resolution"` // on either side
	Metrics         map[string]jsonDelta `json:"metrics"`
}

type jsonDelta struct {
	Old           int64    `json:"old"` // nanoseconds, or calls; calls, total and self per trace
	New           int64    `json:"new"`
	Comparable    bool     `json:"comparable"`     // both sides have it, of the same calls
	ChangePercent *float64 `json:"change_percent"` // as measured; null if it is not comparable, or old is 0
	BeyondPercent *float64 `json:"beyond_percent"` // beyond the shift
	P             float64  `json:"p"`              // see compare.Delta
	Tested        bool     `json:"tested"`
	Significant   bool     `json:"significant"`
}

type jsonFailure struct {
	Condition string   `json:"condition"`
	Functions []string `json:"functions"`
}

// DiffJSON writes a comparison as one object, with the thresholds it meets and with warnings in the
// caller's words.
func DiffJSON(w io.Writer, c *compare.Comparison, verdicts []Verdict, words Words) error {
	side := func(t *analyze.Trace) jsonDiffSide {
		durations := []int64{}
		for _, d := range t.Durations {
			durations = append(durations, int64(d))
		}
		return jsonDiffSide{append([]string{}, t.Files...), int64(t.Duration), durations, t.Events, t.Lost}
	}
	out := jsonDiff{
		Old: side(&c.Old), New: side(&c.New), Shifts: map[string]float64{}, ByRuns: c.ByRuns, Raw: c.Old.Probes.Raw,
		Functions: []jsonChange{}, Failed: []jsonFailure{}, Warnings: words.warnings(c.Warnings),
	}
	for m, shift := range c.Shifts {
		out.Shifts[m.String()] = 100 * shift
	}
	percent := func(v float64) *float64 {
		if v *= 100; !math.IsInf(v, 0) && !math.IsNaN(v) {
			return &v
		}
		return nil
	}
	for i := range c.Changes {
		ch := &c.Changes[i]
		f := jsonChange{
			Name: ch.Name, Module: ch.Module, File: ch.File, Line: ch.Line, State: "both",
			Significant: ch.Significant(), BelowResolution: ch.BelowResolution(), Metrics: map[string]jsonDelta{},
		}
		if ch.Old == nil {
			f.State = "new"
		} else if ch.New == nil {
			f.State = "gone"
		}
		for m := range ch.Deltas {
			d, metric := &ch.Deltas[m], compare.Metric(m)
			j := jsonDelta{Old: d.Old, New: d.New, Comparable: hasChange(ch, metric), P: d.P, Tested: d.Tested, Significant: d.Significant}
			if j.Comparable {
				j.ChangePercent, j.BeyondPercent = percent(float64(d.New)/float64(d.Old)-1), percent(d.Relative())
			}
			f.Metrics[metric.String()] = j
		}
		out.Functions = append(out.Functions, f)
	}
	for _, v := range verdicts {
		if len(v.Met) == 0 {
			continue
		}
		f := jsonFailure{Condition: v.Condition.String()}
		for _, ch := range v.Met {
			f.Functions = append(f.Functions, ch.Label)
		}
		out.Failed = append(out.Failed, f)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}
