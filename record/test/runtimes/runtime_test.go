//go:build linux

package runtimes

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/record"
	"utrace/record/test/harness"
)

// Tests of language runtimes record programs of testdata/targets/runtimes that count their own
// calls.

// runtimeFile returns the absolute path of a program.
func runtimeFile(t testing.TB, name string) string {
	t.Helper()
	return harness.Testdata(t, "targets/runtimes/"+name)
}

// recording is the result of recording a command.
type recording struct {
	stdout, stderr string
	trace          string
	report         *harness.Report
}

// recordRuntime records a command with a preset. The trace must be valid, and the command must
// succeed.
func recordRuntime(t *testing.T, preset string, env []string, command ...string) *recording {
	t.Helper()
	r := &recording{trace: filepath.Join(t.TempDir(), "trace.arrow")}
	cmd := exec.Command(harness.Binary(), append([]string{"record", "--wait", "-o", r.trace, "--preset", preset, "--"}, command...)...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("record: %v\n%s", err, errs.String())
	}
	harness.Validate(t, r.trace)
	r.stdout, r.stderr, r.report = out.String(), errs.String(), harness.Analyze(t, r.trace)
	if r.report.Trace.Lost != 0 {
		t.Skipf("%d events lost", r.report.Trace.Lost)
	}
	return r
}

// countLines reads the calls that a program has counted: lines of NAME COUNT.
func countLines(t *testing.T, text string) map[string]uint64 {
	t.Helper()
	counts := map[string]uint64{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) != 2 {
			continue
		}
		if n, err := strconv.ParseUint(words[1], 10, 64); err == nil {
			counts[words[0]] = n
		}
	}
	if len(counts) == 0 {
		t.Fatalf("no counts in %q", text)
	}
	return counts
}

// wantOwnCounts checks that functions have as many calls as the program has counted, and that all
// calls have returned. The argument name maps utrace's name of a function to the program's, or to
// nothing.
func (r *recording) wantOwnCounts(t *testing.T, name func(function string) string) {
	t.Helper()
	calls, incomplete := map[string]uint64{}, map[string]uint64{}
	for _, f := range r.report.Functions {
		if n := name(f.Name); n != "" {
			calls[n] += f.Calls
			incomplete[n] += f.Incomplete
		}
	}
	harness.WantCounts(t, "calls", calls, countLines(t, r.stdout))
	for n, count := range incomplete {
		if count != 0 {
			t.Errorf("%d incomplete calls of %s", count, n)
		}
	}
}

// wantNesting checks that the calls of each thread form a tree: in --flow=arrows, calls end in the
// reverse order of their beginnings.
func wantNesting(t *testing.T, trace string, flags ...string) {
	t.Helper()
	stdout, stderr, status := harness.Utrace(t, append(append([]string{"analyze", "--flow=arrows"}, flags...), trace)...)
	if status != 0 {
		t.Fatalf("analyze: status %d\n%s", status, stderr)
	}
	stacks := map[string][]string{}
	for line := range strings.Lines(stdout) {
		head, name, enters := strings.Cut(line, "-> ")
		if !enters {
			head, name, _ = strings.Cut(line, "<- ")
		}
		words := strings.Fields(head)
		if len(words) < 4 || words[0] == "CPU" {
			continue
		}
		name, _, _ = strings.Cut(strings.TrimSpace(name), "(")
		stack := stacks[words[2]]
		switch {
		case name == "exception__thrown": // a point, not a call
		case enters:
			stacks[words[2]] = append(stack, name)
		case len(stack) == 0 || stack[len(stack)-1] != name:
			t.Fatalf("%s ends inside %v", name, stack)
		default:
			stacks[words[2]] = stack[:len(stack)-1]
		}
	}
	for tid, stack := range stacks {
		if len(stack) > 0 {
			t.Errorf("thread %s: %v has not ended", tid, stack)
		}
	}
}

// recordRunning starts a program that prints "ready" and runs until its input ends, and records it
// for a second. It returns what record prints, and the report.
func recordRunning(t *testing.T, preset string, env []string, command ...string) (stderr string, r *harness.Report) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), env...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if line, _ := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the program prints %q", line)
	}
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	_, stderr, status := harness.Utrace(t, "record", "-d", "1s", "-o", trace, "--preset", preset, "-p", strconv.Itoa(cmd.Process.Pid))
	if status != 0 {
		t.Fatalf("record: status %d\n%s", status, stderr)
	}
	stdin.Write([]byte("\n"))
	stdin.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the program: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the program does not end")
	}
	harness.Validate(t, trace)
	return stderr, harness.Analyze(t, trace)
}

// TestInternedNames: a function does not get the name that was at the same address before.
func TestInternedNames(t *testing.T) {
	harness.NeedKernel(t)
	r := recordRuntime(t, "python", nil, harness.Target(t, "runtimes/names.c", "-O1"))
	r.wantOwnCounts(t, func(function string) string { return function })
	for _, f := range r.report.Functions {
		number := strings.TrimLeft(f.Name[strings.IndexByte(f.Name, '.'):], ".pyfx")
		if f.Name != "python:function__entry" && number != strconv.Itoa(f.Line) {
			t.Errorf("%s begins in line %d", f.Name, f.Line)
		}
	}
	wantNesting(t, r.trace)
}

// TestListPresets: each preset has a line, and -e accepts its probes.
func TestListPresets(t *testing.T) {
	stdout, _, status := harness.Utrace(t, "list", "--presets")
	if status != 0 {
		t.Fatal(status)
	}
	for _, name := range []string{"dns", "io", "java", "malloc", "php", "postgres", "python", "ruby", "sqlite", "tls"} {
		if !strings.Contains("\n"+stdout, "\n"+name+" ") {
			t.Errorf("no preset %s in\n%s", name, stdout)
		}
	}
	stdout, _, _ = harness.Utrace(t, "list", "--presets", "-v")
	for line := range strings.Lines(stdout) {
		if text, ok := strings.CutPrefix(line, "  -e '"); ok {
			if _, err := record.ParseProbe(strings.TrimSuffix(text, "'\n")); err != nil {
				t.Error(err)
			}
		}
	}
}
