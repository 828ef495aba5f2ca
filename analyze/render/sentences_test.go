package render

import (
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/analyze"
	"utrace/format"
)

// subject is a row with n calls of each duration.
func subject(name, program string, n int, durations ...time.Duration) analyze.Row {
	row := analyze.Row{Label: name, Programs: []analyze.Program{{PID: 1, Name: program}}}
	for _, d := range durations {
		for range n {
			row.Durations.Add(d)
			row.Total += d
		}
	}
	row.Calls = row.Durations.Count()
	row.Recorded = row.Calls
	row.Self = row.Total
	return row
}

// The sentences say no more than the figures do: nothing of loops, of functions with few calls or a
// median that is unknown, no percentile of few calls, and no self time that may be of callees.
func TestSentences(t *testing.T) {
	request := subject("processCommand", "redis-server", 4000, 3120, 3120, 14000)
	request.Calls, request.CallsError = 412_345, 9000
	loop := subject("main", "redis-server", 2, time.Second)
	wait := subject("processEvents", "redis-server", 40, 5*time.Millisecond)
	small := subject("parse", "redis-server", 4000, 1000)
	query := subject("query", "postgres", 50, 2*time.Millisecond)
	short := subject("tiny", "other", 4000, 1000)
	short.BelowResolution = true
	cut := subject("long", "java", 40, 1000)
	for range 100 {
		cut.Censored.Add(time.Second)
	}
	r := &analyze.Result{Rows: []analyze.Row{loop, wait, request, small, query, short, cut}}
	if got := Sentences(r); got != nil {
		t.Errorf("utrace has not chosen: %q", got)
	}
	r.Trace.Survey = &analyze.Survey{ByCPU: true}
	r.Trace.Durations = []time.Duration{200 * time.Millisecond}
	r.Trace.Recordings = []analyze.Recording{{Meta: format.Meta{Chosen: true}}}
	want := []string{
		"postgres made 50 calls of query: half took at most 2 ms.",
		"redis-server made about 412,000 calls of processCommand: half took at most 3.1 us, 1 in 100 more than 14 us.",
		"84% of the 2.4 s in these functions was spent in main itself, waiting included.",
		"Figures with ± are estimates: utrace probed these functions at times, and recorded 12,000 of about 412,000 calls. Some rely on the cost of the probes: if all CPUs were busy, they may be off by more.",
	}
	if got := Sentences(r); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var out strings.Builder
	if err := Report(&out, r, Style{}); err != nil {
		t.Fatal(err)
	}
	if at := strings.Index(out.String(), "\n\n"+strings.Join(want, "\n")+"\n\n"); at < 0 || at > strings.Index(out.String(), "Total time") {
		t.Errorf("not between header and table:\n%s", &out)
	}
	r.Rows[0].SelfAtMost = true
	if got := Sentences(r); slices.Contains(got, want[2]) {
		t.Errorf("the callees of main are unknown: %q", got)
	}
	r.By = "pid"
	if got := Sentences(r); got != nil {
		t.Errorf("grouped: %q", got)
	}
}
