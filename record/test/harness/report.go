//go:build linux

package harness

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"utrace/format"
)

// Report is the part of "utrace analyze --json" that most tests check. Times are in nanoseconds.
type Report struct {
	Trace struct {
		Events, Lost uint64
		DurationNs   int64 `json:"duration_ns"`
	}
	Functions []struct {
		Name, File        string
		Line              int
		Calls, Incomplete uint64
		Dropped           uint64
		TotalNs           uint64 `json:"total_ns"`
		SelfNs            uint64 `json:"self_ns"`
		MinNs             uint64 `json:"min_ns"`
		AvgNs             uint64 `json:"avg_ns"`
		MaxNs             uint64 `json:"max_ns"`
		P50Ns             uint64 `json:"p50_ns"`
	}
	Warnings []string
}

// Calls returns the calls by function.
func (r *Report) Calls() map[string]uint64 {
	m := map[string]uint64{}
	for _, f := range r.Functions {
		m[f.Name] += f.Calls
	}
	return m
}

// Incomplete returns the calls without a return, of functions that have some.
func (r *Report) Incomplete() map[string]uint64 {
	m := map[string]uint64{}
	for _, f := range r.Functions {
		if f.Incomplete > 0 {
			m[f.Name] += f.Incomplete
		}
	}
	return m
}

// Analyze returns the report of a trace. Flags are further flags of "utrace analyze".
func Analyze(t testing.TB, trace string, flags ...string) *Report {
	t.Helper()
	var r Report
	AnalyzeJSON(t, &r, append(flags, trace)...)
	return &r
}

// AnalyzeJSON runs "utrace analyze --json" with arguments and decodes what it prints into v. Tests
// that check more than a Report has give a type of their own.
func AnalyzeJSON(t testing.TB, v any, args ...string) {
	t.Helper()
	stdout, stderr, status := Utrace(t, append([]string{"analyze", "--json"}, args...)...)
	if status != 0 {
		t.Fatalf("analyze: status %d\n%s", status, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), v); err != nil {
		t.Fatal(err)
	}
}

// Validate checks a trace by the rules of the format.
func Validate(t *testing.T, trace string) {
	t.Helper()
	r, err := format.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := format.Validate(r); err != nil {
		t.Errorf("%s is not valid: %v", trace, err)
	}
}

// Tables reads the definitions of a trace, to its end, and its metadata.
func Tables(t *testing.T, trace string) (*format.Tables, format.Meta) {
	t.Helper()
	r, err := format.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	d, err := format.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()

	var (
		m      format.Message
		b      format.Batch
		tables format.Tables
	)
	for r.Next(&m) == nil {
		if err := d.Decode(&m, format.Columns{}, &b); err != nil {
			t.Fatal(err)
		}
		for _, def := range b.Defs {
			if err := tables.Apply(def); err != nil {
				t.Fatal(err)
			}
		}
	}
	return &tables, r.Meta()
}

// WantCounts compares numbers by function. It skips functions that want does not name.
func WantCounts(t *testing.T, what string, got, want map[string]uint64) {
	t.Helper()
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s of %s: %d, want %d", what, name, got[name], n)
		}
	}
}

// Profile returns the profile that "utrace analyze --pprof" makes of a trace.
func Profile(t *testing.T, trace string) *profile.Profile {
	t.Helper()
	stdout, stderr, status := Utrace(t, "analyze", "--pprof", "-", trace)
	if status != 0 {
		t.Fatalf("analyze: status %d\n%s", status, stderr)
	}
	p, err := profile.ParseData([]byte(stdout))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Text returns the text form of a trace.
func Text(t *testing.T, trace string) string {
	t.Helper()
	r, err := format.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var text strings.Builder
	if err := format.WriteText(&text, r); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
