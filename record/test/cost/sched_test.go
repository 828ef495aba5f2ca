//go:build linux

package cost

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// waitsReport is the part of the report that says how time divides. Times are in nanoseconds.
type waitsReport struct {
	Trace struct {
		Events, Lost, Switches uint64
	}
	Functions []struct {
		Name       string
		Calls      uint64
		TotalNs    int64 `json:"total_ns"`
		CPUNs      int64 `json:"cpu_ns"`
		RunnableNs int64 `json:"runnable_ns"`
		BlockedNs  int64 `json:"blocked_ns"`
		UnknownNs  int64 `json:"unknown_ns"`
	}
}

// measured is what testdata/targets/waits.c measures itself, in nanoseconds: by its own clocks, and
// by the kernel's count of the time for which a thread has waited for a processor.
type measured struct{ wall, cpu, delay int64 }

// TestSchedSplitsTime: functions sleep, wait for a lock, read a slow pipe, spin, and compete for a
// processor. The parts of their time are right within 5%.
func TestSchedSplitsTime(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "waits.c", "-O2")
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	probes := []string{}
	for _, name := range []string{"sleeper", "locker", "reader", "spinner", "contender"} {
		probes = append(probes, "-e", name)
	}
	out, stderr, status := harness.Utrace(t, append(append([]string{"record", "--sched", "-o", trace}, probes...), "--", program)...)
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	harness.Validate(t, trace)
	truth := map[string]measured{}
	for line := range strings.Lines(out) {
		var name string
		var m measured
		if _, err := fmt.Sscan(line, &name, &m.wall, &m.cpu, &m.delay); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		sum := truth[name]
		truth[name] = measured{sum.wall + m.wall, sum.cpu + m.cpu, sum.delay + m.delay}
	}
	text, stderr, status := harness.Utrace(t, "analyze", "--json", "--raw", trace) // to the program it is all the same whom it waits for
	if status != 0 {
		t.Fatal(stderr)
	}
	var r waitsReport
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Functions) != 5 || r.Trace.Lost != 0 || r.Trace.Switches < 80 {
		t.Fatalf("%d functions, %d lost, %d switches\n%s", len(r.Functions), r.Trace.Lost, r.Trace.Switches, text)
	}
	for _, f := range r.Functions {
		want := truth[f.Name]
		t.Logf("%-9s total %d, on CPU %d (%d), runnable %d (%d), blocked %d (%d), unknown %d", f.Name, f.TotalNs,
			f.CPUNs, want.cpu, f.RunnableNs, want.delay, f.BlockedNs, want.wall-want.cpu-want.delay, f.UnknownNs)
		if f.CPUNs+f.RunnableNs+f.BlockedNs+f.UnknownNs != f.TotalNs {
			t.Errorf("%s: the parts are not the whole", f.Name)
		}
		if f.UnknownNs > f.TotalNs/10 { // the kernel leaves out a switch now and then
			t.Errorf("%s: %d of %d ns are not known", f.Name, f.UnknownNs, f.TotalNs)
		}
		near := func(what string, got, want int64) {
			if d := got - want; max(d, -d) > f.TotalNs/20+f.UnknownNs {
				t.Errorf("%s: %s %d ns, the program says %d, of %d", f.Name, what, got, want, f.TotalNs)
			}
		}
		near("on CPU", f.CPUNs, want.cpu)
		near("runnable", f.RunnableNs, want.delay)
		near("blocked", f.BlockedNs, want.wall-want.cpu-want.delay)
	}
	wantSchedViews(t, trace)
}

