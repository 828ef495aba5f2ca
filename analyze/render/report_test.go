package render

import (
	"strings"
	"testing"
	"time"

	"utrace/analyze"
)

// TestProbes: the cost of dropped calls' probes is not a part of the time between a trace's events.
func TestProbes(t *testing.T) {
	trace := analyze.Trace{Durations: []time.Duration{20 * time.Second}, Probes: analyze.ProbeCost{
		Measured: true, Hits: 10*time.Second + time.Millisecond, Dropped: 10 * time.Second, Traced: 2 * time.Millisecond,
		Inside: 2 * time.Millisecond, Subtracted: time.Millisecond,
	}}
	want := "took 1.000 ms, 50.0% of the 2.000 ms between the first and the last event of each thread; subtracted 1.000 ms of 2.000 ms in traced calls; " +
		"those of dropped calls took 10.000 s more, 50.0% of one processor while recording, subtracted from no call"
	if got := probes(&trace); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestProbesBounded: probes cannot take more time than there is.
func TestProbesBounded(t *testing.T) {
	trace := analyze.Trace{Durations: []time.Duration{20 * time.Second}, Probes: analyze.ProbeCost{
		Measured: true, Bounded: true, Hits: 30 * time.Second, Dropped: 21 * time.Second, Traced: 9100 * time.Millisecond,
		Inside: time.Second, Subtracted: time.Second,
	}}
	want := "took nearly all of the 9.100 s between the first and the last event of each thread; subtracted 1.000 s of 1.000 s in traced calls; " +
		"those of dropped calls took 21.000 s more, nearly all the time of one processor or more while recording, subtracted from no call"
	if got := probes(&trace); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// The header says how many samples there are.
func TestReportOfSamples(t *testing.T) {
	for samples, want := range map[uint64]string{0: "", 1234: "# samples   1234 of CPU time (99 a second)\n"} {
		var out strings.Builder
		if err := Report(&out, &analyze.Result{Trace: analyze.Trace{Samples: samples, SampleHz: 99}}, Style{}); err != nil {
			t.Fatal(err)
		}
		got := ""
		for line := range strings.Lines(out.String()) {
			if strings.HasPrefix(line, "# samples") {
				got = line
			}
		}
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// The header says why functions are marked that are not too short.
func TestWaitsLine(t *testing.T) {
	r := analyze.Result{Rows: []analyze.Row{{AwaitsProbes: true}, {AwaitsProbes: true}, {BelowResolution: true}}}
	for sched, want := range map[bool]string{
		false: "2 functions marked ~ may have waited for other threads while these were in probes, which is not subtracted: record --sched subtracts it",
		true:  "2 functions marked ~ waited for something that is not in the trace, while other threads were in probes: if that waited for them, the cost is not subtracted",
	} {
		r.Trace.Sched = sched
		if got := waits(&r); got != want {
			t.Errorf("sched %v: %q, want %q", sched, got, want)
		}
	}
	r.Rows = r.Rows[2:]
	if got := waits(&r); got != "" {
		t.Errorf("%q", got)
	}
}
