package render

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"utrace/analyze"
)

// Limits of the sentences above the table.
const (
	maxSubjects   = 3    // programs with a sentence of their own
	minPercentile = 200  // recorded calls from which 1 in 100 is said
	minPart       = 0.25 // of the time from which a function is named for its self time
)

// Sentences say in plain words what the figures show, for somebody who did not choose the
// functions: which function of each program took most of the time, and where that was spent. They
// are empty if utrace did not choose, or if calls are grouped.
func Sentences(r *analyze.Result) (list []string) {
	chosen := slices.ContainsFunc(r.Trace.Recordings, func(rec analyze.Recording) bool { return rec.Meta.Chosen })
	if !chosen || r.By != "" {
		return nil
	}
	rows := slices.Collect(func(yield func(*analyze.Row) bool) {
		for i := range r.Rows {
			if row := &r.Rows[i]; row.Recorded >= fewCalls && row.Durations.Count() > 0 && !row.BelowResolution && !isLoop(row, r.Trace.Recorded()) && !yield(row) {
				return
			}
		}
	})
	slices.SortStableFunc(rows, func(a, b *analyze.Row) int { return cmp.Compare(b.Total, a.Total) })
	named := map[string]bool{}
	for _, row := range rows {
		program := Programs(row.Programs)
		if len(named) < maxSubjects && !named[program] && !row.QuantileAtLeast(500) {
			named[program] = true
			list = append(list, busiest(row, program))
		}
	}
	if text := mostTime(r.Rows); text != "" {
		list = append(list, text)
	}
	if text := sampled(r); text != "" {
		list = append(list, text)
	}
	return list
}

// isLoop reports whether the calls of a function fill the recording: then it probably waits for work
// and does it, in a loop. What it calls for that says more.
func isLoop(row *analyze.Row, recorded time.Duration) bool {
	share := float64(row.Total) / float64(max(1, recorded))
	return share > 0.9 && share < 1.02
}

// busiest says how long the calls of a function took.
func busiest(row *analyze.Row, program string) string {
	calls := humanize.Comma(int64(row.Calls))
	if row.CallsError > 0 {
		calls = "about " + humanize.Comma(int64(roughly(float64(row.Calls), 3)))
	}
	text := fmt.Sprintf("%s made %s calls of %s: half took at most %s", program, calls, row.Label, roughTime(row.Quantile(500)))
	if row.Recorded >= minPercentile {
		text += fmt.Sprintf(", 1 in 100 more than %s", roughTime(row.Quantile(990)))
	}
	return text + "."
}

// mostTime names the function with the largest part of all self time, if that is large.
func mostTime(rows []analyze.Row) string {
	var all time.Duration
	var most *analyze.Row
	for i := range rows {
		row := &rows[i]
		all += row.Self
		if most == nil || row.Self > most.Self {
			most = row
		}
	}
	if most == nil || most.SelfAtMost || most.MeanAtLeast() || float64(most.Self) < minPart*float64(all) || all == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f%% of the %s in these functions was spent in %s itself, waiting included.",
		100*float64(most.Self)/float64(all), roughTime(all), most.Label)
}

// sampled says which part of the calls was recorded.
func sampled(r *analyze.Result) string {
	calls, recorded := 0.0, 0.0
	for i := range r.Rows {
		if row := &r.Rows[i]; row.CallsError > 0 {
			calls += float64(row.Calls)
			recorded += float64(row.Recorded)
		}
	}
	if calls == 0 {
		return ""
	}
	text := fmt.Sprintf("Figures with ± are estimates: utrace probed these functions at times, and recorded %s of about %s calls.",
		humanize.Comma(int64(recorded)), humanize.Comma(int64(roughly(calls, 3))))
	if r.Trace.Survey != nil && r.Trace.Survey.ByCPU {
		text += " Some rely on the cost of the probes: if all CPUs were busy, they may be off by more."
	}
	return text
}

// roughly rounds to that many digits.
func roughly(v float64, digits int) float64 {
	if v <= 0 {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(v))-float64(digits-1))
	if unit < 1 {
		return math.Round(v)
	}
	return math.Round(v/unit) * unit
}

// roughTime writes a duration with two digits.
func roughTime(d time.Duration) string {
	text := analyze.FormatDuration(time.Duration(roughly(float64(d), 2)))
	number, unit, _ := strings.Cut(text, " ")
	if strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	return number + " " + unit
}
