//go:build linux

package runtimes

import (
	"path/filepath"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

const ruby = "/usr/bin/ruby3.1"

// TestRuby: recursion, methods, exceptions, threads and fibers have the calls that the program
// counts, while a TracePoint is on.
func TestRuby(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTool(t, ruby)
	r := recordRuntime(t, "ruby", []string{"TRACEPOINT=1"}, ruby, runtimeFile(t, "calls.rb"))
	own := countLines(t, r.stdout)
	delete(own, "block") // not a method
	got := map[string]uint64{}
	for _, f := range r.report.Functions {
		if f.File == runtimeFile(t, "calls.rb") {
			got[f.Name[strings.IndexByte(f.Name, '#')+1:]] += f.Calls
			if f.Incomplete > 0 {
				t.Errorf("%d incomplete calls of %s", f.Incomplete, f.Name)
			}
		}
	}
	harness.WantCounts(t, "calls", got, own)
	calls := r.report.Calls()
	harness.WantCounts(t, "calls", calls, map[string]uint64{"Shape#area": 3, "Object#fib": 378})
	if calls["require"] == 0 || calls["parse"] == 0 || calls["raise"] < 5 {
		t.Errorf("calls %v", calls)
	}
}

// TestRubyWithoutTracePoint: one line says why there are no methods.
func TestRubyWithoutTracePoint(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTool(t, ruby)
	const want = "methods are passed to probes only while the program has TracePoint.new(:call, :return) enabled"
	r := recordRuntime(t, "ruby", nil, ruby, runtimeFile(t, "calls.rb"))
	if strings.Count(r.stderr, want) != 1 {
		t.Error(r.stderr)
	}
	stderr, report := recordRunning(t, "ruby", nil, ruby, runtimeFile(t, "sleeper.rb"))
	if strings.Count(stderr, want) != 1 {
		t.Errorf("calls %v\n%s", report.Calls(), stderr)
	}
	stderr, report = recordRunning(t, "ruby", []string{"TRACEPOINT=1"}, ruby, runtimeFile(t, "sleeper.rb"))
	if strings.Contains(stderr, want) || report.Calls()["Object#nap"] < 10 {
		t.Errorf("calls %v\n%s", report.Calls(), stderr)
	}
}

// TestRubyRefused: probes that crash Ruby are refused, whatever selects them.
func TestRubyRefused(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTool(t, ruby)
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	for _, probe := range []string{"usdt:ruby:cmethod__entry", "usdt:*:cmethod__return"} {
		_, stderr, status := harness.Utrace(t, "record", "-o", trace, "-e", probe, "--", ruby, "-e", "1")
		if status != 1 || !strings.Contains(stderr, "it crashes Ruby: use after free") {
			t.Errorf("%s: status %d\n%s", probe, status, stderr)
		}
	}
	stdout, stderr, status := harness.Utrace(t, "record", "-o", trace, "-e", "usdt:ruby:*", "--", ruby, runtimeFile(t, "uaf.rb"))
	if status != 0 || stdout != "ok\n" || !strings.Contains(stderr, "2 functions were left out, such as ruby:cmethod__entry") {
		t.Errorf("status %d, output %q\n%s", status, stdout, stderr)
	}
}
