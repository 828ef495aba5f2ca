//go:build linux

package process

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"utrace/bpf"
	"utrace/record/test/harness"
)

// TestAttach: uprobe_multi and perf events record the same calls. On a kernel without uprobe_multi,
// every other test uses perf events: see testdata/kernels.
func TestAttach(t *testing.T) {
	methods := harness.AttachMethods(t)
	for _, c := range []struct {
		source, flag, arg, probes string
	}{
		{"calls.c", "-O0", "50", "*"},
		{"calls.c", "-O2", "50", "*"},
		{"threads.c", "-O0", "50", "*"},
		{"threads.c", "-O2", "50", "work step take"},
		{"jumps.c", "-O0", "jump", "try_jump deep*"}, {"jumps.c", "-O2", "jump", "try_jump deep*"},
		{"jumps.c", "-O0", "thread", "thread_main in_thread leave_thread"}, {"jumps.c", "-O2", "thread", "thread_main in_thread leave_thread"},
		{"jumps.c", "-O0", "exit", "main in_process leave_process"}, {"jumps.c", "-O2", "exit", "main in_process leave_process"},
		{"jumps.c", "-O0", "signal", "raise_inside on_signal*"}, {"jumps.c", "-O2", "signal", "raise_inside on_signal*"},
		{"jumps.c", "-O0", "altstack", "raise_inside on_signal*"}, {"jumps.c", "-O2", "altstack", "raise_inside on_signal*"},
		{"jumps.c", "-O0", "alloca", "with_alloca fill"}, {"jumps.c", "-O2", "alloca", "with_alloca fill"},
		{"jumps.c", "-O0", "tail", "tail_*"}, {"jumps.c", "-O2", "tail", "tail_*"},
		{"exceptions.cpp", "-O2", "", "app::*"},
	} {
		t.Run(c.source+c.flag+c.arg, func(t *testing.T) {
			if c.source == "jumps.c" && c.flag == "-O0" {
				harness.Long(t)
			}
			t.Parallel()
			bin := harness.Target(t, c.source, c.flag)
			var probes []string
			for probe := range strings.FieldsSeq(c.probes) { // few: the kernel takes 0.1 s to detach each
				probes = append(probes, "-e", probe)
			}
			var first *harness.Report
			for _, m := range methods {
				r := harness.Record(t, append([]string{"--attach", m.String()}, probes...), bin, c.arg)
				if r.Trace.Lost > 0 || len(r.Calls()) == 0 {
					t.Errorf("--attach=%s: %d functions, %d lost events", m, len(r.Calls()), r.Trace.Lost)
				}
				if first == nil {
					first = r
				}
				if !maps.Equal(r.Calls(), first.Calls()) || !maps.Equal(r.Incomplete(), first.Incomplete()) {
					t.Errorf("--attach=%s: calls %v, incomplete %v;\n--attach=%s: calls %v, incomplete %v",
						m, r.Calls(), r.Incomplete(), methods[0], first.Calls(), first.Incomplete())
				}
			}
		})
	}
}

// TestAttachInAllProcesses: a probe on a file is in every process.
func TestAttachInAllProcesses(t *testing.T) {
	for _, m := range append(harness.AttachMethods(t), bpf.Auto) {
		bin := harness.Target(t, "calls.c", "-O0")
		rec := harness.StartRecorder(t, "--attach", m.String(), "-e", bin+":fib", "-e", bin+":outer")
		rec.Await(t)
		for range 3 {
			harness.Run(t, bin, "2")
		}
		rec.Stop(t)
		harness.Validate(t, rec.Trace)
		// fib(8) makes 67 calls.
		harness.WantCounts(t, m.String()+": calls", harness.Analyze(t, rec.Trace).Calls(), map[string]uint64{"fib": 3 * 2 * 67, "outer": 3 * 2})
	}
}

