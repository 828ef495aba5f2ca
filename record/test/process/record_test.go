//go:build linux

package process

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// TestAttachInTheMiddle: calls that began before the recording are not in the trace, although their
// returns are seen.
func TestAttachInTheMiddle(t *testing.T) {
	harness.NeedKernel(t)
	service, _ := harness.Start(t, harness.Target(t, "service.c", "-O0"), "200")
	time.Sleep(300 * time.Millisecond)
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	_, stderr, status := harness.Utrace(t, "record", "-e", "*", "-d", "1s", "-p", strconv.Itoa(service.Process.Pid), "-o", trace)
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	harness.Validate(t, trace)
	r := harness.Analyze(t, trace)
	calls := r.Calls()
	if calls["serve"] < 100 || calls["serve"]+2 < calls["handle"] || calls["descend"] != 0 {
		t.Errorf("calls %v", calls)
	}
	for name, n := range r.Incomplete() {
		if n > 2 { // one a thread, open at the end
			t.Errorf("%d incomplete calls of %s", n, name)
		}
	}
	if service.ProcessState != nil || syscall.Kill(service.Process.Pid, 0) != nil {
		t.Error("the service is gone")
	}
}

// TestRecorderKilled: the process lives on, and the trace has all but the last second.
func TestRecorderKilled(t *testing.T) {
	harness.NeedKernel(t)
	service, out := harness.Start(t, harness.Target(t, "service.c", "-O0"))
	times := 20
	if testing.Short() {
		times = 5
	}
	for i := range times {
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		rec := exec.Command(harness.Binary(), "record", "-p", strconv.Itoa(service.Process.Pid), "-o", trace, "-e", "serve", "-e", "handle")
		if err := rec.Start(); err != nil {
			t.Fatal(err)
		}
		harness.WaitFor(t, func() bool { return harness.Written(trace) })
		began := time.Now()
		lasts := time.Duration(300+i*137%1700) * time.Millisecond
		time.Sleep(lasts)
		rec.Process.Kill()
		rec.Wait()
		lasts = time.Since(began)
		r := harness.Analyze(t, trace)
		if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "not complete") }) {
			t.Errorf("no warning of an incomplete trace: %q", r.Warnings)
		}
		if missing := lasts - time.Duration(r.Trace.DurationNs); missing > time.Second+200*time.Millisecond {
			t.Errorf("killed after %v, the trace ends after %v", lasts, time.Duration(r.Trace.DurationNs))
		}
		before := lastCount(out)
		harness.WaitFor(t, func() bool { return lastCount(out) > before })
	}
}

// lastCount returns the latest number that service.c has printed.
func lastCount(out *bytes.Buffer) int64 {
	lines := strings.Fields(out.String())
	if len(lines) < 2 {
		return 0
	}
	n, _ := strconv.ParseInt(lines[len(lines)-2], 10, 64)
	return n
}

// TestTargetKilled: the recording ends with its process, and the trace is complete.
func TestTargetKilled(t *testing.T) {
	harness.NeedKernel(t)
	service, _ := harness.Start(t, harness.Target(t, "service.c", "-O0"))
	time.AfterFunc(1500*time.Millisecond, func() { service.Process.Kill() })
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	go service.Wait()
	_, stderr, status := harness.Utrace(t, "record", "-e", "*", "-p", strconv.Itoa(service.Process.Pid), "-o", trace)
	if status != 0 || !strings.Contains(stderr, "have ended") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	harness.Validate(t, trace)
	if calls := harness.Analyze(t, trace).Calls(); calls["serve"] == 0 {
		t.Errorf("calls %v", calls)
	}
}

