//go:build linux

package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// TestOthersUntouched: while one process is recorded, the code of another one that runs the same
// file is byte for byte that of the file. So is that of one that starts later.
func TestOthersUntouched(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "ticks.c", "-O0")
	for _, flags := range [][]string{{"-p"}, {"--follow", "-p"}, {"--"}, {"--no-follow", "--"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			t.Parallel()
			recorded, _ := harness.Start(t, bin, "1000000")
			before, _ := harness.Start(t, bin, "1000000")
			args := append([]string{"-e", "tick"}, flags...)
			if flags[len(flags)-1] == "-p" {
				args = append(args, strconv.Itoa(recorded.Process.Pid))
			} else {
				args = append(args, bin, "300")
			}
			rec := harness.StartRecorder(t, args...)
			rec.Await(t)
			later, _ := harness.Start(t, bin, "1000000")
			time.Sleep(500 * time.Millisecond)
			for _, other := range []*exec.Cmd{before, later} {
				if n := newText(t, other.Process.Pid, bin).changed(t); n > 0 {
					t.Errorf("%d bytes differ from the file in process %d", n, other.Process.Pid)
				}
			}
			if flags[len(flags)-1] == "-p" && newText(t, recorded.Process.Pid, bin).changed(t) == 0 {
				t.Error("the recorded process has no breakpoint")
			}
			rec.Kill()
		})
	}
}

// TestTextReaderRefused: a program that reads its own code is not recorded, and the error says why.
// It is recorded if the probes are elsewhere.
func TestTextReaderRefused(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "calls.c", "-O0")
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	ini := filepath.Join(t.TempDir(), "huge.ini")
	if err := os.WriteFile(ini, []byte("opcache.huge_code_pages = On"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tool string
		args []string
		want string // "" if it is recorded
	}{
		{"valgrind", []string{"-e", bin + ":*", "--", "valgrind", "-q", "--tool=none", bin}, "translates the code that it runs"},
		{"node", []string{"-e", "uv_*", "--", "node", "--use-largepages=on", "-e", "1"}, "moves its code to huge pages"},
		{"node", []string{"-e", "c:getaddrinfo", "--", "node", "--use-largepages=on", "-e", "1"}, ""},
		{"node", []string{"-e", "uv_run", "--", "node", "-e", "1"}, ""},
		{"php", []string{"-e", "php_*", "--", "php", "-c", ini, "-r", "1;"}, "moves its code to huge pages (opcache.huge_code_pages, " + ini + ")"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			harness.NeedTool(t, c.tool)
			_, stderr, status := harness.Utrace(t, append([]string{"record", "-o", trace}, c.args...)...)
			if refused := status == 1 && strings.Contains(stderr, "not recorded"); refused != (c.want != "") || !strings.Contains(stderr, c.want) {
				t.Errorf("status %d\n%s", status, stderr)
			}
		})
	}
}

// TestTextReaderLeftAlone: a program that reads its own code starts beside a recording of all
// processes, which then records the others on.
func TestTextReaderLeftAlone(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTool(t, "valgrind")
	bin := harness.Target(t, "ticks.c", "-O0")
	harness.Start(t, bin, "1000000")
	rec := harness.StartRecorder(t, "-e", bin+":tick")
	rec.Await(t)
	for range 3 {
		cmd := exec.Command("timeout", "-s", "INT", "3", "valgrind", "-q", "--tool=none", "/bin/sleep", "0.1")
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v: %s", err, out)
		}
	}
	later, _ := harness.Start(t, bin, "1000000")
	time.Sleep(500 * time.Millisecond)
	stderr := rec.Stop(t)
	if !strings.Contains(stderr, "valgrind") && !strings.Contains(stderr, "none-amd64") || !strings.Contains(stderr, "translates the code that it runs") {
		t.Errorf("%s", stderr)
	}
	report, _, _ := harness.Utrace(t, "analyze", "--pid", strconv.Itoa(later.Process.Pid), rec.Trace)
	if !strings.Contains(report, "tick") {
		t.Errorf("nothing of process %d, which started later:\n%s", later.Process.Pid, report)
	}
	if !strings.Contains(stderr, "began to run") {
		t.Errorf("the process that started later was not held, and the summary does not say so:\n%s", stderr)
	}
}

// TestOtherProcess: while a probe of a process waits for a library, utrace looks for it in that
// process only. Another program has a function of the same name.
func TestOtherProcess(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "ticks.c", "-O0")
	other := filepath.Join(t.TempDir(), "other")
	if out, err := exec.Command("cp", bin, other).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	harness.Start(t, other, "1000000")
	cmd, _ := harness.Start(t, bin, "1000000")
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	_, stderr, status := harness.Utrace(t, "record", "-d", "1s", "-o", trace, "-p", strconv.Itoa(cmd.Process.Pid), "-e", "tick", "-e", "nosuchlibrary:f")
	if status != 0 || !strings.Contains(stderr, " of 1 function in") || strings.Contains(stderr, other) {
		t.Errorf("status %d\n%s", status, stderr)
	}
}
