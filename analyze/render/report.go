package render

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"utrace/analyze"
)

// Report writes the header, the function table, and lists of incomplete and uncertain calls.
func Report(w io.Writer, r *analyze.Result, style Style) error {
	out := bufio.NewWriter(w)
	for _, f := range Facts(r) {
		fmt.Fprintf(out, "# %-9s %s\n", f.Name, f.Value)
	}
	fmt.Fprintln(out)
	if list := Sentences(r); len(list) > 0 {
		fmt.Fprintf(out, "%s\n\n", strings.Join(list, "\n"))
	}
	table(out, r, severalPrograms(r.Trace.Processes), style)
	for _, note := range Notes(r) {
		fmt.Fprintf(out, "\n%s\n", note)
	}
	return out.Flush()
}

// Notes say which calls are not in the table, or only in parts of it, and which figures are rough.
// Each is one line, or two.
func Notes(r *analyze.Result) (notes []string) {
	add := func(note string) {
		if note != "" {
			notes = append(notes, note)
		}
	}
	add(rough(r))
	add(incomplete(r.Rows, r.By))
	if n := r.Trace.UnmatchedReturns; n > 0 {
		add(fmt.Sprintf("%s without an entry (not in the table): calls from before the recording or before a fork, calls suspended by a switch of stacks (coroutines), or lost entries",
			analyze.Plural(n, "return", "returns")))
	}
	add(uncertain(r))
	add(losses(r))
	return notes
}

// Fact is a line of the header of a report.
type Fact struct{ Name, Value string }

// Facts are the header of a report: where the traces are from, and what they hold.
func Facts(r *analyze.Result) (facts []Fact) {
	t := &r.Trace
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, Fact{name, value})
		}
	}
	add("file", strings.Join(t.Files, ", "))
	add("host", strings.Join(t.Hosts, ", "))
	add("kernel", strings.Join(t.Kernels, ", "))
	add("command", strings.Join(t.Commands, "; "))
	add("asked for", cut(strings.Join(t.AskedFor(), ", "), maxAskedFor))
	add("started", t.Start.Format(time.RFC3339Nano))
	add("duration", analyze.FormatDuration(t.Duration))
	add("events", fmt.Sprint(t.Events))
	add("lost", fmt.Sprint(t.Lost))
	if t.Sched {
		add("switches", fmt.Sprint(t.Switches))
	}
	if t.Samples > 0 {
		add("samples", fmt.Sprintf("%d of CPU time (%d a second)", t.Samples, t.SampleHz))
	}
	add("kept", t.Kept())
	add("left out", fmt.Sprint(t.LeftOut))
	add("survey", survey(t.Survey))
	add("probes", probes(t))
	add("waits", waits(r))
	add("threads", fmt.Sprint(t.Threads))
	processes(add, t)
	return facts
}

// survey says what was probed in windows, and what that has cost.
func survey(s *analyze.Survey) string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("%s, limit %v%%, used %.1f%%", analyze.Plural(uint64(s.Functions), "function", "functions"), s.LimitPercent, s.UsedPercent())
}

// fewCalls is the number of recorded calls below which figures are rough.
const fewCalls = 30

// rough says how many functions have few recorded calls, and how many were never probed.
func rough(r *analyze.Result) string {
	few := uint64(0)
	for i := range r.Rows {
		if row := &r.Rows[i]; row.Covered < 1 && row.Recorded < fewCalls {
			few++
		}
	}
	var texts []string
	if few > 0 {
		texts = append(texts, fmt.Sprintf("%s fewer than %d recorded calls", analyze.Plural(few, "function of the table has", "functions of the table have"), fewCalls))
	}
	if s := r.Trace.Survey; s != nil && s.Unprobed > 0 {
		texts = append(texts, analyze.Plural(uint64(s.Unprobed), "function was never probed", "functions were never probed"))
	}
	if len(texts) == 0 {
		return ""
	}
	return "survey: " + strings.Join(texts, "; ")
}

// nearlyAll is the percentage of a time from which a share that was bounded is not written as a
// number.
const nearlyAll = 95

// probes says what the probes cost, and how much of it was subtracted.
func probes(t *analyze.Trace) string {
	p := &t.Probes
	switch {
	case p.Raw:
		return "not subtracted: all times are as measured"
	case !p.Measured:
		text := "cost not measured: the times contain it"
		if p.Displaced > 0 {
			text += fmt.Sprintf("; the recorder pre-empted threads for %s, which is subtracted", analyze.FormatDuration(p.Displaced))
		}
		return text
	}
	hits := p.Hits - p.Dropped
	share := fmt.Sprintf("%s, %s", analyze.FormatDuration(hits), percent(hits, p.Traced))
	if p.Bounded && hits >= p.Traced/100*nearlyAll {
		share = "nearly all"
	}
	text := fmt.Sprintf("took %s of the %s between the first and the last event of each thread; ", share, analyze.FormatDuration(p.Traced))
	if p.Displaced > 0 {
		text += fmt.Sprintf("the recorder pre-empted threads for %s; ", analyze.FormatDuration(p.Displaced))
	}
	if p.Awaited > 0 {
		text += fmt.Sprintf("threads waited %s for those of others; ", analyze.FormatDuration(p.Awaited))
	}
	text += fmt.Sprintf("subtracted %s of %s in traced calls", analyze.FormatDuration(p.Subtracted), analyze.FormatDuration(p.Inside))
	if p.Dropped > 0 {
		text += fmt.Sprintf("; those of dropped calls took %s more, %s while recording, subtracted from no call",
			analyze.FormatDuration(p.Dropped), t.DroppedShare())
	}
	if p.Unmet > 0 {
		text += fmt.Sprintf("; in addition, %s did not meet a condition on arguments, which took about %s", analyze.Plural(p.Unmet, "hit", "hits"), analyze.FormatDuration(p.UnmetTime))
	}
	if p.UnmeasuredFuncs > 0 {
		text += fmt.Sprintf("; cost unknown for %d of the functions", p.UnmeasuredFuncs)
	}
	return text
}