// TestAttachRefused: the summary names a function that the kernel refuses, and the others are
// recorded.
func TestAttachRefused(t *testing.T) {
	methods := harness.AttachMethods(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("the program has assembly of x86-64")
	}
	// The kernel takes a breakpoint that the program has for one of its own.
	bin := harness.Program(t, "trap", `__attribute__((noinline)) int good(int x) { return x + 1; }
__asm__(".globl trap\n.type trap, @function\ntrap: int3\nret\n.size trap, .-trap\n");
int trap(void);
int main(int argc, char **argv) { return argc > 5 ? trap() : good(-1); }`, "-O1")
	for _, m := range methods {
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		_, stderr, status := harness.Utrace(t, "record", "-e", "*", "--attach", m.String(), "-o", trace, "--", bin)
		if status != 0 || !strings.Contains(stderr, "trap") {
			t.Errorf("--attach=%s: status %d\n%s", m, status, stderr)
			continue
		}
		harness.WantCounts(t, m.String()+": calls", harness.Analyze(t, trace).Calls(), map[string]uint64{"good": 1, "main": 1})
	}
}

// TestFirstThreadEnds: a process may outlive its first thread. Perf events end with that thread,
// and the summary says so.
func TestFirstThreadEnds(t *testing.T) {
	methods := harness.AttachMethods(t)
	bin := harness.Program(t, "first", `#include <pthread.h>
#include <unistd.h>
__attribute__((noinline)) int tick(int x) { return x + 1; }
void *run(void *a) { for (int i = 0; i < 150; i++) { tick(i); usleep(10000); } return 0; }
int main(void) { pthread_t t; pthread_create(&t, 0, run, 0); usleep(200000); pthread_exit(0); }`)
	for _, m := range methods {
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		_, stderr, status := harness.Utrace(t, "record", "--attach", m.String(), "-e", "tick", "-o", trace, "--", bin)
		calls, told := harness.Analyze(t, trace).Calls()["tick"], strings.Contains(stderr, "only until its first thread ended")
		if status != 0 || calls < 150 && !told || calls == 150 && told || m == bpf.Multi && calls != 150 {
			t.Errorf("--attach=%s: status %d, %d calls of 150\n%s", m, status, calls, stderr)
		}
	}
}

// TestWithoutFirstThread: a process whose first thread has ended has no program in /proc. It can be
// recorded by the program's file.
func TestWithoutFirstThread(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Program(t, "first", `#include <pthread.h>
#include <unistd.h>
__attribute__((noinline)) int tick(int x) { return x + 1; }
void *run(void *a) { for (;;) { tick(1); usleep(10000); } return 0; }
int main(void) { pthread_t t; pthread_create(&t, 0, run, 0); pthread_exit(0); }`)
	cmd, _ := harness.Start(t, bin)
	pid := strconv.Itoa(cmd.Process.Pid)
	harness.WaitFor(t, func() bool { _, err := os.Readlink("/proc/" + pid + "/exe"); return err != nil })
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	for _, args := range [][]string{{"record", "-o", trace, "-e", "tick", "-p", pid}, {"list", "-p", pid}} {
		if _, stderr, status := harness.Utrace(t, args...); status != 1 || !strings.Contains(stderr, "first thread of process "+pid+" has ended") {
			t.Errorf("%q: status %d\n%s", args, status, stderr)
		}
	}
	_, stderr, status := harness.Utrace(t, "record", "-o", trace, "-d", "500ms", "-e", bin+":tick")
	if calls := harness.Analyze(t, trace).Calls()["tick"]; status != 0 || calls == 0 {
		t.Errorf("status %d, %d calls\n%s", status, calls, stderr)
	}
}

// TestExecByThread: if another thread than the first executes a program, it becomes the first. Perf
// events of the first are lost, and the summary says so.
func TestExecByThread(t *testing.T) {
	methods := harness.AttachMethods(t)
	bin := harness.Program(t, "execs", `#include <pthread.h>
#include <unistd.h>
__attribute__((noinline)) int tick(int x) { return x + 1; }
void *run(void *path) { execl(path, path, "again", (char *)0); return 0; }
int main(int argc, char **argv) {
	for (int i = 0; i < 10; i++) tick(i);
	pthread_t t;
	if (argc > 1) return 0;
	return pthread_create(&t, 0, run, argv[0]) || pthread_join(t, 0);
}`)
	for _, m := range methods {
		for _, flag := range []string{"--follow", "--no-follow"} {
			trace := filepath.Join(t.TempDir(), "trace.arrow")
			_, stderr, status := harness.Utrace(t, "record", flag, "--attach", m.String(), "-e", "tick", "-o", trace, "--", bin)
			calls, told := harness.Analyze(t, trace).Calls()["tick"], strings.Contains(stderr, "only until its first thread ended")
			if status != 0 || calls != 20 && !told || calls == 20 && told || flag == "--follow" && calls != 20 {
				t.Errorf("%s --attach=%s: status %d, %d calls of 20\n%s", flag, m, status, calls, stderr)
			}
		}
	}
}

