//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
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
		Name, File          string
		Line                int
		Calls, Incomplete   uint64
		TotalNs             uint64 `json:"total_ns"`
		SelfNs              uint64 `json:"self_ns"`
		MinNs, AvgNs, MaxNs uint64
		P50Ns               uint64 `json:"p50_ns"`
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
	args := append([]string{"record", "--max-overhead=none", "-o", trace}, flags...)
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

// callgrind counts the calls of every function by simulation.
func callgrind(t *testing.T, command ...string) map[string]uint64 {
	t.Helper()
	needTool(t, "valgrind")
	out := filepath.Join(t.TempDir(), "callgrind.out")
	args := append([]string{"--tool=callgrind", "--compress-strings=no", "--compress-pos=no", "--callgrind-out-file=" + out}, command...)
	if text, err := exec.Command("valgrind", args...).CombinedOutput(); err != nil {
		t.Fatalf("valgrind: %v\n%s", err, text)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	callee := ""
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "cfn="); ok {
			callee, _, _ = strings.Cut(strings.TrimSpace(name), "'") // 'N marks recursion
		} else if n, ok := strings.CutPrefix(line, "calls="); ok {
			count, err := strconv.ParseUint(strings.Fields(n)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			counts[callee] += count
		}
	}
	return counts
}

func TestCountsEqualCallgrind(t *testing.T) {
	needKernel(t)
	for _, c := range []struct {
		source string
		flags  []string
		probes []string
	}{
		{"calls.c", []string{"-O0"}, nil},
		{"calls.c", []string{"-O2"}, []string{"-e", "*"}},
		{"calls.c", []string{"-O1", "-no-pie"}, []string{"-e", "*"}},
		{"calls.c", []string{"-O2", "-fcf-protection"}, nil},
		{"threads.c", []string{"-O0"}, nil},
		{"threads.c", []string{"-O2"}, []string{"-e", "*"}},
	} {
		t.Run(c.source+strings.Join(c.flags, ""), func(t *testing.T) {
			bin := target(t, c.source, c.flags...)
			want := callgrind(t, bin, "200")
			r := recordCommand(t, c.probes, bin, "200")
			if r.Trace.Lost != 0 {
				t.Fatalf("%d events lost", r.Trace.Lost)
			}
			if len(r.Functions) < 6 {
				t.Errorf("only %d functions", len(r.Functions))
			}
			for _, f := range r.Functions {
				if f.Calls != want[f.Name] || f.Incomplete != 0 {
					t.Errorf("%s: %d calls, %d incomplete; callgrind counts %d", f.Name, f.Calls, f.Incomplete, want[f.Name])
				}
				if !strings.HasSuffix(f.File, c.source) || f.Line == 0 {
					t.Errorf("%s is at %q line %d", f.Name, f.File, f.Line)
				}
			}
		})
	}
}

func TestFramesLeftWithoutReturn(t *testing.T) {
	needKernel(t)
	for _, c := range []struct {
		how        string
		calls      map[string]uint64
		incomplete map[string]uint64
	}{
		{"jump", map[string]uint64{"try_jump": 50, "deep1": 50, "deep5": 50}, map[string]uint64{"deep1": 25, "deep2": 25, "deep3": 25, "deep4": 25, "deep5": 25}},
		{"thread", map[string]uint64{"thread_main": 50, "in_thread": 50}, map[string]uint64{"thread_main": 50, "in_thread": 50, "leave_thread": 50}},
		{"exit", map[string]uint64{"in_process": 1}, map[string]uint64{"main": 1, "in_process": 1, "leave_process": 1}},
		{"signal", map[string]uint64{"raise_inside": 50, "on_signal": 50, "on_signal_inner": 50}, nil},
		{"altstack", map[string]uint64{"raise_inside": 50, "on_signal": 50, "on_signal_inner": 50}, nil},
		{"alloca", map[string]uint64{"with_alloca": 50, "fill": 50}, nil},
		{"tail", map[string]uint64{"tail_start": 50, "tail_middle": 50, "tail_end": 50}, nil},
	} {
		for _, opt := range []string{"-O0", "-O2"} {
			t.Run(c.how+opt, func(t *testing.T) {
				r := recordCommand(t, nil, target(t, "jumps.c", opt), c.how)
				wantCounts(t, "calls", r.calls(), c.calls)
				got := r.incomplete()
				wantCounts(t, "incomplete calls", got, c.incomplete)
				if len(got) != len(c.incomplete) {
					t.Errorf("incomplete calls %v, want %v", got, c.incomplete)
				}
				for _, f := range r.Functions {
					if f.TotalNs > uint64(r.Trace.DurationNs) {
						t.Errorf("%s took %d ns of a recording of %d", f.Name, f.TotalNs, r.Trace.DurationNs)
					}
				}
			})
		}
	}
}

