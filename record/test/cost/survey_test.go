//go:build linux

package cost

import (
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/record/internal/clock"
	"utrace/record/internal/proc"
	"utrace/record/test/harness"
)

// These tests record programs with functions that are called too often for the overhead limit.

// surveyReport is what analyze --json says of a survey.
type surveyReport struct {
	Trace struct {
		DurationNs int64 `json:"duration_ns"`
		Lost       uint64
		Survey     *struct {
			Functions    int
			LimitPercent float64 `json:"limit_percent"`
			UsedPercent  float64 `json:"used_percent"`
		}
	}
	Functions []surveyRow
}

type surveyRow struct {
	Name              string
	Calls, Incomplete uint64
	CallsError        uint64 `json:"calls_error"`
	Recorded          uint64
	Covered           float64
	TotalNs           uint64 `json:"total_ns"`
	TotalErrorNs      uint64 `json:"total_error_ns"`
	P50Ns             uint64 `json:"p50_ns"`
	P90Ns             uint64 `json:"p90_ns"`
	P99Ns             uint64 `json:"p99_ns"`
}

func (r *surveyReport) row(name string) surveyRow {
	for _, f := range r.Functions {
		if f.Name == name {
			return f
		}
	}
	return surveyRow{}
}

func analyzeSurvey(t *testing.T, trace string) *surveyReport {
	t.Helper()
	harness.Validate(t, trace)
	var r surveyReport
	harness.AnalyzeJSON(t, &r, trace)
	if r.Trace.Survey == nil {
		t.Fatal("the trace is of no survey")
	}
	return &r
}

// hotCounts is what hot.c prints.
type hotCounts struct{ hot, step, cpuMs uint64 }

func readHotCounts(t *testing.T, stdout string) (c hotCounts) {
	t.Helper()
	if _, err := fmt.Sscanf(stdout, "hot %d step %d cpu %d", &c.hot, &c.step, &c.cpuMs); err != nil {
		t.Fatalf("%q: %v", stdout, err)
	}
	return c
}

// near reports whether an estimate is what is true, within twice its interval and a tenth.
func near(got, interval, want uint64) bool {
	return math.Abs(float64(got)-float64(want)) <= 2*float64(interval)+0.1*float64(want)
}

// TestSurvey: the calls of a hot function are estimated from windows. Other functions are probed
// from the first to the last call, and their counts are exact.
func TestSurvey(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "hot.c", "-O1")
	for _, flags := range [][]string{nil, {"--max-overhead=5%", "-e", "*"}, {"--no-follow"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			harness.Retry(t, 3, func() string { return surveyHot(t, bin, flags) })
		})
	}
}

// surveyHot records hot.c. It returns what is off.
func surveyHot(t *testing.T, bin string, flags []string) (off string) {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	stdout, stderr, status := harness.Utrace(t, append(append([]string{"record", "-o", trace}, flags...), "--", bin, "3000")...)
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	want := readHotCounts(t, stdout)
	r := analyzeSurvey(t, trace)
	if s := r.Trace.Survey; s.Functions != 4 || s.LimitPercent != 5 {
		t.Errorf("%+v", s)
	}
	if r.Trace.Lost > 0 {
		t.Fatalf("%d events lost", r.Trace.Lost)
	}
	report, _, _ := harness.Utrace(t, "analyze", trace)
	if !strings.Contains(report, "# survey ") || !strings.Contains(report, "Covered") {
		t.Errorf("the report does not say so:\n%s", report)
	}
	if !strings.Contains(stderr, "utrace: survey: 3 functions probed all the time, 1 at times") {
		return stderr
	}
	for name, calls := range map[string]uint64{"step": want.step, "run": 2, "main": 1} {
		if f := r.row(name); f.Calls != calls || f.CallsError != 0 || f.Recorded != calls || f.Covered != 1 || f.Incomplete != 0 {
			t.Errorf("%d calls of %s: %+v", calls, name, f)
		}
	}
	// A hit costs eight times what hot takes, so the interval is wide.
	hot := r.row("hot")
	if hot.Covered <= 0 || hot.Covered > 0.9 || hot.Recorded == 0 || hot.Recorded >= want.hot || hot.CallsError < hot.Calls/10 || !near(hot.Calls, hot.CallsError, want.hot) {
		return fmt.Sprintf("hot was called %d times: %+v", want.hot, hot)
	}
	return ""
}