// waits says why functions are marked that are not too short for their probes.
func waits(r *analyze.Result) string {
	n := r.AwaitingProbes()
	switch {
	case n == 0:
		return ""
	case r.Trace.Sched:
		return fmt.Sprintf("%s marked ~ waited for something that is not in the trace, while other threads were in probes: if that waited for them, the cost is not subtracted",
			analyze.Plural(uint64(n), "function", "functions"))
	}
	return fmt.Sprintf("%s marked ~ may have waited for other threads while these were in probes, which is not subtracted: record --sched subtracts it",
		analyze.Plural(uint64(n), "function", "functions"))
}

func percent(part, all time.Duration) string {
	if all <= 0 {
		return "0.0%"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(part)/float64(all))
}

// maxWindows is how many times of losses the report names.
const maxWindows = 10

// uncertain lists the calls that a loss of events may have touched.
func uncertain(r *analyze.Result) string {
	var names, threads []string
	list := slices.Collect(func(yield func(*analyze.Row) bool) {
		for i := range r.Rows {
			if row := &r.Rows[i]; row.Uncertain > 0 && !yield(row) {
				return
			}
		}
	})
	if len(list) == 0 || len(r.Trace.Losses) == 0 {
		return ""
	}
	slices.SortStableFunc(list, func(a, b *analyze.Row) int { return cmp.Compare(b.Uncertain, a.Uncertain) })
	for _, row := range list {
		names = append(names, fmt.Sprintf("%s %d (%s of %s)", rowName(row, r.By), row.Uncertain, analyze.FormatDuration(row.UncertainTotal), analyze.FormatDuration(row.Total)))
	}
	for _, t := range r.Trace.Touched {
		threads = append(threads, fmt.Sprintf("%s %d (%d)", t.Name, t.TID, t.Uncertain))
	}
	return fmt.Sprintf("uncertain calls, during which events were lost (only in Calls, Errors, Total and Self time): %s\nuncertain calls by thread: %s",
		some(names, maxNamed), some(threads, maxNamed))
}

// losses lists the times in which events were lost.
func losses(r *analyze.Result) string {
	if len(r.Trace.Losses) == 0 {
		return ""
	}
	var all time.Duration
	var windows []string
	for _, l := range r.Trace.Losses {
		all += l.To - l.From
		windows = append(windows, fmt.Sprintf("%s to %s (%d)", analyze.FormatDuration(l.From), analyze.FormatDuration(l.To), l.Entries+l.Returns))
	}
	return fmt.Sprintf("events were lost in %s, %s in total (no thread lost more than that). Period (events): %s",
		analyze.Plural(uint64(len(windows)), "period", "periods"), analyze.FormatDuration(all), some(windows, maxWindows))
}

// some joins the first n of a list.
func some(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s, and %d more", strings.Join(list[:n], ", "), len(list)-n)
}

// maxNamed is how many functions the list of incomplete calls names.
const maxNamed = 20

// incomplete lists the functions with incomplete calls, highest number first. Calls whose window
// ended are in the estimates of the times.
func incomplete(rows []analyze.Row, by string) string {
	var list []*analyze.Row
	for i := range rows {
		if rows[i].Incomplete > rows[i].Cut {
			list = append(list, &rows[i])
		}
	}
	if len(list) == 0 {
		return ""
	}
	slices.SortStableFunc(list, func(a, b *analyze.Row) int { return cmp.Compare(b.Incomplete-b.Cut, a.Incomplete-a.Cut) })
	var names []string
	for _, row := range list[:min(maxNamed, len(list))] {
		names = append(names, fmt.Sprintf("%s %d", rowName(row, by), row.Incomplete-row.Cut))
	}
	rest := ""
	if more := len(list) - len(names); more > 0 {
		rest = ", and of " + analyze.Plural(uint64(more), "more function", "more functions")
	}
	return fmt.Sprintf("incomplete calls (not in the times): %s%s", strings.Join(names, ", "), rest)
}

// rowName is the label of a row, with its value if it is grouped.
func rowName(r *analyze.Row, by string) string {
	if r.Value.Text == "" {
		return r.Label
	}
	return r.Label + " " + by + "=" + cut(r.Value.Text, maxValue)
}