// TestTooManyPerfEvents: if the limit of open files cannot be raised, the error says how many
// probes fit.
func TestTooManyPerfEvents(t *testing.T) {
	if !slices.Contains(harness.AttachMethods(t), bpf.Perf) {
		t.Skip("this kernel has no perf-event uprobes")
	}
	harness.NeedTool(t, "setpriv")
	harness.NeedTool(t, "prlimit")
	bin := harness.Target(t, "calls.c", "-O0")
	for _, c := range []struct {
		files, probe string
		status       int
		want         string
	}{{"1000:1000", "*", 0, ""}, {"160:160", "c:*", 1, "room for"}} {
		cmd := exec.Command("setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource", "prlimit", "--nofile="+c.files,
			harness.Binary(), "record", "-e", c.probe, "--attach=perf", "-o", filepath.Join(t.TempDir(), "trace.arrow"), bin, "1")
		text, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != c.status || !strings.Contains(string(text), c.want) {
			t.Errorf("%s files: %v\n%s", c.files, err, text)
		}
	}
}

// TestPerfEventsWithoutPrivilege: perf events need more capabilities than uprobe_multi.
func TestPerfEventsWithoutPrivilege(t *testing.T) {
	harness.AttachMethods(t)
	harness.NeedTool(t, "setpriv")
	bin := harness.Target(t, "calls.c", "-O0")
	cmd := exec.Command("setpriv", "--bounding-set=-all,+bpf,+perfmon,+sys_ptrace", "--inh-caps=-all",
		harness.Binary(), "record", "--attach=perf", "-e", "fib", "-o", filepath.Join(t.TempDir(), "trace.arrow"), bin, "1")
	if text, err := cmd.CombinedOutput(); err != nil && !strings.Contains(string(text), "CAP_SYS_ADMIN") {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestAttachUsage: --attach takes the methods that exist.
func TestAttachUsage(t *testing.T) {
	if _, stderr, status := harness.Utrace(t, "record", "--attach=magic", "true"); status != 2 || !strings.Contains(stderr, "auto, multi or perf") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	if _, stderr, status := harness.Utrace(t, "plan", "--attach=perf", harness.Target(t, "calls.c", "-O0")); status != 0 {
		t.Errorf("status %d\n%s", status, stderr)
	}
}

// TestDoctor: each line is a result, and the status reports whether recording works.
func TestDoctor(t *testing.T) {
	stdout, _, status := harness.Utrace(t, "doctor")
	if works := !strings.Contains(stdout, "FAIL"); works != (status == 0) {
		t.Errorf("status %d\n%s", status, stdout)
	}
	for line := range strings.Lines(stdout) {
		if word, _, _ := strings.Cut(line, " "); word != "ok" && word != "warn" && word != "FAIL" {
			t.Errorf("not a result: %q", line)
		}
	}
	harness.NeedKernel(t)
	if status != 0 || !strings.Contains(stdout, "100 calls made, 100 recorded") {
		t.Errorf("status %d\n%s", status, stdout)
	}
}

// TestDoctorWithoutPrivileges: doctor prints every line, and says what to do.
func TestDoctorWithoutPrivileges(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to be somebody else")
	}
	harness.NeedTool(t, "setpriv")
	cmd := exec.Command("setpriv", "--bounding-set=-all", "--inh-caps=-all", harness.Binary(), "doctor")
	text, _ := cmd.Output()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(text), "FAIL  privileges") || !strings.Contains(string(text), "sudo") {
		t.Errorf("%v\n%s", cmd.ProcessState, text)
	}
}