// TestSurveyByIO: the calls of a server are estimated by how often it reads and writes, which is as
// often as it handles a request. The kernel's count of its reads is that of its calls.
func TestSurveyByIO(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "requests.c", "-O1", "-fno-omit-frame-pointer")
	cmd, _ := harness.Start(t, program, "60")
	harness.Retry(t, 3, func() string { return surveyRequests(t, cmd.Process.Pid) })
}

// surveyRequests records requests.c for some seconds. It returns what is off.
func surveyRequests(t *testing.T, pid int) (off string) {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	type stderrAndStatus struct {
		text   string
		status int
	}
	done := make(chan stderrAndStatus)
	go func() {
		_, stderr, status := harness.Utrace(t, "record", "-o", trace, "-d", "4s", "-p", strconv.Itoa(pid))
		done <- stderrAndStatus{stderr, status}
	}()
	calls := map[uint64]uint64{} // so far, by CLOCK_MONOTONIC
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var ended *stderrAndStatus
	for ended == nil {
		select {
		case <-tick.C:
			if n, ok := proc.IOCalls(pid); ok {
				calls[clock.MonotonicNs()] = n
			}
		case e := <-done:
			ended = &e
		}
	}
	stderr := ended.text
	if ended.status != 0 {
		t.Fatalf("status %d\n%s", ended.status, stderr)
	}
	r := analyzeSurvey(t, trace)
	tables, meta := harness.Tables(t, trace)
	first, last := uint64(0), uint64(0)
	for ns, n := range calls {
		switch {
		case ns <= uint64(meta.Start.MonoNs):
			first = max(first, n)
		case ns <= uint64(tables.End.Stop.MonoNs):
			last = max(last, n)
		}
	}
	want := (last - first) / 2
	if last := tables.Surveys[len(tables.Surveys)-1]; !last.ByIO || last.IOCalls == 0 {
		return fmt.Sprintf("the measure is not IO calls: %+v\n%s", last, stderr)
	}
	for _, name := range []string{"handle", "parse"} {
		if f := r.row(name); f.Covered > 0.9 || !near(f.Calls, f.CallsError, want) {
			off += fmt.Sprintf("%s was called about %d times: %+v\n", name, want, f)
		}
	}
	return off
}

// TestSurveySockets: the calls of a server in many processes are estimated by how often these send
// and receive. A request is sent and received twice.
func TestSurveySockets(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTracepoint(t, "sock_send_length")
	program := harness.Target(t, "sockets.c", "-O1")
	harness.Retry(t, 3, func() (off string) {
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		stdout, stderr, status := harness.Utrace(t, "record", "-o", trace, "--", program, "6")
		if status != 0 {
			t.Fatalf("status %d\n%s", status, stderr)
		}
		var requests uint64
		if _, err := fmt.Sscanf(stdout, "requests %d", &requests); err != nil {
			t.Fatalf("%q: %v", stdout, err)
		}
		r := analyzeSurvey(t, trace)
		tables, _ := harness.Tables(t, trace)
		last := tables.Surveys[len(tables.Surveys)-1]
		if each := float64(last.IOCalls) / float64(requests); !last.ByIO || each < 3.8 || each > 4.01 {
			return fmt.Sprintf("%d requests: %+v\n%s", requests, last, stderr)
		}
		for name, want := range map[string]uint64{"handle": requests, "step": 20 * requests} {
			if f := r.row(name); f.Covered > 0.9 || f.CallsError > f.Calls/2 || !near(f.Calls, f.CallsError, want) {
				off += fmt.Sprintf("%s was called %d times: %+v\n", name, want, f)
			}
		}
		return off
	})
}

