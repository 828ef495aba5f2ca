//go:build linux

package cost

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"utrace/format"
	"utrace/record/test/harness"
)

// These tests record programs with functions that are called too often for the overhead limit.

// hotCounts is what hot.c prints.
type hotCounts struct{ hot, step, cpuMs uint64 }

func readHotCounts(t *testing.T, stdout string) (c hotCounts) {
	t.Helper()
	if _, err := fmt.Sscanf(stdout, "hot %d step %d cpu %d", &c.hot, &c.step, &c.cpuMs); err != nil {
		t.Fatalf("%q: %v", stdout, err)
	}
	return c
}

// removed returns what a trace says of a function, or of a static probe, that the limit removed. It
// returns nil if the limit did not remove it.
func removed(tables *format.Tables, name string) (found *format.Removed) {
	for i, off := range tables.Removed {
		if f := tables.Funcs[off.Func]; f.Name == name || f.USDT == name {
			found = &tables.Removed[i]
		}
	}
	return found
}

// TestLimit: the limit removes a hot function. The trace has all of its hits before that, and all
// calls of the other functions.
func TestLimit(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "hot.c", "-O1")
	plain, err := exec.Command(bin).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{nil, {"--max-overhead=5%", "-e", "*"}, {"--no-follow"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			trace := filepath.Join(t.TempDir(), "trace.arrow")
			stdout, stderr, status := harness.Utrace(t, append(append([]string{"record", "-o", trace}, flags...), "--", bin)...)
			if status != 0 {
				t.Fatalf("status %d\n%s", status, stderr)
			}
			harness.Validate(t, trace)
			want := readHotCounts(t, stdout)
			tables, meta := harness.Tables(t, trace)
			off := removed(tables, "hot")
			if off == nil {
				t.Fatalf("hot was not removed\n%s", stderr)
			}
			if meta.MaxOverheadPercent != 5 || meta.Costs == nil || !meta.Costs.Measured || meta.Costs.EmulatedNs <= 0 {
				t.Errorf("limit %v, costs %+v", meta.MaxOverheadPercent, meta.Costs)
			}
			r := harness.Analyze(t, trace)
			if r.Trace.Lost > 0 {
				t.Fatalf("%d events lost", r.Trace.Lost)
			}
			harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{"step": want.step, "run": 2, "main": 1})
			harness.WantCounts(t, "incomplete calls", r.Incomplete(), map[string]uint64{"step": 0, "run": 0, "main": 0})
			calls, incomplete := r.Calls()["hot"], r.Incomplete()["hot"]
			if incomplete > 2 { // one a thread
				t.Errorf("%d incomplete calls of hot", incomplete)
			}
			if seen := 2*calls - incomplete; off.Hits != seen || calls == 0 || calls >= want.hot {
				t.Errorf("hot was removed after %d hits, %d are in the trace; it was called %d times", off.Hits, seen, want.hot)
			}
			if off.TimeNs == 0 || off.TimeNs > uint64(r.Trace.DurationNs) || off.OverheadPercent <= 5 || off.PID == 0 {
				t.Errorf("%+v", off)
			}
			if !strings.Contains(stderr, "hot was removed after") {
				t.Errorf("the summary does not say so:\n%s", stderr)
			}
			report, warnings, _ := harness.Utrace(t, "analyze", trace)
			if !strings.Contains(report, "# removed   1") || !strings.Contains(report, "hot * first ") || !strings.Contains(warnings, fmt.Sprintf("after %d hits", off.Hits)) {
				t.Errorf("the report does not say so:\n%s%s", report, warnings)
			}
			// Recorded to the end, the program takes 3 times as long where traps are expensive.
			if untraced := readHotCounts(t, string(plain)).cpuMs; want.cpuMs > 2*untraced+300 {
				t.Errorf("%d ms of CPU time, %d without the recorder", want.cpuMs, untraced)
			}
		})
	}
}

// TestLimitOff: probes that are named stay, whatever they cost, and all probes stay with
// --max-overhead=none.
func TestLimitOff(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "hot.c", "-O1")
	for _, flags := range [][]string{{"-e", "*"}, {"--max-overhead=none"}, {"--max-overhead", "0"}} {
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		stdout, stderr, status := harness.Utrace(t, append(append([]string{"record", "-o", trace}, flags...), "--", bin, "20")...)
		if status != 0 {
			t.Fatalf("status %d\n%s", status, stderr)
		}
		want := readHotCounts(t, stdout)
		harness.WantCounts(t, "calls", harness.Analyze(t, trace).Calls(), map[string]uint64{"step": want.step, "hot": want.hot})
	}
}

// TestLimitCountsTheDropped: hits count whether or not a condition keeps them.
func TestLimitCountsTheDropped(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedSDT(t)
	bin := harness.Target(t, "hot.c", "-O1", "-DSTATIC")
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	stdout, stderr, status := harness.Utrace(t, "record", "-o", trace, "--max-overhead=5%", "-e", "usdt:hot:pass(n:u64) if n > 1000000000", "-e", "step", "--", bin)
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	harness.Validate(t, trace)
	want := readHotCounts(t, stdout)
	tables, _ := harness.Tables(t, trace)
	if off := removed(tables, "hot:pass"); off == nil || off.Hits < 1000 || off.Hits >= want.hot {
		t.Errorf("hot:pass: %+v, called %d times", off, want.hot)
	}
	harness.WantCounts(t, "calls", harness.Analyze(t, trace).Calls(), map[string]uint64{"step": want.step, "pass": 0})
}

// TestLimitInterpreter: with Python's functions, the limit also removes the semaphore of another
// probe, which slows down the interpreter.
func TestLimitInterpreter(t *testing.T) {
	harness.NeedPython(t)
	script := harness.Testdata(t, "targets/loops.py")
	fastest := func(stdout string) (last uint64) {
		fields := strings.Fields(stdout)
		last, err := strconv.ParseUint(fields[len(fields)-1], 10, 64)
		if err != nil {
			t.Fatalf("%q: %v", stdout, err)
		}
		return last
	}
	plain, err := exec.Command(harness.Python, script).Output()
	if err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	stdout, stderr, status := harness.Utrace(t, "record", "-o", trace, "--", harness.Python, script) // chooses the preset
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	harness.Validate(t, trace)
	if !strings.Contains(stderr, "chosen: preset python") {
		t.Errorf("the preset was not chosen:\n%s", stderr)
	}
	tables, _ := harness.Tables(t, trace)
	if removed(tables, "python:function__entry") == nil {
		t.Errorf("not removed:\n%s", stderr)
	}
	if got, want := fastest(stdout), fastest(string(plain)); got > 2*want {
		t.Errorf("a loop takes %d us when the functions are off, and %d us without the recorder", got, want)
	}
	report, _, _ := harness.Utrace(t, "analyze", "--json", trace)
	var r struct {
		Functions []struct {
			Name       string
			TakenOffNs uint64 `json:"taken_off_ns"`
		}
	}
	if err := json.Unmarshal([]byte(report), &r); err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Functions {
		if named := f.Name != "gc" && f.Name != "import__find__load"; named != (f.TakenOffNs > 0) {
			t.Errorf("%s was removed after %d ns", f.Name, f.TakenOffNs)
		}
	}
	if len(r.Functions) < 3 {
		t.Errorf("report: %s", report)
	}
}