// A return probe of the kernel's own kind would abort this program.
func TestExceptions(t *testing.T) {
	needKernel(t)
	r := recordCommand(t, nil, target(t, "exceptions.cpp", "-O2"))
	wantCounts(t, "calls", r.calls(), map[string]uint64{"app::catches": 50, "app::passes(int)": 50, "app::passes(double)": 50, "app::fails": 50, "main": 1})
	wantCounts(t, "incomplete calls", r.incomplete(), map[string]uint64{"app::catches": 0, "app::passes(int)": 25, "app::passes(double)": 25, "app::fails": 25, "main": 0})
}

// A return probe of the kernel's own kind would send this program astray.
func TestCoroutines(t *testing.T) {
	needKernel(t)
	r := recordCommand(t, nil, target(t, "coroutines.c", "-O1"))
	wantCounts(t, "calls", r.calls(), map[string]uint64{"resume": 63, "body": 3, "part": 60, "before": 60, "yield": 60, "main": 1})
	wantCounts(t, "incomplete calls", r.incomplete(), map[string]uint64{"resume": 0, "before": 0, "main": 0})
}

func TestLoadedLibrary(t *testing.T) {
	needKernel(t)
	host := target(t, "plugin.c", "-DHOST", "-ldl")
	lib := filepath.Join(t.TempDir(), "libplug.so")
	if text, err := exec.Command("gcc", "-shared", "-fPIC", "-O1", "-o", lib, "../../testdata/targets/plugin.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	r := recordCommand(t, []string{"-e", "call_*", "-e", lib + ":plugin_*", "-e", "c:dl*open", "-e", "c:puts"}, host, lib)
	wantCounts(t, "calls", r.calls(), map[string]uint64{"call_plugin": 30, "plugin_entry": 30, "plugin_inner": 30, "dlopen": 3})
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

// TestAttachInTheMiddle: the frames below the recursion have begun before the
// recording, so their returns make no calls, and their end is never seen.
func TestAttachInTheMiddle(t *testing.T) {
	needKernel(t)
	service, _ := start(t, target(t, "service.c", "-O0"), "200")
	time.Sleep(300 * time.Millisecond)
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	_, stderr, status := utrace(t, "record", "--max-overhead=none", "-d", "1s", "-p", strconv.Itoa(service.Process.Pid), "-o", trace)
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	validate(t, trace)
	r := analyzeTrace(t, trace)
	calls := r.calls()
	if calls["serve"] < 100 || calls["serve"]+2 < calls["handle"] || calls["descend"] != 0 {
		t.Errorf("calls %v", calls)
	}
	for name, n := range r.incomplete() {
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
	needKernel(t)
	service, out := start(t, target(t, "service.c", "-O0"))
	for i := range 20 {
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		rec := exec.Command(utracePath, "record", "-p", strconv.Itoa(service.Process.Pid), "-o", trace, "-e", "serve", "-e", "handle")
		if err := rec.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { info, err := os.Stat(trace); return err == nil && info.Size() > 0 })
		began := time.Now()
		lasts := time.Duration(300+i*137%1700) * time.Millisecond
		time.Sleep(lasts)
		rec.Process.Kill()
		rec.Wait()
		lasts = time.Since(began)
		r := analyzeTrace(t, trace)
		if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "not complete") }) {
			t.Errorf("no warning of an incomplete trace: %q", r.Warnings)
		}
		if missing := lasts - time.Duration(r.Trace.DurationNs); missing > time.Second+200*time.Millisecond {
			t.Errorf("killed after %v, the trace ends after %v", lasts, time.Duration(r.Trace.DurationNs))
		}
		before := lastCount(out)
		waitFor(t, func() bool { return lastCount(out) > before })
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

func waitFor(t *testing.T, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited for 10 s in vain")
		}
	}
}

