package analyze

import (
	"cmp"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"utrace/format"
)

// copyInWindows copies the events of a trace that are in windows of all functions. choose gets the
// length of the trace.
func copyInWindows(t *testing.T, from, to string, choose func(last uint64) []format.Window) {
	t.Helper()
	f, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	src, err := openSource(from, &Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.close()
	var events []format.Event
	var bases, clocks []uint64
	err = src.each(format.Columns{Value: true}, func(b *batch) error {
		defer b.release()
		for range src.tables.Threads[len(clocks):] {
			bases, clocks = append(bases, 0), append(clocks, 0)
		}
		for i := range b.Rows {
			at := b.Thread[i]
			clocks[at] += uint64(b.DeltaNs[i])
			switch kind := format.Kind(b.Kind[i]); {
			case kind == format.StackBase:
				bases[at] = b.Value[i]
			case kind.IsEvent():
				e := format.Event{TimeNs: clocks[at], Thread: format.ThreadID(at), Func: format.FuncID(b.Func[i]), Kind: kind}
				if b.StackBytes[i] != 0 {
					e.SP = bases[at] - uint64(b.StackBytes[i])
				}
				events = append(events, e)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(events, func(a, b format.Event) int { return cmp.Compare(a.TimeNs, b.TimeNs) })

	w, err := format.NewWriter(f, format.Meta{Host: "bench", MaxOverheadPercent: 5})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range src.tables.Modules {
		w.AddModule(m)
	}
	var set format.ProbeSet
	for _, fn := range src.tables.Funcs {
		fn.EntryClass, fn.ReturnClass = "", "" // the copy has no calibrations
		set.Funcs = append(set.Funcs, w.AddFunc(fn))
	}
	for _, th := range src.tables.Threads {
		w.AddThread(th)
	}
	last := events[len(events)-1].TimeNs
	windows := choose(last)
	for i := range events {
		e := &events[i]
		if slices.ContainsFunc(windows, func(w format.Window) bool { return w.FromNs <= e.TimeNs && e.TimeNs <= w.OffNs }) {
			if err := w.Append(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	w.AddProbeSet(set)
	for _, win := range windows {
		w.AddWindow(win)
	}
	w.AddSurvey(format.Survey{Funcs: len(set.Funcs), CPUNs: 1000})
	if err := w.Close(format.End{Stop: format.Anchor{MonoNs: int64(last)}}); err != nil {
		t.Fatal(err)
	}
}

// A function that was probed from the first to the last moment has the figures of a trace without a
// limit.
func TestSurveyOfAllTime(t *testing.T) {
	limited := filepath.Join(t.TempDir(), "limited")
	whole := filepath.Join(t.TempDir(), "whole")
	writeCalls(t, whole, 20_000, 3)
	copyInWindows(t, whole, limited, func(last uint64) []format.Window {
		return []format.Window{{FromNs: 1, ToNs: last + 1, OffNs: last + 1, CPUNs: 999, All: true}}
	})
	var rows [2][]Row
	var roots [2][]*Node
	for i, path := range []string{whole, limited} {
		r, err := Report([]string{path}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		tree, err := CallTree([]string{path}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		rows[i], roots[i] = r.Rows, tree.Threads[0].Roots
	}
	if !reflect.DeepEqual(rows[0], rows[1]) || !reflect.DeepEqual(roots[0], roots[1]) {
		t.Error("the reports, or the trees, differ")
	}
}

// Surveys made of a complete recording of a server, by leaving out what is not in random windows,
// have its figures: 95% intervals have the number of calls in at least 90% of the cases, and their
// sums are right on average.
func TestSurveyOfRecording(t *testing.T) {
	const runs = 30
	whole := filepath.Join("..", "testdata", "traces", "demo.arrow")
	full, err := Report([]string{whole}, Options{Raw: true})
	if err != nil {
		t.Fatal(err)
	}
	cases, calls := 0, 0
	self, total := map[string]float64{}, map[string]float64{}
	for seed := range uint64(runs) {
		path := filepath.Join(t.TempDir(), "survey")
		copyInWindows(t, whole, path, func(last uint64) (windows []format.Window) {
			rng := rand.New(rand.NewPCG(seed, 5))
			for from := uint64(rng.ExpFloat64() * 10e6); from+25e6 < last; from += 24e6 + uint64(rng.ExpFloat64()*10e6) {
				windows = append(windows, format.Window{FromNs: from, ToNs: from + 2e6, OffNs: from + 24e6, All: true})
			}
			return windows
		})
		r, err := Report([]string{path}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range r.Rows {
			row := &r.Rows[i]
			want := rowOf(t, full, row.Name)
			if want.Calls < 100 { // the other functions are called at the start
				continue
			}
			cases++
			if math.Abs(float64(row.Calls)-float64(want.Calls)) <= float64(row.CallsError) {
				calls++
			} else {
				t.Logf("%s: %d ± %d calls, want %d", row.Name, row.Calls, row.CallsError, want.Calls)
			}
			self[row.Name] += float64(row.Self) / float64(max(1, want.Self)) / runs
			total[row.Name] += float64(row.Total) / float64(want.Total) / runs
		}
	}
	for name, ratio := range total {
		if ratio < 0.8 || ratio > 1.25 {
			t.Errorf("%s: total time is %.2f of the truth on average", name, ratio)
		}
	}
	for _, name := range []string{"hash", "parse_header", "render_row"} { // the others' own time is short
		if self[name] < 0.8 || self[name] > 1.25 {
			t.Errorf("%s: self time is %.2f of the truth on average", name, self[name])
		}
	}
	if calls < cases*9/10 || cases < runs*5 {
		t.Errorf("the intervals have the calls in %d of %d cases", calls, cases)
	}
}