// TestNoSurvey: probes that are named see every call, whatever they cost, and all probes do with
// --max-overhead=none.
func TestNoSurvey(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "hot.c", "-O1")
	for _, flags := range [][]string{{"-e", "*"}, {"--max-overhead=none"}, {"--max-overhead", "0"}} {
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		stdout, stderr, status := harness.Utrace(t, append(append([]string{"record", "-o", trace}, flags...), "--", bin, "20")...)
		if status != 0 {
			t.Fatalf("status %d\n%s", status, stderr)
		}
		want := readHotCounts(t, stdout)
		harness.WantCounts(t, "calls", harness.Analyze(t, trace).Calls(), map[string]uint64{"step": want.step, "hot": want.hot})
	}
}

// TestSurveyCountsTheDropped: hits count whether or not a condition keeps them.
func TestSurveyCountsTheDropped(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedSDT(t)
	bin := harness.Target(t, "hot.c", "-O1", "-DSTATIC")
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	stdout, stderr, status := harness.Utrace(t, "record", "-o", trace, "--max-overhead=5%", "-e", "usdt:hot:pass(n:u64) if n > 1000000000", "-e", "step", "--", bin, "1500")
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	want := readHotCounts(t, stdout)
	r := analyzeSurvey(t, trace)
	if step := r.row("step"); step.Calls != want.step || step.Covered != 1 || r.row("hot:pass").Recorded != 0 {
		t.Errorf("%d calls of step: %+v", want.step, r)
	}
	if !strings.Contains(stderr, "1 function probed all the time, 1 at times") {
		t.Errorf("the static probe was not given windows:\n%s", stderr)
	}
}

// TestSurveyInterpreter: Python's functions are probed in windows. In between, the semaphore of
// another probe, which slows down the interpreter, is not raised.
func TestSurveyInterpreter(t *testing.T) {
	harness.NeedPython(t)
	script := harness.Testdata(t, "targets/loops.py")
	fastest := func(stdout string) (last uint64) {
		fields := strings.Fields(stdout)
		last, err := strconv.ParseUint(fields[len(fields)-1], 10, 64)
		if err != nil {
			t.Fatalf("%q: %v", stdout, err)
		}
		return last
	}
	plain, err := exec.Command(harness.Python, script).Output()
	if err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	stdout, stderr, status := harness.Utrace(t, "record", "-o", trace, "--", harness.Python, script) // chooses the preset
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	if !strings.Contains(stderr, "chosen: preset python") {
		t.Errorf("the preset was not chosen:\n%s", stderr)
	}
	r := analyzeSurvey(t, trace)
	if got, want := fastest(stdout), fastest(string(plain)); got > 2*want {
		t.Errorf("a loop takes %d us between windows, and %d us without the recorder", got, want)
	}
	for _, f := range r.Functions {
		if named := f.Name != "gc" && f.Name != "import__find__load"; named != (f.Covered < 0.99) {
			t.Errorf("%+v", f)
		}
	}
	if len(r.Functions) < 3 {
		t.Errorf("report: %+v", r)
	}
}

// TestSurveyEstimates: of 50 functions with known counts and durations, nearly all estimates hold.
func TestSurveyEstimates(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "survey.c", "-O1", "-lm")
	for _, mode := range []string{"steady", "phases"} {
		t.Run(mode, func(t *testing.T) {
			harness.Retry(t, 3, func() string { return surveyDistributions(t, bin, mode) })
		})
	}
}

