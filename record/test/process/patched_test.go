//go:build linux

package process

import (
	"bufio"
	"debug/elf"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// startPatches starts patches.c, and returns once it has called work twice. rest returns what else
// it prints.
func startPatches(t *testing.T, command ...string) (pid int, rest func() string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, func() string {
		text, _ := io.ReadAll(r)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", command, err)
		}
		return strings.TrimSpace(string(text))
	}
}

// TestPatched: a function that the program has replaced by a jump gets no breakpoint, which would
// crash the program or skip the jump. Others of the program are recorded. If the program replaces
// it while it is recorded, the summary says so.
func TestPatched(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "patches.c", "-O1")
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	const why = "has changed its code in memory: a breakpoint there could crash it"

	pid, rest := startPatches(t, bin, "start")
	_, stderr, _ := harness.Utrace(t, "record", "-e", "work", "-e", "replacement", "-o", trace, "-p", strconv.Itoa(pid))
	if got := rest(); got != "1499500 1000" {
		t.Errorf("at the start: %s", got)
	}
	calls := harness.Analyze(t, trace).Calls()
	if !strings.Contains(stderr, fmt.Sprintf("process %d %s", pid, why)) || calls["work"] != 0 || calls["replacement"] == 0 {
		t.Errorf("%v\n%s", calls, stderr)
	}

	stdout, stderr, status := harness.Utrace(t, "record", "-e", "work", "-o", trace, "--", bin, "later")
	if calls := harness.Analyze(t, trace).Calls()["work"]; status != 0 || !strings.Contains(stdout, "1499500 500") || calls != 500 {
		t.Errorf("later: status %d, %d calls\n%s", status, calls, stdout)
	}
	if !strings.Contains(stderr, "has changed its code, and so overwritten the breakpoints") {
		t.Errorf("later: %s", stderr)
	}
}

// TestTwoRecordings: the breakpoints of another recording, and the calls that the kernel makes of
// nops, are no changes of the program.
func TestTwoRecordings(t *testing.T) {
	harness.NeedKernel(t)
	for _, flag := range []string{"-fpatchable-function-entry=0", "-fpatchable-function-entry=5"} {
		bin := harness.Target(t, "ticks.c", "-O1", flag)
		cmd, _ := harness.Start(t, bin, "1000000")
		args := []string{"-e", "tick", "-p", strconv.Itoa(cmd.Process.Pid)}
		first := harness.StartRecorder(t, args...)
		first.Await(t)
		second := harness.StartRecorder(t, args...)
		second.Await(t)
		for _, rec := range []*harness.Recorder{second, first} {
			if stderr := rec.Stop(t); strings.Contains(stderr, "changed") || harness.Analyze(t, rec.Trace).Calls()["tick"] == 0 {
				t.Errorf("%s: %s", flag, stderr)
			}
		}
	}
}

// TestPatchedBeforeFound: a process maps a probed file and replaces a function, before a recording of
// all processes finds that. The dynamic linker, as a program, maps a file that nobody expects. Its
// process gets breakpoints of its own, because a debugger runs somewhere.
func TestPatchedBeforeFound(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "patches.c", "-O1")
	gdb := filepath.Join(t.TempDir(), "gdb")
	if out, err := exec.Command("cp", "/bin/sleep", gdb).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	harness.Start(t, gdb, "60")
	// The program may change its code while the probes are attached: a documented limit.
	harness.Retry(t, 3, func() (off string) {
		rec := harness.StartRecorder(t, "-e", bin+":work", "-e", bin+":replacement")
		rec.Await(t)
		_, rest := startPatches(t, interpreter(t, bin), bin, "start", "3000")
		printed := rest()
		stderr := rec.Stop(t)
		calls := harness.Analyze(t, rec.Trace).Calls()
		if printed != "1499500 1000" || !strings.Contains(stderr, "has changed its code in memory") || calls["work"] != 0 || calls["replacement"] == 0 {
			return fmt.Sprintf("%s, %v\n%s", printed, calls, stderr)
		}
		return ""
	})
}

// interpreter returns the dynamic linker of a program.
func interpreter(t *testing.T, bin string) string {
	t.Helper()
	f, err := elf.Open(bin)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	path, err := f.Section(".interp").Data()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(string(path), "\x00")
}
