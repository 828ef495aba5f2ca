//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"utrace/bpf"
	"utrace/format"
)

// These tests use the built program as a user does, on real programs. They
// need root, BPF and a C compiler.

var utracePath string // set by TestMain, as no test can build it before the others

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "utrace-test")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		utracePath = filepath.Join(dir, "utrace")
		build := exec.Command("go", "build", "-o", utracePath, ".")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// needKernel skips a test where probes cannot be attached.
func needKernel(t testing.TB) {
	t.Helper()
	if err := bpf.Check(); err != nil {
		t.Skipf("needs root and BPF: %v", err)
	}
}

// needTool skips a test that compares with a program that is not installed.
func needTool(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("needs %s: %v", name, err)
	}
}

// target builds a program of testdata/targets.
func target(t testing.TB, source string, flags ...string) string {
	t.Helper()
	compiler := "gcc"
	if strings.HasSuffix(source, ".cpp") {
		compiler = "g++"
	}
	needTool(t, compiler)
	dir := t.TempDir()
	t.Setenv("GMON_OUT_PREFIX", dir+"/gmon") // programs built with -pg leave a file at their end
	out := filepath.Join(dir, strings.TrimSuffix(filepath.Base(source), filepath.Ext(source)))
	args := append([]string{"-g", "-w", "-o", out, "../../testdata/targets/" + source, "-lpthread"}, flags...)
	if text, err := exec.Command(compiler, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", source, err, text)
	}
	return out
}

// utrace runs utrace and returns its outputs; any exit status is fine with it.
func utrace(t testing.TB, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(utracePath, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

type report struct {
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

func (r *report) calls() map[string]uint64 {
	m := map[string]uint64{}
	for _, f := range r.Functions {
		m[f.Name] += f.Calls
	}
	return m
}

func (r *report) incomplete() map[string]uint64 {
	m := map[string]uint64{}
	for _, f := range r.Functions {
		if f.Incomplete > 0 {
			m[f.Name] += f.Incomplete
		}
	}
	return m
}

func analyzeTrace(t testing.TB, trace string) *report {
	t.Helper()
	stdout, stderr, status := utrace(t, "analyze", "--json", trace)
	if status != 0 {
		t.Fatalf("analyze: status %d\n%s", status, stderr)
	}
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

// recordCommand records a command and returns the report of it. The trace must be
// flawless.
func recordCommand(t *testing.T, flags []string, command ...string) *report {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	args := append([]string{"record", "-o", trace}, flags...)
	_, stderr, status := utrace(t, append(append(args, "--"), command...)...)
	if status != 0 {
		t.Fatalf("record: status %d\n%s", status, stderr)
	}
	validate(t, trace)
	return analyzeTrace(t, trace)
}

func validate(t *testing.T, trace string) {
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

func wantCounts(t *testing.T, what string, got map[string]uint64, want map[string]uint64) {
	t.Helper()
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s of %s: %d, want %d", what, name, got[name], n)
		}
	}
}

// start starts a program in the background, and kills it when the test ends.
func start(t *testing.T, path string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd, &out
}

func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited for 10 s in vain")
		}
	}
}