// surveyDistributions records survey.c. It returns what is off.
func surveyDistributions(t *testing.T, bin, mode string) (off string) {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	stdout, stderr, status := harness.Utrace(t, "record", "-o", trace, "--", bin, "12", mode)
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	r := analyzeSurvey(t, trace)
	functions := 0
	wrong := map[string][]string{}
	for line := range strings.Lines(stdout) {
		var name string
		var want surveyRow
		if _, err := fmt.Sscan(line, &name, &want.Calls, &want.TotalNs, &want.P50Ns, &want.P90Ns, &want.P99Ns); err != nil {
			t.Fatal(err)
		}
		f := r.row(name)
		functions++
		if !near(f.Calls, f.CallsError, want.Calls) {
			wrong["calls"] = append(wrong["calls"], fmt.Sprintf("%s: %d ± %d calls, %d recorded, covered %.3f; there were %d", name, f.Calls, f.CallsError, f.Recorded, f.Covered, want.Calls))
		}
		if !near(f.TotalNs, f.TotalErrorNs, want.TotalNs) {
			wrong["totals"] = append(wrong["totals"], fmt.Sprintf("%s: %d ± %d ns, %d recorded, covered %.3f; it took %d", name, f.TotalNs, f.TotalErrorNs, f.Recorded, f.Covered, want.TotalNs))
		}
		// What a hit costs is uncertain by some hundred ns where its site is cold.
		if dev := math.Abs(float64(f.P50Ns) - float64(want.P50Ns)); f.Recorded >= 200 && dev > 300+0.15*float64(want.P50Ns) {
			wrong["medians"] = append(wrong["medians"], fmt.Sprintf("%s: %d ns instead of %d", name, f.P50Ns, want.P50Ns))
		}
	}
	for what, list := range wrong {
		if len(list) > functions/10 {
			off += fmt.Sprintf("%s of %d of %d functions:\n%s\n%s", what, len(list), functions, strings.Join(list, "\n"), stderr)
		}
	}
	return off
}

// TestSurveyMachine: without a target, utrace surveys a busy program of the machine.
func TestSurveyMachine(t *testing.T) {
	harness.Retry(t, 3, func() string { return surveyMachine(t, 0, 15*time.Second, 6*time.Second) })
}

// TestSurveyMachineLater: it also surveys a program that becomes busy while it records.
func TestSurveyMachineLater(t *testing.T) {
	harness.Retry(t, 3, func() string { return surveyMachine(t, 3*time.Second, 8*time.Second, 13*time.Second) })
}

// surveyMachine starts a program some time after the recording begins. The program ends after some
// time, or the recording does before. It returns what is off.
func surveyMachine(t *testing.T, after, lasts, recorded time.Duration) string {
	harness.NeedKernel(t)
	bin := harness.Target(t, "survey.c", "-O1", "-lm")
	cmd := exec.Command(bin, fmt.Sprint(lasts.Seconds()))
	var stdout strings.Builder
	cmd.Stdout = &stdout
	started := make(chan error)
	go func() {
		time.Sleep(after)
		started <- cmd.Start()
	}()
	if after == 0 {
		if err := <-started; err != nil {
			t.Fatal(err)
		}
	}
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	_, stderr, status := harness.Utrace(t, "record", "-d", recorded.String(), "-o", trace)
	if after != 0 {
		if err := <-started; err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if status != 0 || !strings.Contains(stderr, fmt.Sprintf("chosen: functions of survey (process %d, ", cmd.Process.Pid)) {
		return fmt.Sprintf("status %d\n%s", status, stderr)
	}
	r := analyzeSurvey(t, trace)
	part := min(1, float64(r.Trace.DurationNs)/float64(lasts))
	var off []string
	for line := range strings.Lines(stdout.String()) {
		var name string
		var calls uint64
		if _, err := fmt.Sscan(line, &name, &calls); err != nil {
			t.Fatal(err)
		}
		want := uint64(part * float64(calls))
		if f := r.row(name); !near(f.Calls, f.CallsError+want/4, want) {
			off = append(off, fmt.Sprintf("%s: %d ± %d calls, %d recorded, covered %.3f; there were about %d", name, f.Calls, f.CallsError, f.Recorded, f.Covered, want))
		}
	}
	if len(off) > 10 {
		return fmt.Sprintf("%d of 50 functions:\n%s\n%s", len(off), strings.Join(off, "\n"), stderr)
	}
	return ""
}
