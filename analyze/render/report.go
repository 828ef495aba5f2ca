package render

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"utrace/analyze"
)

// Report writes the header, the function table, and lists of incomplete and uncertain calls. With
// sparks, the table has a column with a sparkline of each function's distribution.
func Report(w io.Writer, r *analyze.Result, sparks bool) error {
	out := bufio.NewWriter(w)
	header(out, &r.Trace)
	fmt.Fprintln(out)
	table(out, r, severalNames(r.Trace.Processes), sparks)
	incomplete(out, r.Rows, r.By)
	uncertain(out, r)
	return out.Flush()
}

// header writes the facts about the recording, one a line.
func header(w io.Writer, t *analyze.Trace) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "# %-9s %s\n", name, value)
		}
	}
	line("file", strings.Join(t.Files, ", "))
	line("host", strings.Join(t.Hosts, ", "))
	line("kernel", strings.Join(t.Kernels, ", "))
	line("command", strings.Join(t.Commands, "; "))
	line("started", t.Start.Format(time.RFC3339Nano))
	line("duration", analyze.FormatDuration(t.Duration))
	line("events", fmt.Sprint(t.Events))
	line("lost", fmt.Sprint(t.Lost))
	if t.Sched {
		line("switches", fmt.Sprint(t.Switches))
	}
	line("kept", t.Kept())
	line("left out", fmt.Sprint(t.LeftOut))
	if n := len(t.Removed); n > 0 {
		line("removed", analyze.Plural(uint64(n), "function that cost too much: marked with *, its", "functions that cost too much: marked with *, their")+" calls count only up to then")
	}
	line("probes", probes(t))
	line("threads", fmt.Sprint(t.Threads))
	processes(line, t.Processes)
}

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
	text := fmt.Sprintf("took %s, %s of the %s between the first and the last event of each thread; ",
		analyze.FormatDuration(hits), percent(hits, p.Traced), analyze.FormatDuration(p.Traced))
	if p.Displaced > 0 {
		text += fmt.Sprintf("the recorder pre-empted threads for %s; ", analyze.FormatDuration(p.Displaced))
	}
	text += fmt.Sprintf("subtracted %s of %s in traced calls", analyze.FormatDuration(p.Subtracted), analyze.FormatDuration(p.Inside))
	if p.Dropped > 0 {
		text += fmt.Sprintf("; those of dropped calls took %s more, %s of one processor while recording, subtracted from no call",
			analyze.FormatDuration(p.Dropped), percent(p.Dropped, t.Recorded()))
	}
	if p.Unmet > 0 {
		text += fmt.Sprintf("; in addition, %s did not meet a condition on arguments, which took about %s", analyze.Plural(p.Unmet, "hit", "hits"), analyze.FormatDuration(p.UnmetTime))
	}
	if p.UnmeasuredFuncs > 0 {
		text += fmt.Sprintf("; cost unknown for %d of the functions", p.UnmeasuredFuncs)
	}
	return text
}

func percent(part, all time.Duration) string {
	if all <= 0 {
		return "0.0%"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(part)/float64(all))
}

// maxWindows is how many times of losses the report names.
const maxWindows = 10

