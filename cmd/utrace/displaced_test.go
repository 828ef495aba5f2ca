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
	"strconv"
	"strings"
	"testing"

	"utrace/format"
)

// For how long the recorder has run in the place of the program that it records is told as bpftrace sees it, where both have but one
// processor. It is neither time of the calls around nor time that these waited; and it stays, if the times are to be as measured.
func TestDisplaced(t *testing.T) {
	needKernel(t)
	needTool(t, "bpftrace")
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		t.Skip(err)
	}
	program := target(t, "compensation.c", "-O1")
	dir := t.TempDir()
	trace, output := filepath.Join(dir, "trace.arrow"), filepath.Join(dir, "bpftrace")
	steps, err := exec.Command(program).Output()
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "utrace-own") // other recorders may run
	if err := os.Link(utracePath, own); err != nil {
		t.Fatal(err)
	}
	comm, recorder := filepath.Base(program), filepath.Base(own)
	script := fmt.Sprintf(`tracepoint:sched:sched_switch /@since[cpu] && args->prev_comm == %[2]q && args->next_comm != %[2]q/ {
	@ran += nsecs - @since[cpu]; @since[cpu] = 0;
}
tracepoint:sched:sched_switch /args->prev_comm == %[1]q && args->next_comm == %[2]q && args->prev_state == 0/ { @since[cpu] = nsecs; }`, comm, recorder)
	record := strings.Join([]string{taskset, "-c", "0", own, "record", "--sched", "--force", "--no-follow", "-o", trace, "-e", program + ":push_*",
		"--", program, "push", "1", "20", strings.TrimSpace(string(steps))}, " ")
	if out, err := exec.Command("bpftrace", "-o", output, "-e", script, "-c", record).CombinedOutput(); err != nil {
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
	want, _ := strconv.ParseInt(string(match[1]), 10, 64)
	validate(t, trace)

	outermost := func(args ...string) (runnable, recorder int64) {
		text, stderr, status := utrace(t, append(append([]string{"analyze", "--json", "--function", "push_o*"}, args...), trace)...)
		if status != 0 {
			t.Fatal(stderr)
		}
		var r struct {
			waitsReport
			Trace struct {
				Probes struct {
					RecorderNs int64 `json:"recorder_ns"`
				}
			}
		}
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Functions {
			runnable += f.RunnableNs
		}
		return runnable, r.Trace.Probes.RecorderNs
	}
	measured, none := outermost("--raw")
	left, took := outermost()
	ran := displacedNs(t, trace)
	t.Logf("the recorder ran for %d ns, by bpftrace for %d, which took %d; of %d ns that calls waited %d are left", ran, want, took, measured, left)
	if ran < want*9/10 || ran > want*11/10 {
		t.Errorf("the recorder ran for %d ns, by bpftrace for %d", ran, want)
	}
	if took < ran || none != 0 || measured-left > ran || measured-left < ran/4 {
		t.Errorf("of %d ns it took %d, by the raw figures %d; calls waited for %d ns, of which %d are left", ran, took, none, measured, left)
	}
}

// displacedNs is the sum of what a trace says.
func displacedNs(t *testing.T, trace string) (sum int64) {
	t.Helper()
	r, err := format.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var text bytes.Buffer
	if err := format.WriteText(&text, r); err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`(?m)^\d+ \d+ displaced 0 value=(\S+)`).FindAllSubmatch(text.Bytes(), -1) {
		ns, err := strconv.ParseInt(string(match[1]), 0, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += ns
	}
	return sum
}
