//go:build linux

package cost

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"utrace/record/internal/calibrate"
	"utrace/record/test/harness"
)

// TestCalibrated: a recording measures what hits cost from its beginning to its end, for the sites
// that it has. The trace and its counts have nothing of the process that is measured.
func TestCalibrated(t *testing.T) {
	harness.NeedKernel(t)
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	stdout, stderr, status := harness.Utrace(t, "record", "-o", trace, "-e", "step", "-e", "calm", harness.Target(t, "bursts.c", "-O1"))
	if status != 0 {
		t.Fatal(stderr)
	}
	harness.Validate(t, trace)
	tables, meta := harness.Tables(t, trace)
	if len(tables.Processes) != 1 || len(tables.Threads) != 1 {
		t.Errorf("processes %+v, threads %+v", tables.Processes, tables.Threads)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	steps, err := strconv.ParseUint(lines[len(lines)-1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	r := harness.Analyze(t, trace)
	if got := r.Calls()["step"]; got != steps || r.Trace.Lost != 0 {
		t.Errorf("%d calls, %d lost, want %d", got, r.Trace.Lost, steps)
	}
	for _, fn := range tables.Funcs {
		if fn.EntryClass == "" || fn.ReturnClass == "" {
			t.Errorf("%s: sites of the classes %q and %q", fn.Name, fn.EntryClass, fn.ReturnClass)
		}
		last := uint64(0)
		for i, cal := range tables.Calibrations {
			found := false
			for _, s := range cal.Sites {
				found = found || s.Entry == fn.EntryClass && s.Return == fn.ReturnClass && s.InsideNs > 0 && s.CallNs > s.InsideNs && s.EntryNs > 0 && s.EntryNs < s.CallNs
			}
			if !found || cal.TimeNs < last || cal.QuietNs <= 0 {
				t.Errorf("calibration %d: %+v", i, cal)
			}
			last = cal.TimeNs
		}
		if duration := uint64(tables.End.Stop.MonoNs - meta.Start.MonoNs); len(tables.Calibrations) < 6 || last < duration {
			t.Errorf("%d calibrations, the last %d ns after the start, of %d", len(tables.Calibrations), last, duration)
		}
	}
}

// TestCalibrationFollows: while a program is recorded, hits become up to three times as dear. What is
// subtracted follows within a second or two.
//
// The calibrator runs on another processor than the program, which may be a
// sixth slower for seconds. So what is subtracted may be wrong by a quarter. What it was before is a
// quarter of what it must become.
func TestCalibrationFollows(t *testing.T) {
	harness.Retry(t, 3, func() string { return dearTurns(t) })
}

// dearTurns returns what is off in the corrected times of hits that become dear.
func dearTurns(t *testing.T) (off string) {
	t.Helper()
	trace, stderr := recordDearHits(t, "-e", "turn", "-e", "leaf")
	early, late := []string{"--from", "0.5s", "--to", "1.5s"}, []string{"--from", "5s"}
	turn := func(flags ...string) float64 {
		for _, f := range harness.Analyze(t, trace, flags...).Functions {
			if f.Name == "turn" {
				return float64(f.P50Ns)
			}
		}
		t.Fatalf("no calls of turn with %v", flags)
		return 0
	}
	before, after := turn(early...), turn(late...)
	rawBefore, rawAfter := turn(append(early, "--raw")...), turn(append(late, "--raw")...)
	t.Logf("corrected %.0f, then %.0f us; raw %.0f, then %.0f us", before/1e3, after/1e3, rawBefore/1e3, rawAfter/1e3)
	if rawAfter-rawBefore < 0.3*(rawBefore-before) {
		return fmt.Sprintf("hits have not become dear: raw %.0f, then %.0f us\n%s", rawBefore/1e3, rawAfter/1e3, stderr)
	}
	if cost := (rawAfter - after) / (rawAfter - before); cost < 0.75 || cost > 1.25 {
		return fmt.Sprintf("turn takes %.0f us, then %.0f us; raw %.0f, then %.0f us", before/1e3, after/1e3, rawBefore/1e3, rawAfter/1e3)
	}
	return ""
}

// TestSurveyFollows: so does what a survey charges. It records fewer calls once hits have become
// dear, since these cost as much as more calls before.
func TestSurveyFollows(t *testing.T) {
	harness.Retry(t, 3, func() string { return dearCalls(t) })
}

// dearCalls returns what is off in the number of recorded calls whose hits become dear.
func dearCalls(t *testing.T) (off string) {
	t.Helper()
	trace, stderr := recordDearHits(t, "--max-overhead", "5%")
	recorded := func(from, to string) (calls uint64) {
		var r surveyReport
		harness.AnalyzeJSON(t, &r, "--from", from, "--to", to, trace)
		for _, f := range r.Functions {
			calls += f.Recorded
		}
		return calls
	}
	before, after := recorded("1s", "2.5s"), recorded("5s", "6.5s")
	t.Logf("%d calls were recorded, then %d", before, after)
	if before < 1000 || after > before/2 {
		return fmt.Sprintf("%d calls were recorded, then %d\n%s", before, after, stderr)
	}
	return ""
}

// recordDearHits records rounds.c for 7 seconds. In the second half, hits are up to six times as
// dear.
//
// Another BPF program makes the hits dearer: the kernel runs it at the same breakpoints, those of
// the calibrator included.
func recordDearHits(t *testing.T, flags ...string) (trace, stderr string) {
	t.Helper()
	harness.NeedKernel(t)
	trace = filepath.Join(t.TempDir(), "trace.arrow")
	target := harness.Target(t, "rounds.c", "-O1", "-fno-omit-frame-pointer")
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceUprobeMulti, License: "GPL",
		Instructions: asm.Instructions{
			asm.Mov.Imm(asm.R6, 150),
			asm.FnKtimeGetNs.Call().WithSymbol("again"),
			asm.Sub.Imm(asm.R6, 1),
			asm.JNE.Imm(asm.R6, 0, "again"),
			asm.Mov.Imm(asm.R0, 0),
			asm.Return(),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()

	ended := make(chan string)
	go func() {
		_, stderr, _ := harness.Utrace(t, append(append([]string{"record", "-o", trace}, flags...), "--", target, "7")...)
		ended <- stderr
	}()
	time.Sleep(3 * time.Second) // the command may start a second late
	slow := []link.Link{slowDown(t, program, target, []string{"turn", "leaf"}, nil), slowDown(t, program, harness.Binary(), nil, calibratedSites(t))}
	stderr = <-ended
	for _, l := range slow {
		l.Close()
	}

	return trace, stderr
}

// slowDown runs a BPF program at functions of a file, or at offsets in it.
func slowDown(t *testing.T, program *ebpf.Program, path string, functions []string, offsets []uint64) link.Link {
	t.Helper()
	file, err := link.OpenExecutable(path)
	if err != nil {
		t.Fatal(err)
	}
	l, err := file.UprobeMulti(functions, program, &link.UprobeMultiOptions{Addresses: offsets})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// calibratedSites returns where the functions of the calibrator begin, as offsets in the binary.
func calibratedSites(t *testing.T) (offsets []uint64) {
	t.Helper()
	stdout, stderr, _ := harness.Utrace(t, "doctor", "--calibrate")
	var sites []calibrate.Sites
	if err := json.Unmarshal([]byte(stdout), &sites); err != nil {
		t.Fatalf("%v: %q\n%s", err, stdout, stderr)
	}
	for i := range calibrate.USDT {
		offsets = append(offsets, sites[i].Entry)
	}
	return offsets
}
