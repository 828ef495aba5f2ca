//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"utrace/format"
)

// traceFile writes a trace of testdata/traces.
func traceFile(t *testing.T, name string) string {
	t.Helper()
	in, err := os.Open(filepath.Join("..", "..", "testdata", "traces", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(filepath.Join(t.TempDir(), name+".arrow"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := format.ReadText(in, out); err != nil {
		t.Fatal(err)
	}
	return out.Name()
}

func analyzeCommand(args ...string) (stdout, stderr string, err error) {
	var out, errOut bytes.Buffer
	cmd := newRootCommand()
	cmd.SetArgs(append([]string{"analyze"}, args...))
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	err = cmd.Execute()
	return out.String(), errOut.String(), err
}

func TestAnalyzeViews(t *testing.T) {
	trace := traceFile(t, "lost")
	pb := filepath.Join(t.TempDir(), "out.pb.gz")
	out, warnings, err := analyzeCommand("--flow", "--tree", "--json", "--info", "--pprof", pb, trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# DURATION     TID     FUNCTION\n", "# TOTAL TIME   FUNCTION\n", `"functions": [`, "recorder    utrace test\n"} {
		if strings.Count(out, want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, out)
		}
	}
	if strings.Contains(out, "Total time") {
		t.Error("the table is there, too")
	}
	if n := strings.Count(warnings, "utrace: warning: 4 events were lost"); n != 1 {
		t.Errorf("%d warnings of loss:\n%s", n, warnings)
	}
	f, err := os.Open(pb)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if p, err := profile.Parse(f); err != nil || len(p.Sample) != 3 {
		t.Errorf("%v: %v", p, err)
	}
	if names, err := filepath.Glob(filepath.Join(filepath.Dir(pb), ".*")); err != nil || len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

// TestAnalyzeHist: the function is the value of --hist or an argument among the files.
func TestAnalyzeHist(t *testing.T) {
	trace := traceFile(t, "nesting")
	want, _, err := analyzeCommand("--hist=b", trace)
	if err != nil || strings.Count(want, "Function = b\n") != 1 || strings.Count(want, "Function") != 1 {
		t.Fatalf("%v\n%s", err, want)
	}
	for _, args := range [][]string{{"--hist", "b", trace}, {trace, "--hist", "b"}, {"--hist", "b", trace, "--top", "1"}} {
		if got, _, err := analyzeCommand(args...); err != nil || got != want {
			t.Errorf("%q: %v\n%s", args, err, got)
		}
	}
	for n, args := range map[int][]string{3: {"--hist", trace}, 1: {"--hist", "--top", "1", trace}, 2: {"--hist", trace, "--function", "[ab]"}} {
		if got, _, err := analyzeCommand(args...); err != nil || strings.Count(got, "Function = ") != n {
			t.Errorf("%q: %v\n%s", args, err, got)
		}
	}
}

// TestAnalyzeFiles: files are written in addition to the report, for their owner only; - writes to
// standard output alone.
func TestAnalyzeFiles(t *testing.T) {
	trace, dir := traceFile(t, "nesting"), t.TempDir()
	table, _, err := analyzeCommand(trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"html", "pprof", "folded", "flame", "trace-event"} {
		path := filepath.Join(dir, flag)
		out, _, err := analyzeCommand("--"+flag, path, trace)
		if err != nil || out != table {
			t.Errorf("--%s: %v\n%s", flag, err, out)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 {
			t.Fatal(info, err)
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if out, _, err := analyzeCommand("--"+flag, "-", trace); err != nil || out != string(want) {
			t.Errorf("--%s -: %v\n%q", flag, err, out)
		}
	}
	svg := filepath.Join(dir, "heat.svg")
	out, _, err := analyzeCommand("--heatmap", "b", "--heatmap-svg", svg, "--csv", trace)
	if err != nil || !strings.HasPrefix(out, "# b: ") || !strings.Contains(out, "\nname,module,") || strings.Contains(out, "Total time") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Stat(svg); err != nil {
		t.Error(err)
	}
}

// TestAnalyzeFileReplaces: what is written replaces the file of that name and no other, and after
// an error nothing.
func TestAnalyzeFileReplaces(t *testing.T) {
	dir := t.TempDir()
	trace, out := filepath.Join(dir, "x.part"), filepath.Join(dir, "x")
	if err := os.Rename(traceFile(t, "nesting"), trace); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := analyzeCommand("--folded", "-", trace)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(out, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := analyzeCommand("--folded", out, os.Args[0]); err == nil {
		t.Error("a program is read as a trace")
	}
	if got, err := os.ReadFile(out); string(got) != "old" {
		t.Errorf("after an error: %v, %q", err, got)
	}
	if _, _, err := analyzeCommand("--folded", out, trace); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(out); string(got) != want {
		t.Errorf("%v: %q, want %q", err, got, want)
	}
	if after, err := os.ReadFile(trace); !bytes.Equal(after, before) {
		t.Errorf("the trace has changed: %v, %d bytes", err, len(after))
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 2 {
		t.Errorf("%v: %v", err, files)
	}
}

// TestAnalyzeNothing: an empty view says what there is instead.
func TestAnalyzeNothing(t *testing.T) {
	trace := traceFile(t, "nesting")
	for _, view := range []string{"--json", "--flow", "--tree", "--heatmap=*", "--slowest=1"} {
		for selection, want := range map[string]string{
			"--function=zzz*": "no function matches zzz*; there are a, b, main",
			"--function=*AIN": "no function matches *AIN; similar: main",
			"--pid=1":         "the processes with calls are 100 prog",
			"--tid=1":         "the threads with calls are 100",
			"--min=1h":        "no complete call of the selected functions took at least 3600.000 s",
			"--from=1h":       "the first event is 0.100 us after the start, the last 3.000 s",
		} {
			if view == "--heatmap=*" && strings.HasPrefix(selection, "--function") {
				continue // it has a function of its own
			}
			_, warnings, err := analyzeCommand(view, selection, trace)
			if err != nil || !strings.Contains(warnings, "no call matches what was selected: "+want+"\n") {
				t.Errorf("%s %s: %v, %q", view, selection, err, warnings)
			}
		}
	}
}

func TestAnalyzeSelection(t *testing.T) {
	trace := traceFile(t, "threads")
	out, _, err := analyzeCommand("--json", "--sort", "name", "--top", "2", "--tid", "101", trace, traceFile(t, "threads"))
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Functions []struct {
			Name  string
			Calls int
		}
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Functions) != 2 || r.Functions[0].Name != "step" || r.Functions[0].Calls != 4 || r.Functions[1].Name != "work" {
		t.Errorf("%+v", r.Functions)
	}
}

// TestAnalyzeThreads: what the flow calls a thread, a goroutine or a track selects it, and a
// thread's ID what was first seen on it.
func TestAnalyzeThreads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.arrow")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := format.ReadText(strings.NewReader(`meta {}
module {"path": "/bin/a"}
func {"name": "f", "module": 0, "addr": 1}
thread {"pid": 7, "tid": 7}
thread {"pid": 7, "tid": 7, "goroutine": 18}
thread {"pid": 7, "tid": 8, "goroutine": 1}
thread {"pid": 7, "tid": 8, "track": 1}
1 0 entry 0
1 1 entry 0
1 2 entry 0
1 3 entry 0
end {}
`), f); err != nil {
		t.Fatal(err)
	}
	for ids, want := range map[string][]string{"7": {"7", "g18"}, "g18": {"g18"}, "g1": {"g1"}, "s1,7": {"7", "g18", "s1"}, "8": {"g1", "s1"}, "g018,s1": {"g18", "s1"}} {
		out, _, err := analyzeCommand("--flow", "--tid", ids, path)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range regexp.MustCompile(`\[ *(\w+)\] \| f\(\) \{`).FindAllStringSubmatch(out, -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, want) {
			t.Errorf("--tid %s: %q, want %q in\n%s", ids, got, want, out)
		}
	}
	for _, ids := range []string{"g", "g0", "gs1", "x1", "g-1", "s1,", "0"} {
		if _, _, err := analyzeCommand("--flow", "--tid", ids, path); !errors.As(err, new(usageError)) {
			t.Errorf("--tid %s: %v", ids, err)
		}
	}
}

// The sentence of --why is the same in both layouts. Wrong flags, and functions without calls, are
// errors.
func TestWhy(t *testing.T) {
	trace := filepath.Join("..", "..", "docs", "testdata", "causes.arrow")
	text, _, err := analyzeCommand("--why", "handle", trace)
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := analyzeCommand("--why", "handle", "--json", trace)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Function, Reason string
		DifferenceNs     int64 `json:"difference_ns"`
		Paths            []struct{ Share, Low, High float64 }
		Causes           []struct {
			Kind, Name string
			Threshold  *float64
		}
		Examples []struct{ Args string }
		Warnings []string
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got.Function != "handle" || got.Reason == "" || !strings.Contains(text, "\n"+got.Reason+"\n") || got.DifferenceNs <= 0 || len(got.Examples) != 3 || got.Examples[0].Args == "" {
		t.Errorf("%+v", got)
	}
	if len(got.Causes) != 1 || got.Causes[0].Kind != "elsewhere" || got.Causes[0].Name != "hold_table" || got.Causes[0].Threshold != nil || got.Warnings == nil {
		t.Errorf("%+v", got.Causes)
	}
	for want, args := range map[string][]string{
		"--why nothing: no function with a complete call matches":                  {"--why", "nothing", trace},
		"--than needs --why FUNC, which names the function":                        {"--than", "1ms", trace},
		`--than: "fast": want a percentile such as P99, or a duration such as 1ms`: {"--why", "handle", "--than", "fast", trace},
		"--than: percentile P50: want one above P75, such as P90, P99 or P99.9":    {"--why", "handle", "--than", "P50", trace},
		"--why: pattern \"[\": syntax error in pattern":                            {"--why", "[", trace},
		"--json and --csv exclude each other: both write to standard output":       {"--why", "handle", "--json", "--csv", trace},
	} {
		if _, _, err := analyzeCommand(args...); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
	if out, _, err := analyzeCommand("--why", "handle", "--than", "1h", trace); err != nil || !strings.Contains(out, "No call of handle took longer than 3600.000 s.") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestFieldsFlag: -f chooses the columns of the flow, and of nothing else.
func TestFieldsFlag(t *testing.T) {
	trace := traceFile(t, "nesting")
	out, _, err := analyzeCommand("--flow", "-f", "time,module", trace)
	if want := "#     TIMESTAMP          MODULE NAME   FUNCTION\n        0.000000100             prog | main() {\n"; err != nil || !strings.HasPrefix(out, want) {
		t.Errorf("%v: %s\nwant %s", err, out, want)
	}
	for want, args := range map[string][]string{
		"want some of duration,tid,time,delta,elapsed,addr,task,module, or none": {"--flow", "-f", "times", trace},
		"--fields needs --flow, and is not for --flow=arrows":                    {"--fields=time", trace},
		"is not for --flow=arrows":                                               {"--flow=arrows", "-f", "time", trace},
	} {
		if _, stderr, status := runWith(t, nil, append([]string{"analyze"}, args...)...); status != statusUsage || !strings.Contains(stderr, want) {
			t.Errorf("%q: status %d, %s, want %q", args, status, stderr, want)
		}
	}
}
