//go:build linux

package harness

import (
	"path/filepath"
	"strings"
	"testing"
)

// record records a command into a valid trace, and fails the test unless utrace and the command
// succeed.
func record(t *testing.T, flags []string, command ...string) (trace, stdout string) {
	t.Helper()
	trace = filepath.Join(t.TempDir(), "trace.arrow")
	args := append([]string{"record", "-o", trace}, flags...)
	stdout, stderr, status := Utrace(t, append(append(args, "--"), command...)...)
	if status != 0 {
		t.Fatalf("record: status %d\n%s", status, stderr)
	}
	Validate(t, trace)
	return trace, stdout
}

// Record records a command and returns the report.
func Record(t *testing.T, flags []string, command ...string) *Report {
	t.Helper()
	trace, _ := record(t, flags, command...)
	return Analyze(t, trace)
}

// RecordTree records a command with its children and without an overhead limit. It returns the
// trace, and the command's standard output and status. No event may be lost, and there may be no
// warnings.
func RecordTree(t *testing.T, flags []string, command ...string) (trace, stdout string, status int) {
	t.Helper()
	trace = filepath.Join(t.TempDir(), "trace.arrow")
	args := append([]string{"record", "--max-overhead=none", "-o", trace}, flags...)
	stdout, stderr, status := Utrace(t, append(append(args, "--"), command...)...)
	Validate(t, trace)
	if r := Analyze(t, trace); r.Trace.Lost != 0 {
		t.Errorf("%d events lost", r.Trace.Lost)
	}
	// A machine on which others work may be faster or slower after a while.
	if n := strings.Count(stderr, "warning"); n > strings.Count(stderr, "warning: the cost of the probes of a call moved") {
		t.Errorf("warnings:\n%s", stderr)
	}
	return trace, stdout, status
}

// RecordFlow records a command and returns its calls as [FlowLines] does, the trace, and the
// command's standard output.
func RecordFlow(t *testing.T, flags []string, command ...string) (calls []string, trace, stdout string) {
	t.Helper()
	NeedKernel(t)
	trace, stdout = record(t, flags, command...)
	return FlowLines(t, trace), trace, stdout
}

// FlowLines returns the calls that --flow shows, in order, without times and threads.
func FlowLines(t *testing.T, trace string) (lines []string) {
	t.Helper()
	flow, stderr, status := Utrace(t, "analyze", "--flow", trace)
	if status != 0 {
		t.Fatalf("analyze: status %d\n%s", status, stderr)
	}
	for line := range strings.Lines(flow) {
		if _, call, ok := strings.Cut(line, "] | "); ok {
			lines = append(lines, strings.TrimRight(call, "\n"))
		}
	}
	return lines
}

// Lines returns the lines of a text. Programs that are recorded print the lines that FlowLines must
// return.
func Lines(text string) []string { return strings.Split(strings.TrimRight(text, "\n"), "\n") }

// WantLines compares lines, and shows the first that differs.
func WantLines(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		g, w := "", ""
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if i >= len(got) || i >= len(want) || g != w {
			t.Fatalf("%d lines, want %d; line %d:\n got %s\nwant %s", len(got), len(want), i+1, g, w)
		}
	}
}
