//go:build linux

package process

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// TestMovingCode: a program makes its breakpoints vanish, which the kernel does not notice. Summary
// and report say so. One that has copied a breakpoint dies of it, which is said as well.
func TestMovingCode(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "movingcode.c", "-O1")
	for _, c := range []struct {
		how    string
		calls  uint64
		status int
		want   []string // in the summary
	}{
		{"nothing", 11, 0, nil},
		{"discard", 5, 0, []string{"1 function of", "has discarded or newly mapped its code"}},
		{"again", 11, 0, nil}, // the kernel places breakpoints into what is mapped
		{"move", 5, 128 + 5, []string{"has moved its code to other memory", "was killed by SIGTRAP"}},
	} {
		t.Run(c.how, func(t *testing.T) {
			t.Parallel()
			trace := filepath.Join(t.TempDir(), "trace.arrow")
			_, stderr, status := harness.Utrace(t, "record", "-e", "work", "-o", trace, "--", bin, c.how)
			if status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			for _, want := range c.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("no %q in\n%s", want, stderr)
				}
			}
			if c.want == nil && strings.Contains(stderr, "warning") {
				t.Errorf("%s", stderr)
			}
			if calls := harness.Analyze(t, trace).Calls()["work"]; calls != c.calls {
				t.Errorf("%d calls, want %d", calls, c.calls)
			}
			_, warnings, _ := harness.Utrace(t, "analyze", trace)
			if told := strings.Contains(warnings, "its code"); told != (c.want != nil) {
				t.Errorf("the analysis tells: %v\n%s", told, warnings)
			}
		})
	}
	t.Run("a running process", func(t *testing.T) {
		t.Parallel()
		cmd := exec.Command(bin, "discard", "3")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		_, stderr, _ := harness.Utrace(t, "record", "-e", "work", "-o", trace, "-p", strconv.Itoa(cmd.Process.Pid))
		if err := cmd.Wait(); err != nil || !strings.Contains(stderr, "has discarded or newly mapped its code") {
			t.Errorf("%v\n%s", err, stderr)
		}
	})
}

// TestMovesAtStart: a program whose file says that it moves its code when it starts gets no
// breakpoints, as the command, as a child, and beside a recording of all processes. It is recorded
// once it runs.
func TestMovesAtStart(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "movingcode.c", "-O1", "-Dtreat=hugifyText")
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	const why = "may move its code to huge pages when it starts (hugifyText)"
	for _, c := range []struct {
		args   []string
		status int
	}{
		{[]string{"-e", "work", "--", bin, "move"}, 1},
		{[]string{"-e", "work", "--no-follow", "--", bin, "move"}, 1},
		{[]string{"-e", bin + ":work+0", "-d", "1s"}, 1},
		{[]string{"-e", "work", "--", "sh", "-c", bin + " move; true"}, 0},
	} {
		stdout, stderr, status := harness.Utrace(t, append([]string{"record", "-o", trace}, c.args...)...)
		if status != c.status || !strings.Contains(stderr, why) || strings.Contains(stderr, "SIGTRAP") {
			t.Errorf("%s: status %d\n%s%s", c.args, status, stdout, stderr)
		}
	}

	cmd := exec.Command(bin, "nothing", "2")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, stderr, _ := harness.Utrace(t, "record", "-e", "work", "-o", trace, "-p", strconv.Itoa(cmd.Process.Pid))
	if err := cmd.Wait(); err != nil || harness.Analyze(t, trace).Calls()["work"] != 11 {
		t.Errorf("%v\n%s", err, stderr)
	}
}
