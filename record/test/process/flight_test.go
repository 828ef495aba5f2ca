//go:build linux

package process

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// momentFlags record the functions of moments.c around its moments.
var momentFlags = []string{"-e", "handle(moment:s32)", "-e", "leaf", "-e", "slow", "--last", "400ms", "--after", "50ms", "--every", "0s"}

// numbered returns the path of a flight recorder's trace by its number.
func numbered(rec *harness.Recorder, n int) string {
	return strings.TrimSuffix(rec.Trace, ".arrow") + fmt.Sprintf("-%d.arrow", n)
}

// wantMoment fails the test unless a trace is valid, not longer than asked, and has a call of handle
// around a moment with all that is below it.
func wantMoment(t *testing.T, trace string) {
	t.Helper()
	harness.Validate(t, trace)
	r := harness.Analyze(t, trace)
	if longest := (450 * time.Millisecond).Nanoseconds(); r.Trace.DurationNs > longest || r.Trace.Lost > 0 {
		t.Errorf("%s: %d ns, want at most %d; %d events lost", trace, r.Trace.DurationNs, longest, r.Trace.Lost)
	}
	flow := strings.Join(harness.FlowLines(t, trace), "\n")
	story := "handle(1) {\n  leaf();\n  leaf();\n  leaf();\n  slow() {\n    leaf();\n  } /* slow */\n} /* handle */"
	if !strings.Contains(flow, story) {
		t.Errorf("%s: no call of handle(1) from its entry to its return:\n%.2000s", trace, flow)
	}
}

// TestFlightRecorder: each of three moments gets a trace of the time around it. The recording ends
// with the last one, and nothing else is written.
func TestFlightRecorder(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "moments.c", "-O1")
	target, _ := harness.Start(t, program)
	rec := harness.StartRecorder(t, append([]string{"--until", "handle if moment == 1 && duration > 90ms", "--times", "3", "-p", strconv.Itoa(target.Process.Pid)}, momentFlags...)...)
	stderr := rec.Wait(t)
	for n := range 3 {
		wantMoment(t, numbered(rec, n+1))
	}
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(rec.Trace), "*"))
	if len(files) != 3 || !strings.Contains(stderr, "3 traces were written") {
		t.Errorf("files %q\n%s", files, stderr)
	}
}

// TestOtherMoments: a moment can be a signal to utrace, a file that appears, and a signal that kills
// a recorded process. utrace then has the status of the command.
func TestOtherMoments(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "moments.c", "-O1")
	file := filepath.Join(t.TempDir(), "file")
	for _, c := range []struct {
		rule, text string
		command    []string
		status     int
	}{
		{"signal:USR1", "utrace got the signal SIGUSR1", []string{program, "signal"}, 0},
		{"file:" + file, file + " appeared", []string{program, "file", file}, 0},
		{"exit-signal", "(moments) was killed by SIGSEGV", []string{program, "crash"}, 128 + int(syscall.SIGSEGV)},
	} {
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		args := slices.Concat([]string{"record", "-o", trace, "--until", c.rule}, momentFlags, []string{"--after", "0s", "--last", "5s", "--"}, c.command)
		_, stderr, status := harness.Utrace(t, args...)
		if status != c.status || !strings.Contains(stderr, c.text) {
			t.Errorf("%s: status %d\n%s", c.rule, status, stderr)
			continue
		}
		harness.Validate(t, trace)
		if tables, _ := harness.Tables(t, trace); !strings.Contains(tables.End.Reason, c.text) {
			t.Errorf("%s: the reason in the trace is %q", c.rule, tables.End.Reason)
		}
		if calls := harness.Analyze(t, trace).Calls(); calls["slow"] == 0 || calls["handle"] < 100 {
			t.Errorf("%s: calls %v", c.rule, calls)
		}
	}
}

// TestNoMoment: a flight recorder that is interrupted leaves no trace, not even an empty one.
func TestNoMoment(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "moments.c", "-O1")
	dir := t.TempDir()
	_, stderr, status := harness.Utrace(t, "record", "-d", "1s", "-o", filepath.Join(dir, "trace.arrow"), "--until", "slow > 10s", "--", program, "none")
	if status != 0 || !strings.Contains(stderr, "a condition of --until was met 0 times; 0 traces were written") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) > 0 {
		t.Errorf("files %q", files)
	}
}
