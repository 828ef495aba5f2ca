//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"utrace/format"
)

// These tests record programs with functions that are called too often for the limit of overhead.

// hotCounts is what hot.c prints.
type hotCounts struct{ hot, step, cpuMs uint64 }

func readHotCounts(t *testing.T, stdout string) (c hotCounts) {
	t.Helper()
	if _, err := fmt.Sscanf(stdout, "hot %d step %d cpu %d", &c.hot, &c.step, &c.cpuMs); err != nil {
		t.Fatalf("%q: %v", stdout, err)
	}
	return c
}

// readTables reads the definitions of a trace.
func readTables(t *testing.T, path string) (*format.Tables, format.Meta) {
	t.Helper()
	r, err := format.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	d, err := format.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var (
		m      format.Message
		b      format.Batch
		tables format.Tables
	)
	for r.Next(&m) == nil {
		if err := d.Decode(&m, format.Columns{}, &b); err != nil {
			t.Fatal(err)
		}
		for _, def := range b.Defs {
			if err := tables.Apply(def); err != nil {
				t.Fatal(err)
			}
		}
	}
	return &tables, r.Meta()
}

// takenOff returns what a trace says of a function, or static probe, that was taken off; nil if it was not.
func takenOff(tables *format.Tables, name string) (found *format.TakenOff) {
	for i, off := range tables.TakenOff {
		if f := tables.Funcs[off.Func]; f.Name == name || f.Static == name {
			found = &tables.TakenOff[i]
		}
	}
	return found
}

// TestLimit: a hot function is taken off, all of its hits up to then are in the trace, and every call of the others.
func TestLimit(t *testing.T) {
	needKernel(t)
	bin := target(t, "hot.c", "-O1")
	plain, err := exec.Command(bin).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{nil, {"--max-overhead=5%", "-e", "*"}, {"--no-follow"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			trace := filepath.Join(t.TempDir(), "trace.arrow")
			stdout, stderr, status := utrace(t, append(append([]string{"record", "-o", trace}, flags...), "--", bin)...)
			if status != 0 {
				t.Fatalf("status %d\n%s", status, stderr)
			}
			validate(t, trace)
			want := readHotCounts(t, stdout)
			tables, meta := readTables(t, trace)
			off := takenOff(tables, "hot")
			if off == nil {
				t.Fatalf("hot was not taken off\n%s", stderr)
			}
			if meta.MaxOverheadPercent != 5 || meta.Costs == nil || !meta.Costs.Measured || meta.Costs.EmulatedNs <= 0 {
				t.Errorf("limit %v, costs %+v", meta.MaxOverheadPercent, meta.Costs)
			}
			r := analyzeTrace(t, trace)
			if r.Trace.Lost > 0 {
				t.Fatalf("%d events lost", r.Trace.Lost)
			}
			wantCounts(t, "calls", r.calls(), map[string]uint64{"step": want.step, "run": 2, "main": 1})
			wantCounts(t, "incomplete calls", r.incomplete(), map[string]uint64{"step": 0, "run": 0, "main": 0})
			calls, incomplete := r.calls()["hot"], r.incomplete()["hot"]
			if incomplete > 2 { // one a thread
				t.Errorf("%d incomplete calls of hot", incomplete)
			}
			if seen := 2*calls - incomplete; off.Hits != seen || calls == 0 || calls >= want.hot {
				t.Errorf("hot was taken off after %d hits, %d are in the trace; it was called %d times", off.Hits, seen, want.hot)
			}
			if off.TimeNs == 0 || off.TimeNs > uint64(r.Trace.DurationNs) || off.OverheadPercent <= 5 || off.PID == 0 {
				t.Errorf("%+v", off)
			}
			if !strings.Contains(stderr, "hot was removed after") {
				t.Errorf("the summary does not say so:\n%s", stderr)
			}
			report, warnings, _ := utrace(t, "analyze", trace)
			if !strings.Contains(report, "# taken off 1") || !strings.Contains(report, "hot * first ") || !strings.Contains(warnings, fmt.Sprintf("after %d hits", off.Hits)) {
				t.Errorf("the report does not say so:\n%s%s", report, warnings)
			}
			// Recorded to the end, it takes 3 times as long where traps are dear.
			if untraced := readHotCounts(t, string(plain)).cpuMs; want.cpuMs > 2*untraced+300 {
				t.Errorf("%d ms of CPU time, %d without the recorder", want.cpuMs, untraced)
			}
		})
	}
}

// TestLimitOff: probes that are named stay, whatever they cost, and so do all with --max-overhead=none.
func TestLimitOff(t *testing.T) {
	needKernel(t)
	bin := target(t, "hot.c", "-O1")
	for _, flags := range [][]string{{"-e", "*"}, {"--max-overhead=none"}, {"--max-overhead", "0"}} {
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		stdout, stderr, status := utrace(t, append(append([]string{"record", "-o", trace}, flags...), "--", bin, "20")...)
		if status != 0 {
			t.Fatalf("status %d\n%s", status, stderr)
		}
		want := readHotCounts(t, stdout)
		wantCounts(t, "calls", analyzeTrace(t, trace).calls(), map[string]uint64{"step": want.step, "hot": want.hot})
	}
}

// TestLimitCountsTheDropped: hits count, whatever a condition makes of them.
func TestLimitCountsTheDropped(t *testing.T) {
	needKernel(t)
	needHeader(t)
	bin := target(t, "hot.c", "-O1", "-DSTATIC")
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	stdout, stderr, status := utrace(t, "record", "-o", trace, "--max-overhead=5%", "-e", "usdt:hot:pass(n:u64) if n > 1000000000", "-e", "step", "--", bin)
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	validate(t, trace)
	want := readHotCounts(t, stdout)
	tables, _ := readTables(t, trace)
	if off := takenOff(tables, "hot:pass"); off == nil || off.Hits < 1000 || off.Hits >= want.hot {
		t.Errorf("hot:pass: %+v, called %d times", off, want.hot)
	}
	wantCounts(t, "calls", analyzeTrace(t, trace).calls(), map[string]uint64{"step": want.step, "pass": 0})
}

// TestLimitInterpreter: with Python's functions goes what slows down the interpreter, the semaphore of another probe.
func TestLimitInterpreter(t *testing.T) {
	needKernel(t)
	const python = "/usr/bin/python3.11"
	needTool(t, python)
	script := filepath.Join("..", "..", "testdata", "targets", "loops.py")
	fastest := func(stdout string) (last uint64) {
		fields := strings.Fields(stdout)
		last, err := strconv.ParseUint(fields[len(fields)-1], 10, 64)
		if err != nil {
			t.Fatalf("%q: %v", stdout, err)
		}
		return last
	}
	plain, err := exec.Command(python, script).Output()
	if err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	stdout, stderr, status := utrace(t, "record", "-o", trace, "--", python, script) // chooses the preset
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	validate(t, trace)
	if !strings.Contains(stderr, "chosen: preset python") {
		t.Errorf("the preset was not chosen:\n%s", stderr)
	}
	tables, _ := readTables(t, trace)
	if takenOff(tables, "python:function__entry") == nil {
		t.Errorf("not taken off:\n%s", stderr)
	}
	if got, want := fastest(stdout), fastest(string(plain)); got > 2*want {
		t.Errorf("a loop takes %d us when the functions are off, and %d us without the recorder", got, want)
	}
	report, _, _ := utrace(t, "analyze", "--json", trace)
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
			t.Errorf("%s was taken off after %d ns", f.Name, f.TakenOffNs)
		}
	}
	if len(r.Functions) < 3 {
		t.Errorf("report: %s", report)
	}
}
