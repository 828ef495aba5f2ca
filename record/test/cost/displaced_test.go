//go:build linux

package cost

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// TestDisplaced: the time for which the recorder pre-empted the program agrees with bpftrace, where
// both have one processor. It is neither time of the enclosing calls nor time that they waited.
// --raw leaves it in.
func TestDisplaced(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "compensation.c", "-O1")
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	steps, err := exec.Command(program).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := recordDisplaced(t, trace, []string{"--sched", "-e", program + ":push_*"}, program, "push", "1", "20", strings.TrimSpace(string(steps)))
	ran, rows, late := displaced(t, trace)
	if late > rows/10 { // the thread may also wait for others
		t.Errorf("%d of %d rows are no part of a wait that is not over", late, rows)
	}
	if ran < want*9/10 || ran > want*11/10 {
		t.Errorf("the recorder ran for %d ns, by bpftrace for %d", ran, want)
	}

	outermost := func(args ...string) (runnable, recorder int64) {
		var r struct {
			waitsReport
			Trace struct {
				Probes struct {
					RecorderNs int64 `json:"recorder_ns"`
				}
			}
		}
		harness.AnalyzeJSON(t, &r, append(append([]string{"--function", "push_o*"}, args...), trace)...)
		for _, f := range r.Functions {
			runnable += f.RunnableNs
		}
		return runnable, r.Trace.Probes.RecorderNs
	}
	measured, none := outermost("--raw")
	left, took := outermost()
	t.Logf("the recorder ran for %d ns, by bpftrace for %d, which took %d; of %d ns that calls waited %d are left", ran, want, took, measured, left)
	if took < ran || none != 0 || measured-left > ran || measured-left < ran/4 {
		t.Errorf("of %d ns it took %d, by the raw figures %d; calls waited for %d ns, of which %d are left", ran, took, none, measured, left)
	}
}

// TestDisplacedGoroutines: the time counts for the goroutine that was pre-empted, if it has called
// something.
func TestDisplacedGoroutines(t *testing.T) {
	harness.NeedKernel(t)
	program, trace := harness.GoTarget(t, "busy"), filepath.Join(t.TempDir(), "trace.arrow")
	want := recordDisplaced(t, trace, []string{"-e", "main.compute"}, program, "5000")
	ran, _, _ := displaced(t, trace)
	t.Logf("the recorder ran for %d ns, by bpftrace for %d", ran, want)
	if ran < want*8/10 || ran > want*11/10 {
		t.Errorf("the recorder ran for %d ns, by bpftrace for %d", ran, want)
	}
}

// recordDisplaced records a program on one processor. It returns for how long the recorder
// pre-empted the program according to bpftrace, in nanoseconds.
func recordDisplaced(t *testing.T, trace string, args []string, program ...string) (ns int64) {
	t.Helper()
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	own := filepath.Join(dir, "utrace-own") // other recorders may run
	if err := os.Link(harness.Binary(), own); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(`tracepoint:sched:sched_switch /@since[cpu] && args->prev_comm == %[2]q && args->next_comm != %[2]q/ {
	@ran += nsecs - @since[cpu]; @since[cpu] = 0;
}
tracepoint:sched:sched_switch /args->prev_comm == %[1]q && args->next_comm == %[2]q && args->prev_state == 0/ { @since[cpu] = nsecs; }`,
		filepath.Base(program[0]), filepath.Base(own))
	command := append(append([]string{taskset, "-c", "0", own, "record", "--force", "--no-follow", "-o", trace}, args...), append([]string{"--"}, program...)...)
	output := filepath.Join(dir, "bpftrace")
	if out, err := harness.Bpftrace(t, "-o", output, "-e", script, "-c", strings.Join(command, " ")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`@ran: (\d+)`).FindSubmatch(text)
	if match == nil {
		t.Fatalf("bpftrace says %s", text)
	}
	harness.Validate(t, trace)
	ns, err = strconv.ParseInt(string(match[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

// displaced adds up the pre-empted time in a trace, in nanoseconds. With --sched, a row comes
// before the thread continues, unless it is late.
func displaced(t *testing.T, trace string) (ns int64, rows, late int) {
	t.Helper()
	before := map[string]string{} // by thread: the kind of its row before
	for _, match := range regexp.MustCompile(`(?m)^\d+ (\d+) (\S+) \d+(?: value=(\S+))?`).FindAllStringSubmatch(harness.Text(t, trace), -1) {
		thread, kind := match[1], match[2]
		if kind == "displaced" {
			v, err := strconv.ParseInt(match[3], 0, 64)
			if err != nil {
				t.Fatal(err)
			}
			ns += v
			rows++
			if before[thread] != "sched-out" {
				late++
			}
		}
		before[thread] = kind
	}
	return ns, rows, late
}
