//go:build linux

package cost

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

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