// wantSchedViews checks what views of the trace say of waits.
func wantSchedViews(t *testing.T, trace string) {
	t.Helper()
	flow, _, _ := harness.Utrace(t, "analyze", "--flow", trace)
	for what, pattern := range map[string]string{
		"the end of a sleep":  `sleeper\(\) \{\n.*/\* linux:schedule: blocked \d+\.\d+ ms, woken by an interrupt`,
		"the holder's unlock": `locker\(\) \{\n(.*\n)*?.*/\* linux:schedule: blocked \d+\.\d+ ms, woken by \d+ \*/`,
		"the writer's write":  `reader\(\) \{\n(.*\n)*?.*/\* linux:schedule: blocked \d+\.\d+ ms, woken by \d+ \*/`,
		"a preemption":        `contender\(\) \{\n(.*\n)*?.*/\* linux:schedule \(pre-empted\) \*/`,
	} {
		if !regexp.MustCompile(pattern).MatchString(flow) {
			t.Errorf("%s is not in the flow", what)
		}
	}

	slowest, _, _ := harness.Utrace(t, "analyze", "--slowest", "1", "--function", "locker", trace)
	if !regexp.MustCompile(`(?m)^# spent     \d+\.\d+ ms blocked, .*; longest blocked for \d+\.\d+ ms, woken by \d+$`).MatchString(slowest) {
		t.Errorf("slowest:\n%s", slowest)
	}

	for pattern, args := range map[string][]string{
		`,cpu_ns,runnable_ns,blocked_ns,(?s:.*)\nsleeper,`:          {"--csv"},
		`"name":"linux:schedule","ph":"X",.*"waker":"woken by \d+"`: {"--trace-event", "-", "--function", "locker"},
		`/\* linux:schedule: blocked `:                              {"--flow", "--min", "5ms"},
	} {
		if out, stderr, status := harness.Utrace(t, append(append([]string{"analyze"}, args...), trace)...); status != 0 || !regexp.MustCompile(pattern).MatchString(out) {
			t.Errorf("%v: status %d, want %s\n%.1000s\n%s", args, status, pattern, out, stderr)
		}
	}

	profile := filepath.Join(t.TempDir(), "profile.pb.gz")
	if _, stderr, status := harness.Utrace(t, "analyze", "--pprof", profile, trace); status != 0 {
		t.Fatal(stderr)
	}
	for sample, first := range map[string]string{"cpu": "contender", "offcpu": "contender|sleeper|locker|reader"} {
		top, err := exec.Command("go", "tool", "pprof", "-sample_index="+sample, "-top", profile).Output()
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`(?m)^.*flat%.*\n.* (` + first + `)$`).Match(top) {
			t.Errorf("%s:\n%s", sample, top)
		}
	}
}

// TestNoSched: without --sched, neither the trace nor the reports have anything of the scheduler.
func TestNoSched(t *testing.T) {
	harness.NeedKernel(t)
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	if _, stderr, status := harness.Utrace(t, "record", "-o", trace, "-e", "sleeper", "--", harness.Target(t, "waits.c")); status != 0 {
		t.Fatal(stderr)
	}
	text, _, _ := harness.Utrace(t, "analyze", "--json", trace)
	table, _, _ := harness.Utrace(t, "analyze", trace)
	if slices.ContainsFunc([]string{"cpu_ns", "blocked_ns", "Blocked"}, func(s string) bool { return strings.Contains(text+table, s) }) {
		t.Errorf("%s\n%s", text, table)
	}
}

// TestSchedLoss: if records of the scheduler are lost, the trace says so, and no part of the time
// is longer than it can have been.
func TestSchedLoss(t *testing.T) {
	harness.NeedKernel(t)
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	_, stderr, status := harness.Utrace(t, "record", "--sched", "--ring-size", strconv.Itoa(os.Getpagesize()), "-o", trace, "-e", "leaf", "--", harness.Target(t, "flood.c"), "1")
	if status != 0 || !regexp.MustCompile(`switches and wakeups of threads, [1-9][\d,]* lost`).MatchString(stderr) {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	harness.Validate(t, trace)
	text, warnings, _ := harness.Utrace(t, "analyze", "--json", trace)
	var r waitsReport
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	f := r.Functions[0]
	if f.UnknownNs == 0 || f.CPUNs+f.RunnableNs+f.BlockedNs+f.UnknownNs != f.TotalNs {
		t.Errorf("%+v", f)
	}
	if !strings.Contains(warnings, "switches and wakeups of threads were lost") {
		t.Error(warnings)
	}
}
