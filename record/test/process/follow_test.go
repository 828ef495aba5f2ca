//go:build linux

package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// These tests record more than one process: children, the programs that they execute, and what
// happens to them when they get signals or the recorder dies.

// analyzePID returns the report of one process.
func analyzePID(t *testing.T, trace string, pid int) *harness.Report {
	t.Helper()
	return harness.Analyze(t, trace, "--pid", strconv.Itoa(pid))
}

// claims reads lines of NAME PID CALLS. It returns the calls by process, and the number of
// processes by name.
func claims(t *testing.T, text string) (calls map[int]uint64, processes map[string]int) {
	t.Helper()
	calls, processes = map[int]uint64{}, map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^(\S+) (\d+) (\d+)$`).FindAllStringSubmatch(text, -1) {
		pid, _ := strconv.Atoi(m[2])
		n, _ := strconv.ParseUint(m[3], 10, 64)
		calls[pid] += n
		processes[m[1]]++
	}
	if len(calls) == 0 {
		t.Fatalf("no process has said anything: %q", text)
	}
	return calls, processes
}

// TestFollowChildren: children are recorded however they are created. Each process prints how many
// calls it has made.
func TestFollowChildren(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "family.c", "-O1")
	for _, c := range []struct {
		how   string
		count int
		names map[string]int
		extra uint64 // calls of each child that nobody counts
	}{
		{how: "fork", count: 20, names: map[string]int{"fork": 20, "parent": 1}},
		{how: "vfork", count: 20, names: map[string]int{"child": 20, "parent": 1}, extra: 1},
		{how: "spawn", count: 20, names: map[string]int{"child": 20, "parent": 1}},
		{how: "clone", count: 20, names: map[string]int{"clone": 20, "parent": 1}},
		{how: "tree", count: 4, names: map[string]int{"node": 30, "parent": 1}},
		{how: "orphan", count: 2, names: map[string]int{"orphan": 2, "parent": 1}},
		{how: "late", count: 1, names: map[string]int{"late": 1, "parent": 1}},
		{how: "exec-thread", count: 5, names: map[string]int{"before": 5, "exec-thread": 5, "parent": 1}},
	} {
		for _, probes := range [][]string{{"-e", "work", "-e", "job"}, {"-e", bin + ":work", "-e", bin + ":job"}} {
			t.Run(c.how+"/"+filepath.Base(probes[1]), func(t *testing.T) {
				t.Parallel()
				trace, stdout, status := harness.RecordTree(t, probes, bin, c.how, strconv.Itoa(c.count))
				if status != 0 {
					t.Errorf("status %d", status)
				}
				calls, names := claims(t, stdout)
				for name, n := range c.names {
					if names[name] != n {
						t.Errorf("%d processes say that they are %s, want %d:\n%s", names[name], name, n, stdout)
					}
				}
				jobs := uint64(0)
				for pid, want := range calls {
					if strings.Contains(stdout, fmt.Sprintf("child %d ", pid)) {
						want += c.extra
					}
					r := analyzePID(t, trace, pid)
					if got := r.Calls()["work"]; got != want {
						t.Errorf("process %d: %d calls of work, want %d", pid, got, want)
					}
					if len(r.Incomplete()) > 0 {
						t.Errorf("process %d: incomplete calls %v", pid, r.Incomplete())
					}
					jobs += r.Calls()["job"]
				}
				if all := harness.Analyze(t, trace).Calls()["job"]; all != jobs || all != uint64(strings.Count(stdout, "\n")) {
					t.Errorf("%d calls of job in all, %d by process, want %d", all, jobs, strings.Count(stdout, "\n"))
				}
			})
		}
	}
}

// TestNoFollow: with --no-follow, only the parent is recorded.
func TestNoFollow(t *testing.T) {
	harness.NeedKernel(t)
	trace, stdout, _ := harness.RecordTree(t, []string{"--no-follow", "-e", "work"}, harness.Target(t, "family.c", "-O1"), "fork", "5")
	calls, _ := claims(t, stdout)
	if got := harness.Analyze(t, trace).Calls()["work"]; got != 4 || len(calls) != 6 {
		t.Errorf("%d calls, want the 4 of the parent; processes %v", got, calls)
	}
}

// TestFollowPIDReuse: a process with the PID of an earlier one does not continue the calls that the
// earlier one left open.
func TestFollowPIDReuse(t *testing.T) {
	harness.NeedKernel(t)
	const count = 12
	trace, stdout, _ := harness.RecordTree(t, []string{"-e", "work", "-e", "job", "-e", "leave"}, harness.Target(t, "family.c", "-O1"), "reuse", strconv.Itoa(count))
	calls, _ := claims(t, stdout)
	if len(calls) > count {
		t.Skipf("every child has got a PID of its own: %v", calls)
	}
	t.Logf("%d PIDs for %d processes", len(calls), count+1)
	stdout, stderr, status := harness.Utrace(t, "analyze", trace)
	if want := fmt.Sprintf("# threads   %d\n", count+1); status != 0 || !strings.Contains(stdout, want) {
		t.Errorf("status %d, want %q:\n%s%s", status, want, stdout, stderr)
	}
	r := harness.Analyze(t, trace)
	harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{"leave": count, "work": 3*count + 4, "job": count + 1})
	harness.WantCounts(t, "incomplete calls", r.Incomplete(), map[string]uint64{"leave": count, "work": 0, "job": 0})
	tree, _, _ := harness.Utrace(t, "analyze", "--tree", trace)
	if n := strings.Count(tree, "leave"); n != 1 {
		t.Errorf("leave is in %d places:\n%s", n, tree)
	}
}

// TestFollowPrograms: a probe without a file applies to each program that the command executes.
func TestFollowPrograms(t *testing.T) {
	harness.NeedKernel(t)
	calls, family, ticks := harness.Target(t, "calls.c", "-O0"), harness.Target(t, "family.c", "-O1"), harness.Target(t, "ticks.c", "-O1")
	script := fmt.Sprintf("%s 2; %s job x 5; %s 3; exec %s 1", calls, family, ticks, calls)
	trace, _, status := harness.RecordTree(t, []string{"-e", "*"}, "sh", "-c", script)
	if status != 0 {
		t.Errorf("status %d", status)
	}
	// fib(8) makes 67 calls.
	harness.WantCounts(t, "calls", harness.Analyze(t, trace).Calls(), map[string]uint64{"fib": 3 * 67, "outer": 3, "work": 5, "job": 1, "tick": 3, "main": 4})

	trace, _, _ = harness.RecordTree(t, []string{"-e", "fib", "-e", "tick"}, "sh", "-c", script)
	harness.WantCounts(t, "calls", harness.Analyze(t, trace).Calls(), map[string]uint64{"fib": 3 * 67, "tick": 3, "main": 0})
}

// TestFollowPID records children of a process that ran before the recording.
func TestFollowPID(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "family.c", "-O1")
	sh, out := harness.Start(t, "sh", "-c", fmt.Sprintf("sleep 1; %s fork 3; %s job x 5; sleep 2", bin, bin))
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	_, stderr, status := harness.Utrace(t, "record", "--follow", "-p", strconv.Itoa(sh.Process.Pid), "-e", bin+":work", "-o", trace)
	if status != 0 || !strings.Contains(stderr, "have ended") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	harness.Validate(t, trace)
	calls, _ := claims(t, out.String())
	for pid, want := range calls {
		if got := analyzePID(t, trace, pid).Calls()["work"]; got != want {
			t.Errorf("process %d: %d calls of work, want %d", pid, got, want)
		}
	}
}

// TestFollowPIDPrograms: some calls of a program that a running process executes are missing, and
// the summary says so.
func TestFollowPIDPrograms(t *testing.T) {
	harness.NeedKernel(t)
	sh, _ := harness.Start(t, "sh", "-c", "sleep 1; "+harness.Target(t, "ticks.c", "-O1")+" 100; sleep 0.1")
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	_, stderr, status := harness.Utrace(t, "record", "--follow", "--wait", "-p", strconv.Itoa(sh.Process.Pid), "-e", "tick", "-o", trace)
	if status != 0 || !strings.Contains(stderr, "its earlier calls are missing") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	if got := harness.Analyze(t, trace).Calls()["tick"]; got < 70 || got > 100 {
		t.Errorf("%d calls of tick, want nearly 100", got)
	}
}

// TestFollowPIDNotThere: a process that has ended, or has no program, is an error, even after one
// that runs.
func TestFollowPIDNotThere(t *testing.T) {
	harness.NeedKernel(t)
	ticks, _ := harness.Start(t, harness.Target(t, "ticks.c", "-O1"), "10000")
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{ended.Process.Pid, 2} { // 2 is the kernel's: kthreadd
		for _, args := range [][]string{{"plan"}, {"record", "-d", "1s", "-o", filepath.Join(t.TempDir(), "trace.arrow")}} {
			args = append(args, "--follow", "-e", "tick", "-p", strconv.Itoa(ticks.Process.Pid), "-p", strconv.Itoa(pid))
			if stdout, stderr, status := harness.Utrace(t, args...); status != 1 || !strings.Contains(stderr, fmt.Sprintf("process %d", pid)) {
				t.Errorf("%q: status %d\n%s%s", args, status, stdout, stderr)
			}
		}
	}
}

// TestFollowPIDNewborn: children that are forked while the recording is prepared are recorded.
func TestFollowPIDNewborn(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "ticks.c", "-O1")
	for _, probe := range []string{"tick", bin + ":tick"} {
		sh := exec.Command("sh", "-c", fmt.Sprintf("for i in $(seq 100); do %s 2000 & sleep 0.05; done; wait", bin))
		sh.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := sh.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Kill(-sh.Process.Pid, syscall.SIGKILL); sh.Wait() })
		time.Sleep(200 * time.Millisecond)
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		_, stderr, status := harness.Utrace(t, "record", "--follow", "-p", strconv.Itoa(sh.Process.Pid), "-e", probe, "-d", "2s", "-o", trace)
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", sh.Process.Pid, sh.Process.Pid))
		syscall.Kill(-sh.Process.Pid, syscall.SIGKILL)
		if status != 0 {
			t.Fatalf("%s: status %d\n%s", probe, status, stderr)
		}
		harness.Validate(t, trace)
		// One may be a sleep. The latest may have been forked after the recording.
		list := strings.Fields(string(children))
		var missing []string
		for _, pid := range list[:max(0, len(list)-5)] {
			if stdout, _, _ := harness.Utrace(t, "analyze", "--json", "--pid", pid, trace); !strings.Contains(stdout, `"tick"`) {
				missing = append(missing, pid)
			}
		}
		if len(missing) > 0 || len(list) < 10 {
			t.Errorf("%s: not recorded: %v of %v\n%s", probe, missing, list, stderr)
		}
	}
}

// TestLibraryLoadedLater: a library is discovered when the program loads it, and the summary says
// when.
func TestLibraryLoadedLater(t *testing.T) {
	harness.NeedKernel(t)
	host := harness.Target(t, "later.c", "-DHOST", "-ldl")
	lib := filepath.Join(t.TempDir(), "liblater.so")
	harness.Library(t, lib, "later.c")
	for _, flag := range []string{"--follow", "--no-follow"} {
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		_, stderr, status := harness.Utrace(t, "record", flag, "--wait", "-o", trace, "-e", "liblater.so:later_*", "-e", "!liblater.so:later_inner", host, lib)
		if status != 0 || !regexp.MustCompile(`liblater.so: 1 function attached [012]\.\d s after the start`).MatchString(stderr) {
			t.Errorf("%s: status %d\n%s", flag, status, stderr)
		}
		harness.Validate(t, trace)
		if got := harness.Analyze(t, trace).Calls(); got["later_entry"] < 100 || got["later_inner"] != 0 {
			t.Errorf("%s: calls %v", flag, got)
		}
	}
}

// TestNeverThere: a function that never appears is an error, or a warning if something else was
// recorded.
func TestNeverThere(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "family.c", "-O1")
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	_, stderr, status := harness.Utrace(t, "record", "-o", trace, "-e", "no_such_function", "sh", "-c", bin+" fork")
	if status != 1 || strings.Count(stderr, "no such function") != 1 || !strings.Contains(stderr, `utrace: nothing to probe: no program or library that appeared later has "no_such_function"`) {
		t.Errorf("status %d\n%s", status, stderr)
	}
	_, stderr, status = harness.Utrace(t, "record", "-o", trace, "-e", "no_such_function", "-e", "work", "sh", "-c", bin+" fork")
	if status != 0 || !strings.Contains(stderr, `: no program or library that appeared later has "no_such_function"`) || strings.Count(stderr, `"no_such_function": no such function`) != 1 {
		t.Errorf("status %d\n%s", status, stderr)
	}
}

// TestDurationWithOpenCalls: the recording ends in time although main is open and a function is
// called all the time.
func TestDurationWithOpenCalls(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "ticks.c", "-O1")
	trace, done := filepath.Join(t.TempDir(), "trace.arrow"), filepath.Join(t.TempDir(), "done")
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr")) // a pipe would be waited for
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	began := time.Now()
	rec := exec.Command(harness.Binary(), "record", "-e", "*", "-d", "300ms", "-o", trace, "sh", "-c", bin+" 800; echo $? >"+done)
	rec.Stderr = stderr
	err = rec.Run()
	text, _ := os.ReadFile(stderr.Name())
	if took := time.Since(began); err != nil || took > 6*time.Second || !strings.Contains(string(text), "still running") {
		t.Errorf("%v after %v\n%s", err, took, text)
	}
	harness.WaitFor(t, func() bool { text, _ := os.ReadFile(done); return string(text) == "5\n" })
}

// TestFollowSignals: signals between processes, and what their parents see of them, are the same as
// without a recorder.
func TestFollowSignals(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTool(t, "bash")
	bin := harness.Target(t, "ticks.c", "-O1")
	for _, script := range []string{
		`set -m; %[1]s 300 & sleep 0.2; kill -STOP %%1; sleep 0.2; jobs; kill -CONT %%1; sleep 0.2; jobs; kill -TERM %%1; wait %%1; echo status $?`,
		`%[1]s 300 & p=$!; sleep 0.2; kill -TSTP $p; sleep 0.2; grep -c 'State:.*(stopped)\|State:.*(tracing stop)' /proc/$p/status; kill -CONT $p; wait $p; echo status $?`,
		`trap 'echo usr1' USR1; kill -USR1 $$; trap '' USR1; kill -USR1 $$; (kill -KILL $BASHPID); echo status $?`,
		`trap 'echo chld' CHLD; (exit 3); wait; echo status $?`,
		`for i in 1 2 3; do timeout 0.1 sleep 5; echo status $?; done`,
		`(ulimit -c 0; kill -SEGV $BASHPID); echo status $?; %[1]s 1; exit 17`,
		`{ sleep 0.1; echo through; } | cat | { read x; echo $x; }; kill -TERM $$`,
	} {
		script = fmt.Sprintf(script, bin)
		plain := exec.Command("bash", "-c", script)
		want, _ := plain.Output()
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		got, stderr, status := harness.Utrace(t, "record", "-o", trace, "-e", "tick", "-e", "c:malloc", "bash", "-c", script)
		wantStatus := max(plain.ProcessState.ExitCode(), 0) // a signal that kills the command is reported, not handed on
		if got != string(want) || status != wantStatus {
			t.Errorf("%s\nprints %q with status %d, want %q with %d\n%s", script, got, status, want, wantStatus, stderr)
		}
		harness.Validate(t, trace)
	}
}

// TestInterruptGroup: Ctrl-C reaches the recorder and all processes that it has started.
func TestInterruptGroup(t *testing.T) {
	harness.NeedKernel(t)
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	rec := exec.Command(harness.Binary(), "record", "-o", trace, "-e", "tick", "sh", "-c",
		"trap 'echo trapped; exit 9' INT; "+harness.Target(t, "ticks.c", "-O1")+" 1000; echo after")
	var out bytes.Buffer
	rec.Stdout = &out
	rec.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := rec.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	syscall.Kill(-rec.Process.Pid, syscall.SIGINT)
	rec.Wait()
	if out.String() != "trapped\n" {
		t.Errorf("the command prints %q", &out)
	}
	harness.Validate(t, trace)
	if got := harness.Analyze(t, trace).Calls()["tick"]; got < 10 {
		t.Errorf("%d calls", got)
	}
}

// TestFollowRecorderKilled: if the recorder is killed, its processes run on, even stopped ones.
func TestFollowRecorderKilled(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "ticks.c", "-O1")
	times := 5
	if testing.Short() {
		times = 2
	}
	for range times {
		done := filepath.Join(t.TempDir(), "done")
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		rec := exec.Command(harness.Binary(), "record", "-o", trace, "-e", "tick", "sh", "-c",
			fmt.Sprintf("for i in 1 2 3 4 5 6 7 8; do %s 10; done; %s 30; echo $? >%s", bin, bin, done))
		if err := rec.Start(); err != nil {
			t.Fatal(err)
		}
		size := func() int64 {
			info, err := os.Stat(trace)
			if err != nil {
				return 0
			}
			return info.Size()
		}
		harness.WaitFor(t, func() bool { return size() > 0 })
		start := size() // what is known before the first event
		harness.WaitFor(t, func() bool { return size() > start })
		time.Sleep(400 * time.Millisecond)
		rec.Process.Kill()
		rec.Wait()
		harness.WaitFor(t, func() bool { text, _ := os.ReadFile(done); return string(text) == "5\n" })
		if calls := harness.Analyze(t, trace).Calls(); calls["tick"] == 0 {
			t.Errorf("calls %v", calls)
		}
	}
}

// TestFollowNames: threads have the names of the programs that they run, even if they end at once.
func TestFollowNames(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "family.c", "-O1")
	dir := t.TempDir()
	for _, name := range []string{"alpha", "beta", "gamma"} {
		os.Symlink(bin, filepath.Join(dir, name))
	}
	trace, _, _ := harness.RecordTree(t, []string{"-e", bin + ":work"}, "sh", "-c", fmt.Sprintf("cd %s; for p in alpha beta gamma; do ./$p job x 2; done", dir))
	profile := filepath.Join(dir, "out.pb.gz")
	if _, stderr, status := harness.Utrace(t, "analyze", "--pprof", profile, trace); status != 0 {
		t.Fatal(stderr)
	}
	out := harness.Run(t, "go", "tool", "pprof", "-traces", profile)
	for _, name := range []string{"alpha", "beta", "gamma"} {
		if !strings.Contains(out, name) {
			t.Errorf("no %s in:\n%s", name, out)
		}
	}
}