func TestTargetKilled(t *testing.T) {
	needKernel(t)
	service, _ := start(t, target(t, "service.c", "-O0"))
	time.AfterFunc(1500*time.Millisecond, func() { service.Process.Kill() })
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	go service.Wait()
	_, stderr, status := utrace(t, "record", "--max-overhead=none", "-p", strconv.Itoa(service.Process.Pid), "-o", trace)
	if status != 0 || !strings.Contains(stderr, "have ended") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	validate(t, trace)
	if calls := analyzeTrace(t, trace).calls(); calls["serve"] == 0 {
		t.Errorf("calls %v", calls)
	}
}

// TestCommand: a command keeps its streams, arguments and exit status.
func TestCommand(t *testing.T) {
	needKernel(t)
	bin := filepath.Join(t.TempDir(), "cat")
	src := filepath.Join(t.TempDir(), "cat.c")
	os.WriteFile(src, []byte(`#include <stdio.h>
int copy(void) { int c, n = 0; while ((c = getchar()) != EOF) { putchar(c); n++; } return n; }
int main(int argc, char **argv) { fprintf(stderr, "to stderr: %s\n", argv[1]); copy(); return 7; }`), 0o600)
	if text, err := exec.Command("gcc", "-O0", "-o", bin, src).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	cmd := exec.Command(utracePath, "record", "--max-overhead=none", "-o", trace, bin, "--argument")
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("through\n"), &stdout, &stderr
	cmd.Run()
	if cmd.ProcessState.ExitCode() != 7 || stdout.String() != "through\n" || !strings.Contains(stderr.String(), "to stderr: --argument\n") {
		t.Errorf("status %d, stdout %q, stderr:\n%s", cmd.ProcessState.ExitCode(), &stdout, &stderr)
	}
	wantCounts(t, "calls", analyzeTrace(t, trace).calls(), map[string]uint64{"main": 1, "copy": 1})
	if info, err := os.Stat(trace); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestSudo: under sudo the command runs as the user who called it, and the
// trace is theirs.
func TestSudo(t *testing.T) {
	needKernel(t)
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
	cmd := exec.Command(utracePath, "record", "--max-overhead=none", "-o", trace, bin)
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
	needKernel(t)
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	stdout, stderr, status := utrace(t, "record", "--ring-size", "4KiB", "-o", trace, "-e", "leaf", target(t, "flood.c", "-O1"), "1")
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	want, err := strconv.ParseUint(strings.TrimSpace(stdout), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	validate(t, trace)
	r, err := format.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var text strings.Builder
	if err := format.WriteText(&text, r); err != nil {
		t.Fatal(err)
	}
	end := regexp.MustCompile(`(?m)^end (.*)$`).FindStringSubmatch(text.String())
	var e format.End
	if err := json.Unmarshal([]byte(end[1]), &e); err != nil {
		t.Fatal(err)
	}
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
	rep := analyzeTrace(t, trace)
	if rep.Trace.Lost != e.Lost || len(rep.Warnings) == 0 || rep.calls()["leaf"] != e.Entries {
		t.Errorf("report: %+v", rep)
	}
}

func TestFlood(t *testing.T) {
	needKernel(t)
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	stdout, stderr, _ := utrace(t, "record", "-o", trace, "-e", "leaf", target(t, "flood.c", "-O1"), "2")
	want, _ := strconv.ParseUint(strings.TrimSpace(stdout), 10, 64)
	r := analyzeTrace(t, trace)
	if got := r.calls()["leaf"]; r.Trace.Lost == 0 && got != want || got > want {
		t.Errorf("%d calls and %d lost events, the program counts %d calls\n%s", got, r.Trace.Lost, want, stderr)
	}
}

// TestWholeMachine: a probe on a file is in every process.
func TestWholeMachine(t *testing.T) {
	needKernel(t)
	bin := target(t, "calls.c", "-O0")
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	rec := exec.Command(utracePath, "record", "-o", trace, "-e", bin+":fib", "-e", bin+":outer")
	var stderr bytes.Buffer
	rec.Stderr = &stderr
	if err := rec.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { info, err := os.Stat(trace); return err == nil && info.Size() > 0 })
	time.Sleep(300 * time.Millisecond)
	for range 3 {
		if err := exec.Command(bin, "2").Run(); err != nil {
			t.Fatal(err)
		}
	}
	rec.Process.Signal(os.Interrupt)
	if err := rec.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	validate(t, trace)
	// fib(8) makes 67 calls.
	wantCounts(t, "calls", analyzeTrace(t, trace).calls(), map[string]uint64{"fib": 3 * 2 * 67, "outer": 3 * 2})
}

func TestInstructions(t *testing.T) {
	needKernel(t)
	needTool(t, "objdump")
	bin := target(t, "calls.c", "-O0")
	text, err := exec.Command("objdump", "-d", "--no-show-raw-insn", bin).Output()
	if err != nil {
		t.Fatal(err)
	}
	body := regexp.MustCompile(`(?s)<fib>:\n(.*?)\n\n`).FindStringSubmatch(string(text))[1]
	addr := regexp.MustCompile(`(?m)^ +([0-9a-f]+):`).FindAllStringSubmatch(body, -1)
	first, _ := strconv.ParseUint(addr[0][1], 16, 64)
	second, _ := strconv.ParseUint(addr[2][1], 16, 64)
	offset := second - first
	r := recordCommand(t, []string{"-e", fmt.Sprintf("fib+%#x", offset), "-e", fmt.Sprintf(":%#x", first)}, bin, "1")
	wantCounts(t, "calls", r.calls(), map[string]uint64{"fib": 67, fmt.Sprintf("fib+%#x", offset): 67})

	// At -O0 a function begins with push %rbp (1 byte), mov %rsp,%rbp (3 bytes).
	_, stderr, status := utrace(t, "plan", "-e", "fib+2", bin)
	if status != 1 || !strings.Contains(stderr, "middle of an instruction") {
		t.Errorf("status %d\n%s", status, stderr)
	}
}

// TestPlanEqualsNM: addresses are those that nm prints.
func TestPlanEqualsNM(t *testing.T) {
	needTool(t, "nm")
	for _, flag := range []string{"-pie", "-no-pie"} {
		bin := target(t, "calls.c", flag, "-O0")
		text, err := exec.Command("nm", bin).Output()
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for _, m := range regexp.MustCompile(`(?m)^([0-9a-f]+) [Tt] (\w+)$`).FindAllStringSubmatch(string(text), -1) {
			want[m[2]] = "0x" + m[1]
		}
		stdout, stderr, status := utrace(t, "plan", bin)
		if status != 0 {
			t.Fatalf("status %d\n%s", status, stderr)
		}
		got := map[string]string{}
		for _, m := range regexp.MustCompile(`(?m)^(0x[0-9a-f]+) \+\d+ +\S+ +[0-9.]+ us +\S+ +(\w+)(?:  #.*)?$`).FindAllStringSubmatch(stdout, -1) {
			got[m[2]] = m[1]
		}
		for _, name := range []string{"main", "leaf", "middle", "outer", "fib", "is_odd", "is_even", "hidden", "make_big", "compare"} {
			if got[name] == "" || got[name] != want[name] {
				t.Errorf("%s %s: %s, nm says %s", flag, name, got[name], want[name])
			}
		}
	}
}

// TestFlowEqualsUftrace: the order and nesting of the calls is that of uftrace,
// which has every function of the program call it (-pg).
func TestFlowEqualsUftrace(t *testing.T) {
	needKernel(t)
	needTool(t, "uftrace")
	for _, source := range []string{"calls.c", "threads.c"} {
		dir := t.TempDir()
		bin := target(t, source, "-O0", "-pg", "-no-pie")
		if text, err := exec.Command("uftrace", "record", "--no-libcall", "--no-event", "-d", dir+"/data", bin, "3").CombinedOutput(); err != nil {
			t.Fatalf("uftrace: %v\n%s", err, text)
		}
		replay, err := exec.Command("uftrace", "replay", "-d", dir+"/data").Output()
		if err != nil {
			t.Fatal(err)
		}
		trace := dir + "/trace.arrow"
		if _, stderr, status := utrace(t, "record", "--max-overhead=none", "-o", trace, "--", bin, "3"); status != 0 {
			t.Fatalf("status %d\n%s", status, stderr)
		}
		flow, stderr, status := utrace(t, "analyze", "--flow", trace)
		if status != 0 {
			t.Fatalf("status %d\n%s", status, stderr)
		}
		want, got := flows(string(replay)), flows(flow)
		// A pool's threads, and who feeds them, share the work differently in each run.
		if source == "threads.c" {
			want, got = slices.DeleteFunc(want, notRunner), slices.DeleteFunc(got, notRunner)
			slices.Sort(want)
			slices.Sort(got)
			if len(want) != 8 {
				t.Fatalf("%d threads in uftrace's flow", len(want))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: flow:\n%s\nuftrace replay:\n%s", source, flow, replay)
		}
	}
}

func notRunner(flow string) bool { return !strings.Contains(flow, "runner()") }

// flows returns the calls of each thread with their nesting, without times.
func flows(replay string) []string {
	byThread := map[string]*strings.Builder{}
	var order []string
	for _, m := range regexp.MustCompile(`(?m)\[ *(\d+)\] \|(.*)$`).FindAllStringSubmatch(replay, -1) {
		if strings.Contains(m[2], "/* linux:") {
			continue
		}
		if byThread[m[1]] == nil {
			byThread[m[1]] = &strings.Builder{}
			order = append(order, m[1])
		}
		// uftrace folds a call into one line if nothing of another thread comes in between.
		line := regexp.MustCompile(`^( *)(\S+)\(\);$`).ReplaceAllString(m[2], "$1$2() {\n$1} /* $2 */")
		byThread[m[1]].WriteString(line + "\n")
	}
	var list []string
	for _, id := range order {
		list = append(list, byThread[id].String())
	}
	return list
}

// TestPprof: go tool pprof reads the profile, and its totals are the report's.
func TestPprof(t *testing.T) {
	needKernel(t)
	dir := t.TempDir()
	trace, out := dir+"/trace.arrow", dir+"/out.pb.gz"
	if _, stderr, status := utrace(t, "record", "--max-overhead=none", "-o", trace, "--", target(t, "threads.c", "-O0"), "100"); status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	if _, stderr, status := utrace(t, "analyze", "--pprof", out, trace); status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	r := analyzeTrace(t, trace)
	var calls, selfNs uint64
	for _, f := range r.Functions {
		calls += f.Calls
		selfNs += f.SelfNs
	}
	pprof := func(args ...string) string {
		t.Helper()
		text, err := exec.Command("go", append(append([]string{"tool", "pprof"}, args...), out)...).CombinedOutput()
		if err != nil {
			t.Fatalf("pprof %q: %v\n%s", args, err, text)
		}
		return string(text)
	}
	top := pprof("-top", "-unit=ns")
	if want := fmt.Sprintf("of %dns total", selfNs); !strings.Contains(top, want) && !strings.Contains(top, fmt.Sprintf("for %dns, 100%%", selfNs)) {
		t.Errorf("no %q in:\n%s", want, top)
	}
	top = pprof("-top", "-sample_index=calls", "-nodefraction=0")
	if !strings.Contains(top, fmt.Sprintf("for %d, 100%%", calls)) {
		t.Errorf("%d calls are not the total of:\n%s", calls, top)
	}
	for _, f := range r.Functions {
		if !regexp.MustCompile(fmt.Sprintf(`(?m)^ *%d .* %s$`, f.Calls, f.Name)).MatchString(top) {
			t.Errorf("%d calls of %s are not in:\n%s", f.Calls, f.Name, top)
		}
	}
	if list := pprof("-list", "^work$"); !strings.Contains(list, "NOINLINE int work(int x)") {
		t.Errorf("no source in:\n%s", list)
	}
	if peek := pprof("-peek", "^step$"); !strings.Contains(peek, "work") {
		t.Errorf("no caller in:\n%s", peek)
	}
	if traces := pprof("-traces"); !strings.Contains(traces, "thread:") || !strings.Contains(traces, "runner") {
		t.Errorf("no labels or stacks in:\n%.2000s", traces)
	}
}

// TestRust: names are demangled, and a panic that is caught unwinds as in a run
// without probes.
func TestRust(t *testing.T) {
	needKernel(t)
	needTool(t, "rustc")
	bin := filepath.Join(t.TempDir(), "panics")
	if text, err := exec.Command("rustc", "-g", "-C", "opt-level=1", "-o", bin, "../../testdata/targets/panics.rs").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	r := recordCommand(t, []string{"-e", "panics::*"}, bin)
	wantCounts(t, "calls", r.calls(), map[string]uint64{"panics::guarded": 20, "panics::passes": 20, "panics::fails": 20, "panics::counts": 20})
	wantCounts(t, "incomplete calls", r.incomplete(), map[string]uint64{"panics::guarded": 0, "panics::passes": 10, "panics::fails": 10, "panics::counts": 0})
}

func TestOutputFile(t *testing.T) {
	needKernel(t)
	dir := t.TempDir()
	bin := target(t, "calls.c", "-O0")
	precious := filepath.Join(dir, "precious")
	os.WriteFile(precious, []byte("not a trace"), 0o600)
	_, stderr, status := utrace(t, "record", "--max-overhead=none", "-o", precious, bin)
	if text, _ := os.ReadFile(precious); status != 1 || string(text) != "not a trace" || !strings.Contains(stderr, "--force") {
		t.Errorf("status %d, file %q\n%s", status, text, stderr)
	}
	link := filepath.Join(dir, "link")
	os.Symlink(precious, link)
	if _, stderr, status := utrace(t, "record", "--max-overhead=none", "--force", "-o", link, bin); status != 1 {
		t.Errorf("through a link: status %d\n%s", status, stderr)
	}
	if _, stderr, status := utrace(t, "record", "--max-overhead=none", "--force", "-o", precious, bin); status != 0 {
		t.Errorf("status %d\n%s", status, stderr)
	}
	if _, stderr, status := utrace(t, "record", "--max-overhead=none", "-o", precious, bin); status != 0 {
		t.Errorf("over a trace: status %d\n%s", status, stderr)
	}
	validate(t, precious)
}

func TestMaxSize(t *testing.T) {
	needKernel(t)
	service, _ := start(t, target(t, "service.c", "-O0"))
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	_, stderr, status := utrace(t, "record", "--max-overhead=none", "--max-size", "200KiB", "-p", strconv.Itoa(service.Process.Pid), "-o", trace)
	if status != 0 || !strings.Contains(stderr, "maximum size") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	validate(t, trace)
}

func TestDiskFull(t *testing.T) {
	needKernel(t)
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("needs to mount a file system: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	service, _ := start(t, target(t, "service.c", "-O0"))
	trace := filepath.Join(dir, "trace.arrow")
	_, stderr, status := utrace(t, "record", "--max-overhead=none", "-d", "20s", "-p", strconv.Itoa(service.Process.Pid), "-o", trace)
	if status != 1 || !strings.Contains(stderr, "no space left on device") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	if calls := analyzeTrace(t, trace).calls(); calls["serve"] == 0 {
		t.Errorf("calls %v", calls)
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 2, "no command given"},
		{[]string{"nonsense"}, 2, "nonsense"},
		{[]string{"record", "--nonsense"}, 2, "--nonsense"},
		{[]string{"record", "--max-overhead", "5", "true"}, 2, "not a part of the CPU time"},
		{[]string{"record", "-p", "-3"}, 2, "not a process ID"},
		{[]string{"record", "-p", "999999999"}, 1, "no process"},
		{[]string{"record", "--ring-size", "5000", "true"}, 2, "power of two"},
		{[]string{"record", "-e", "/(/", "true"}, 2, "regular expression"},
		{[]string{"record", "-e", "usdt:a:b", "true"}, 2, "usdt"},
		{[]string{"record", "--follow", "--no-follow", "true"}, 2, "exclude each other"},
		{[]string{"record", "--follow", "-e", "/bin/true:f"}, 2, "-p PID or a COMMAND"},
		{[]string{"plan", "-e", "no_such_lib:f", "true"}, 1, "no library"},
		{[]string{"plan", "-e", "no_such_function", "/bin/true"}, 1, "no such function"},
		{[]string{"record", "--no-follow", "-e", "no_such_function", "/bin/true"}, 1, "no such function"},
		{[]string{"record", "/no/such/command"}, 1, "no such file"},
		{[]string{"plan", "-e", "c:strlen", "/bin/true"}, 1, "indirect function"},
		{[]string{"analyze"}, 2, ""},
		{[]string{"analyze", "/etc/passwd"}, 1, "not a utrace trace"},
		{[]string{"version"}, 0, ""},
	} {
		stdout, stderr, status := utrace(t, c.args...)
		if status != c.status || !strings.Contains(stderr+stdout, c.want) {
			t.Errorf("utrace %q: status %d, want %d and %q\n%s", c.args, status, c.status, c.want, stderr)
		}
	}
}
