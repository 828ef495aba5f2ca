//go:build linux

package runtimes

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// TestGo records Go programs built before and after each change of the runtime's struct g, as far
// as those versions can be downloaded. Each goroutine is a flow of its own, whatever thread it runs
// on, while its stack grows and panics are recovered.
func TestGo(t *testing.T) {
	harness.NeedKernel(t)
	for _, version := range []string{"go1.20.14", "go1.24.0", "local"} {
		t.Run(version, func(t *testing.T) {
			if version != "local" {
				harness.Long(t)
			}
			dir := t.TempDir()
			source, err := os.ReadFile(harness.Testdata(t, "targets/goroutines/main.go"))
			if err != nil {
				t.Fatal(err)
			}
			os.WriteFile(dir+"/main.go", source, 0o600)
			os.WriteFile(dir+"/go.mod", []byte("module target\n\ngo 1.20\n"), 0o600)
			env := append(os.Environ(), "GOTOOLCHAIN="+version, "GOFLAGS=", "CGO_ENABLED=0")
			has := exec.Command("go", "version")
			has.Env, has.Dir = env, dir
			if text, err := has.CombinedOutput(); err != nil {
				t.Skipf("this toolchain cannot be had: %v\n%s", err, text)
			}
			bin := filepath.Join(dir, "target")
			build := exec.Command("go", "build", "-o", bin, ".")
			build.Env, build.Dir = env, dir
			if text, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			trace := filepath.Join(dir, "trace.arrow")
			stdout, stderr, status := harness.Utrace(t, "record", "-o", trace, "-e", "main.*", bin)
			if status != 0 || stdout != "ok\n" {
				t.Fatalf("status %d, output %q\n%s", status, stdout, stderr)
			}
			harness.Validate(t, trace)
			r := harness.Analyze(t, trace)
			if r.Trace.Lost != 0 {
				t.Skipf("%d events lost", r.Trace.Lost)
			}
			// work(i) calls grow with n = i%100, or n = (i+1)%100 for even i, which panic: each odd
			// number up to 99 twice. grow(n) makes n+1 calls, and one of leaf.
			grows := uint64(0)
			for n := uint64(1); n < 100; n += 2 {
				grows += 2 * (n + 1)
			}
			harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{
				"main.main": 1, "main.work": 800, "main.recovers": 800, "main.panics": 800,
				"main.grow": 8 * grows, "main.leaf": 800 + 800 + 400,
			})
			harness.WantCounts(t, "incomplete calls", r.Incomplete(), map[string]uint64{
				"main.main": 0, "main.work": 0, "main.panics": 400, "main.grow": 0, "main.leaf": 0,
			})
			generic := uint64(0)
			for name, n := range r.Calls() {
				if strings.HasPrefix(name, "main.generic[") {
					generic += n
				}
			}
			if generic != 1600 {
				t.Errorf("%d calls of main.generic, want 1600", generic)
			}
		})
	}
}

// TestGoRuntime: probes on all functions of a Go program, the runtime's included, do no harm.
func TestGoRuntime(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.GoTarget(t, "goroutines")
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	stdout, stderr, status := harness.Utrace(t, "record", "-e", "*", "-o", trace, bin)
	if status != 0 || stdout != "ok\n" {
		t.Fatalf("status %d, output %q\n%s", status, stdout, stderr)
	}
	harness.Validate(t, trace)
}