// uncertain lists the calls that a loss of events may have touched, and the times of losses.
func uncertain(w io.Writer, r *analyze.Result) {
	if len(r.Trace.Losses) == 0 {
		return
	}
	var names, threads, windows []string
	list := slices.Collect(func(yield func(*analyze.Row) bool) {
		for i := range r.Rows {
			if row := &r.Rows[i]; row.Uncertain > 0 && !yield(row) {
				return
			}
		}
	})
	slices.SortStableFunc(list, func(a, b *analyze.Row) int { return cmp.Compare(b.Uncertain, a.Uncertain) })
	for _, row := range list {
		names = append(names, fmt.Sprintf("%s %d (%s of %s)", rowName(row, r.By), row.Uncertain, analyze.FormatDuration(row.UncertainTotal), analyze.FormatDuration(row.Total)))
	}
	for _, t := range r.Trace.Touched {
		threads = append(threads, fmt.Sprintf("%s %d (%d)", t.Name, t.TID, t.Uncertain))
	}
	var all time.Duration
	for _, l := range r.Trace.Losses {
		all += l.To - l.From
		windows = append(windows, fmt.Sprintf("%s to %s (%d)", analyze.FormatDuration(l.From), analyze.FormatDuration(l.To), l.Entries+l.Returns))
	}
	if len(names) > 0 {
		fmt.Fprintf(w, "\nuncertain calls, during which events were lost (only in Calls, Errors, Total and Self time): %s\n", some(names, maxNamed))
		fmt.Fprintf(w, "uncertain calls by thread: %s\n", some(threads, maxNamed))
	}
	fmt.Fprintf(w, "\nevents were lost in %d stretches of time, %s in all, of any thread at most as long: %s\n", len(windows), analyze.FormatDuration(all), some(windows, maxWindows))
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

// incomplete lists the functions with incomplete calls, highest number first.
func incomplete(w io.Writer, rows []analyze.Row, by string) {
	var list []*analyze.Row
	for i := range rows {
		if rows[i].Incomplete > 0 {
			list = append(list, &rows[i])
		}
	}
	if len(list) == 0 {
		return
	}
	slices.SortStableFunc(list, func(a, b *analyze.Row) int { return cmp.Compare(b.Incomplete, a.Incomplete) })
	var names []string
	for _, row := range list[:min(maxNamed, len(list))] {
		names = append(names, fmt.Sprintf("%s %d", rowName(row, by), row.Incomplete))
	}
	rest := ""
	if more := len(list) - len(names); more > 0 {
		rest = ", and of " + analyze.Plural(uint64(more), "more function", "more functions")
	}
	fmt.Fprintf(w, "\nincomplete calls (not in the times): %s%s\n", strings.Join(names, ", "), rest)
}

// rowName is the label of a row, with its value if it is grouped.
func rowName(r *analyze.Row, by string) string {
	if r.Value.Text == "" {
		return r.Label
	}
	return r.Label + " " + by + "=" + cut(r.Value.Text, maxValue)
}

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

func columns(errors bool) []string {
	list := []string{"Total time", "Self time", "Calls", "Avg", "P50", "P90", "P99", "P99.9", "Max"}
	if errors {
		list = append(list, "Errors")
	}
	return list
}

// waitCells are the cells of the first n wait columns.
func waitCells(s *analyze.Stats, n int) []string {
	line := []string{"-", "-", "-", "-"}
	if timed(s) {
		for i, v := range []time.Duration{s.CPU(), s.Waits.Runnable, s.Waits.Blocked, s.Waits.Unknown} {
			if i == 3 || s.Waits.Unknown == 0 || s.Waits.Unknown < s.Total { // otherwise no part is known
				line[i] = aligned(v)
			}
		}
	}
	return line[:n]
}

func table(w io.Writer, r *analyze.Result, named, sparks bool) {
	rows := r.Rows
	labels := []string{"Function"}
	for i := range rows {
		labels = append(labels, unresolved(&rows[i])+rows[i].Label+removed(&rows[i]))
	}
	if r.By != "" {
		addColumn(labels, r.By, func(i int) string { return cut(cmp.Or(rows[i].Value.Text, "-"), maxValue) })
	}
	if named {
		addColumn(labels, "Process", func(i int) string { return programs(rows[i].Programs) })
	}
	errors := slices.ContainsFunc(rows, func(r analyze.Row) bool { return r.Errors > 0 })
	waits := waitColumns(r)
	lines := [][]string{append(columns(errors), waits...)}
	for i := range rows {
		line := cells(&rows[i].Stats)
		if errors {
			line = append(line, fmt.Sprint(rows[i].Errors))
		}
		lines = append(lines, append(line, waitCells(&rows[i].Stats, len(waits))...))
	}
	scale := ""
	if sparks {
		var list []string
		list, scale = sparklines(rows)
		lines[0] = append(lines[0], fmt.Sprintf("%-*s", sparkWidth, "Distribution"))
		for i, line := range list {
			lines[i+1] = append(lines[i+1], line)
		}
	}
	widths := make([]int, len(lines[0]))
	for _, cells := range lines {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 10)
		}
	}
	for i, cells := range lines {
		fmt.Fprint(w, "  ")
		for c, cell := range cells {
			fmt.Fprintf(w, "%*s  ", widths[c], cell)
		}
		fmt.Fprintln(w, labels[i])
		if i > 0 {
			continue
		}
		fmt.Fprint(w, "  ")
		for _, width := range widths {
			fmt.Fprint(w, strings.Repeat("=", width), "  ")
		}
		fmt.Fprintln(w, strings.Repeat("=", 20))
	}
	if scale != "" {
		fmt.Fprintf(w, "\ndistribution: %s\n", scale)
	}
}

// unresolved is the mark ahead of a function whose times are below the uncertainty of its probes'
// cost.
func unresolved(r *analyze.Row) string {
	if r.BelowResolution {
		return "~"
	}
	return ""
}

// removed is the note after the name of a function that was removed while recording.
func removed(r *analyze.Row) string {
	if r.RemovedAt == 0 {
		return ""
	}
	return fmt.Sprintf(" * first %s only", analyze.FormatDuration(r.RemovedAt))
}

// timed reports whether any call is in the total time.
func timed(s *analyze.Stats) bool { return s.Durations.Count()+s.Uncertain+s.Dropped > 0 }

// cells are the figures of a row, "-" if no call is complete.
func cells(s *analyze.Stats) []string {
	d := &s.Durations
	line := []string{"-", "-", fmt.Sprint(s.Calls), "-", "-", "-", "-", "-", "-"}
	if timed(s) {
		line[0], line[1] = aligned(s.Total), aligned(s.Self)
	}
	if d.Count()+s.Dropped > 0 {
		line[3] = aligned(s.Mean())
	}
	if d.Count() > 0 {
		for i, v := range []time.Duration{d.Quantile(500), d.Quantile(900), d.Quantile(990), d.Quantile(999), d.Max()} {
			line[4+i] = aligned(v)
		}
	}
	return line
}

// aligned writes a duration with its unit in two characters, as uftrace does, so that columns
// align.
func aligned(d time.Duration) string {
	text := analyze.FormatDuration(d)
	if number, ok := strings.CutSuffix(text, " s"); ok {
		return number + "  s"
	}
	return text
}