// TestCommand: a command keeps its streams, arguments and exit status.
func TestCommand(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Program(t, "cat", `#include <stdio.h>
int copy(void) { int c, n = 0; while ((c = getchar()) != EOF) { putchar(c); n++; } return n; }
int main(int argc, char **argv) { fprintf(stderr, "to stderr: %s\n", argv[1]); copy(); return 7; }`)
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	cmd := exec.Command(harness.Binary(), "record", "-e", "*", "-o", trace, bin, "--argument")
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("through\n"), &stdout, &stderr
	cmd.Run()
	if cmd.ProcessState.ExitCode() != 7 || stdout.String() != "through\n" || !strings.Contains(stderr.String(), "to stderr: --argument\n") {
		t.Errorf("status %d, stdout %q, stderr:\n%s", cmd.ProcessState.ExitCode(), &stdout, &stderr)
	}
	harness.WantCounts(t, "calls", harness.Analyze(t, trace).Calls(), map[string]uint64{"main": 1, "copy": 1})
	if info, err := os.Stat(trace); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestSudo: under sudo the command runs as the user who called sudo, and the trace belongs to that
// user.
func TestSudo(t *testing.T) {
	harness.NeedKernel(t)
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	src, bin, trace := dir+"/who.c", dir+"/who", dir+"/trace.arrow"
	os.WriteFile(src, []byte(`#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(void) { printf("%d %d %s", (int)getuid(), (int)getgid(), getenv("USER")); return 0; }`), 0o600)
	if text, err := exec.Command("gcc", "-o", bin, src).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	cmd := exec.Command(harness.Binary(), "record", "-o", trace, bin)
	cmd.Env = append(os.Environ(), "SUDO_UID=65534", "SUDO_GID=65534", "SUDO_USER=nobody")
	out, err := cmd.Output()
	if err != nil || string(out) != "65534 65534 nobody" {
		t.Errorf("%q, %v", out, err)
	}
	info, err := os.Stat(trace)
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 65534 {
		t.Errorf("the trace belongs to %d", uid)
	}
}

// TestLoss: with a ring of one page, every event is in the trace or counted as lost.
func TestLoss(t *testing.T) {
	harness.NeedKernel(t)
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	stdout, stderr, status := harness.Utrace(t, "record", "--ring-size", "4KiB", "-o", trace, "-e", "leaf", harness.Target(t, "flood.c", "-O1"), "1")
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	want, err := strconv.ParseUint(strings.TrimSpace(stdout), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	harness.Validate(t, trace)
	tables, _ := harness.Tables(t, trace)
	e := tables.End
	if len(e.FuncLost) != 1 || e.FuncLost[0].Entries == 0 {
		t.Fatalf("nothing lost: %+v", e)
	}
	lost := e.FuncLost[0]
	if got := e.Entries + lost.Entries; got != want {
		t.Errorf("%d entries + %d lost = %d, the program counts %d", e.Entries, lost.Entries, got, want)
	}
	if got := e.Events - e.Entries + lost.Returns; got != want {
		t.Errorf("%d returns + %d lost = %d, the program counts %d", e.Events-e.Entries, lost.Returns, got, want)
	}
	if e.Lost != lost.Entries+lost.Returns {
		t.Errorf("%d lost in all, %+v of the function", e.Lost, lost)
	}
	if !strings.Contains(stderr, "were lost") {
		t.Errorf("the summary does not say so:\n%s", stderr)
	}
	rep := harness.Analyze(t, trace)
	if rep.Trace.Lost != e.Lost || len(rep.Warnings) == 0 || rep.Calls()["leaf"] != e.Entries {
		t.Errorf("report: %+v", rep)
	}
}

// TestFlood: a program calls as fast as it can. No call is counted that it did not make.
func TestFlood(t *testing.T) {
	harness.NeedKernel(t)
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	stdout, stderr, _ := harness.Utrace(t, "record", "-o", trace, "-e", "leaf", harness.Target(t, "flood.c", "-O1"), "2")
	want, _ := strconv.ParseUint(strings.TrimSpace(stdout), 10, 64)
	r := harness.Analyze(t, trace)
	if got := r.Calls()["leaf"]; r.Trace.Lost == 0 && got != want || got > want {
		t.Errorf("%d calls and %d lost events, the program counts %d calls\n%s", got, r.Trace.Lost, want, stderr)
	}
}

// TestOutputFile: record replaces traces, and other files only with --force. If it cannot begin,
// the older trace stays.
func TestOutputFile(t *testing.T) {
	harness.NeedKernel(t)
	dir := t.TempDir()
	bin := harness.Target(t, "calls.c", "-O0")
	precious := filepath.Join(dir, "precious")
	os.WriteFile(precious, []byte("not a trace"), 0o600)
	_, stderr, status := harness.Utrace(t, "record", "-o", precious, bin)
	if text, _ := os.ReadFile(precious); status != 1 || string(text) != "not a trace" || !strings.Contains(stderr, "--force") {
		t.Errorf("status %d, file %q\n%s", status, text, stderr)
	}
	link := filepath.Join(dir, "link")
	os.Symlink(precious, link)
	if _, stderr, status := harness.Utrace(t, "record", "--force", "-o", link, bin); status != 1 {
		t.Errorf("through a link: status %d\n%s", status, stderr)
	}
	if _, stderr, status := harness.Utrace(t, "record", "--force", "-o", precious, bin); status != 0 {
		t.Errorf("status %d\n%s", status, stderr)
	}
	if _, stderr, status := harness.Utrace(t, "record", "-o", precious, bin); status != 0 {
		t.Errorf("over a trace: status %d\n%s", status, stderr)
	}
	harness.Validate(t, precious)
	harness.Validate(t, precious+".old")
	// If a recording cannot begin, the older trace stays, and nothing is added.
	before, err := os.ReadFile(precious)
	if err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := harness.Utrace(t, "record", "-o", precious, harness.Target(t, "calls.c", "-O0", "-Wl,--dynamic-linker=/does/not/exist")); status != 1 {
		t.Errorf("a program that cannot run: status %d\n%s", status, stderr)
	}
	if after, err := os.ReadFile(precious); !bytes.Equal(after, before) {
		t.Errorf("after a recording that did not begin: %v, %d bytes", err, len(after))
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 3 {
		t.Errorf("%v: %v", err, files)
	}
}

// TestMaxSize: the recording ends at the maximum size.
func TestMaxSize(t *testing.T) {
	harness.NeedKernel(t)
	service, _ := harness.Start(t, harness.Target(t, "service.c", "-O0"))
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	_, stderr, status := harness.Utrace(t, "record", "-e", "*", "--max-size", "200KiB", "-p", strconv.Itoa(service.Process.Pid), "-o", trace)
	if status != 0 || !strings.Contains(stderr, "maximum size") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	harness.Validate(t, trace)
}

// TestDiskFull: a full disk ends the recording with an error, and what was written can be read.
func TestDiskFull(t *testing.T) {
	harness.NeedKernel(t)
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("needs to mount a file system: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	service, _ := harness.Start(t, harness.Target(t, "service.c", "-O0"))
	trace := filepath.Join(dir, "trace.arrow")
	_, stderr, status := harness.Utrace(t, "record", "-e", "*", "-d", "20s", "-p", strconv.Itoa(service.Process.Pid), "-o", trace)
	if status != 1 || !strings.Contains(stderr, "no space left on device") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	if calls := harness.Analyze(t, trace).Calls(); calls["serve"] == 0 {
		t.Errorf("calls %v", calls)
	}
}
