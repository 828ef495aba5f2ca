//go:build linux

package calls

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"utrace/analyze"
	"utrace/record/test/harness"
)

// TestLossInItsPlace records bursts of calls with a ring that is too small for them. Recorded and
// lost events must add up, and losses must lie within bursts. Distributions must leave out every
// call during which events were lost, and no other.
func TestLossInItsPlace(t *testing.T) {
	harness.NeedKernel(t)
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	stdout, stderr, status := harness.Utrace(t, "record", "--ring-size", "4KiB", "-o", trace, "-e", "step", "-e", "calm", "-e", "burst", harness.Target(t, "bursts.c", "-O1"))
	if status != 0 {
		t.Fatal(stderr)
	}
	_, meta := harness.Tables(t, trace)
	type window struct{ from, to time.Duration }
	var bursts []window
	var steps uint64
	for line := range strings.Lines(stdout) {
		var from, to int64
		if n, _ := fmt.Sscan(line, &from, &to); n == 2 {
			bursts = append(bursts, window{time.Duration(from - meta.Start.MonoNs), time.Duration(to - meta.Start.MonoNs)})
		} else if _, err := fmt.Sscan(line, &steps); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	r, err := analyze.Report([]string{trace}, analyze.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(bursts) != 3 || len(r.Trace.Losses) < 3 {
		t.Fatalf("%d bursts, %d stretches of losses", len(bursts), len(r.Trace.Losses))
	}
	for _, l := range r.Trace.Losses {
		inside := false
		for _, b := range bursts {
			inside = inside || l.From >= b.from && l.To <= b.to
		}
		if !inside {
			t.Errorf("a loss from %v to %v, outside the bursts %v", l.From, l.To, bursts)
		}
	}
	complete, touched := map[string]uint64{}, map[string]uint64{}
	if _, err := analyze.Flow(trace, analyze.Options{Raw: true}, false, func(s *analyze.Step) error {
		if s.Kind == analyze.Leave && s.State == analyze.Complete {
			complete[s.Func.Name]++
			for _, l := range r.Trace.Losses {
				if l.From <= s.At && l.To >= s.At-s.Duration {
					touched[s.Func.Name]++
					break
				}
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	rows := map[string]*analyze.Row{}
	for i := range r.Rows {
		row := &r.Rows[i]
		rows[row.Name] = row
		if row.Uncertain != touched[row.Name] || row.Durations.Count()+row.Uncertain != complete[row.Name] || row.Calls != complete[row.Name]+row.Incomplete {
			t.Errorf("%s: %d calls, %d incomplete, %d uncertain, %d in the distribution; %d were complete, %d touched",
				row.Name, row.Calls, row.Incomplete, row.Uncertain, row.Durations.Count(), complete[row.Name], touched[row.Name])
		}
	}
	if s := rows["step"]; s == nil || s.Calls+s.Lost != steps || s.Lost == 0 {
		t.Errorf("step: %+v, want %d calls and lost ones", s, steps)
	}
	if c := rows["calm"]; c == nil || c.Durations.Count() != 7 || c.Uncertain != 0 {
		t.Errorf("calm: %+v, want 7 calls, all of them certain", c)
	}
	if b := rows["burst"]; b == nil || b.Durations.Count() != 0 || b.Calls+b.Lost != 3 || b.Uncertain+b.Incomplete != b.Calls {
		t.Errorf("burst: %+v, want 3 calls, none of them certain", b)
	}
}
