package analyze

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/format"
)

// readTestTrace makes a trace of testdata/traces.
func readTestTrace(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", "traces", name))
	if err != nil {
		t.Fatal(err)
	}
	return fromWholeText(t, string(text))
}

// rowOf returns the row of a function.
func rowOf(t *testing.T, r *Result, name string) *Row {
	t.Helper()
	i := slices.IndexFunc(r.Rows, func(row Row) bool { return row.Name == name })
	if i < 0 {
		t.Fatalf("no row of %s", name)
	}
	return &r.Rows[i]
}

// The figures of survey.txt, computed by hand. Six calls of hot are a sample of 1600 of 8000 ns of
// processor time. The four windows of 400 ns stand for 1771, 2000, 2000 and 2229 ns, so the calls
// for 29. One of them was cut off after 110 ns, so the mean of 50, 60, 40, 50, 80
// and 110 ns is a lower bound. Two calls of hot in a whole window, of 60 and 40 ns, stand for ten
// each: 1000 ns of work's 2340 ns are theirs, and 40 ns are lib's.
func TestSurveyByHand(t *testing.T) {
	path := readTestTrace(t, "survey.txt")
	r, err := Report([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	hot := rowOf(t, r, "hot")
	if hot.Calls != 29 || hot.Recorded != 7 || hot.Incomplete != 1 || hot.Cut != 1 || hot.Covered != 0.2 {
		t.Errorf("hot: %d calls, %d recorded, %d incomplete, %d cut, covered %v", hot.Calls, hot.Recorded, hot.Incomplete, hot.Cut, hot.Covered)
	}
	if hot.Total != 1904 || hot.Self != 1904 || hot.Mean() != 65 || !hot.MeanAtLeast() || hot.SelfAtMost {
		t.Errorf("hot: total %d, self %d, mean %d", hot.Total, hot.Self, hot.Mean())
	}
	if hot.Quantile(500) != 50 || hot.QuantileAtLeast(500) || hot.Quantile(900) != 110 || !hot.QuantileAtLeast(900) || hot.Durations.Max() != 80 {
		t.Errorf("hot: median %d, 90%% %d, max %d", hot.Quantile(500), hot.Quantile(900), hot.Durations.Max())
	}
	work := rowOf(t, r, "work")
	if work.Calls != 2 || work.CallsError != 0 || work.Total != 2340 || work.TotalError != 0 || work.Self != 1300 || work.SelfAtMost || work.Covered != 1 {
		t.Errorf("work: %+v", work.Stats)
	}
	main := rowOf(t, r, "t.py.main") // in the one window of its probe, which has no whole windows
	if main.Calls != 10 || main.Covered != 0.1 || !main.SelfAtMost {
		t.Errorf("main: %+v", main.Stats)
	}
	if s := r.Trace.Survey; s == nil || s.Functions != 4 || s.LimitPercent != 5 || math.Abs(s.UsedPercent()-100*300.0/13300) > 1e-9 || r.Trace.UnmatchedReturns != 0 {
		t.Errorf("survey %+v, %d unmatched returns", s, r.Trace.UnmatchedReturns)
	}

	tree, err := CallTree([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	var list func(nodes []*Node, depth int)
	list = func(nodes []*Node, depth int) {
		for _, n := range nodes {
			lines = append(lines, fmt.Sprintf("%d %s %d %d %d", depth, n.Function.Name, n.Calls, n.Total, n.Self))
			list(n.Children, depth+1)
		}
	}
	list(tree.Threads[0].Roots, 0)
	if got, want := strings.Join(lines, ", "), "0 work 2 2340 1300, 1 hot 20 1000 1000, 1 lib 1 40 40, 0 hot 10 800 800"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(tree.Warnings) != 1 || !strings.Contains(tree.Warnings[0].Text, "callers are unknown") {
		t.Errorf("warnings %v", tree.Warnings)
	}
}

// A call is over once the windows of its function end, unless another is open inside it: with a
// stack pointer or without, across windows without a break, and at the end of the trace. Returns of
// calls from before a window are no unmatched ones.
func TestWindowsEndCalls(t *testing.T) {
	path := fromWholeText(t, `
meta {"max_overhead_percent": 5}
module {"path": "/bin/app"}
func {"name": "outer", "module": 0, "addr": 1}
func {"name": "inner", "module": 0, "addr": 2}
func {"name": "span", "module": 0, "addr": 3, "static": "p:x"}
thread {"pid": 1, "tid": 1}
thread {"pid": 1, "tid": 2}
probe-set {"funcs": [0, 2]}
probe-set {"funcs": [1]}
survey {"module": 0, "funcs": 3}
10 0 entry 0 sp=0x7000
10 1 entry 2
20 0 entry 1 sp=0x6000
40 0 return 1 sp=0x6000
45 0 entry 1 sp=0x6000
55 1 entry 1
60 0 return 1 sp=0x6000
70 0 return 0 sp=0x7000
71 0 entry 0 sp=0x7000
72 0 entry 1 sp=0x6000
flush
window {"set": 0, "from_ns": 5, "to_ns": 20, "off_ns": 30}
window {"set": 0, "from_ns": 30, "to_ns": 40, "off_ns": 50}
window {"set": 0, "from_ns": 65, "to_ns": 80, "off_ns": 80}
window {"set": 1, "from_ns": 5, "to_ns": 90, "off_ns": 90}
end {"stop": {"mono_ns": 1000}}
`)
	var got []string
	if _, err := Flow(path, Options{}, false, func(s *Step) error {
		if s.Kind == Enter {
			got = append(got, fmt.Sprintf("%d+%s", s.Thread.TID, s.Func.Name))
		} else {
			got = append(got, fmt.Sprintf("%d-%s:%d", s.Thread.TID, s.Func.Name, s.State))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("1+outer 2+span 1+inner 1-inner:0 1+inner 2-span:%[1]d 2+inner 1-inner:0 1-outer:%[1]d 1+outer 1+inner 1-inner:%[1]d 1-outer:%[1]d 2-inner:%[1]d", Cut)
	if text := strings.Join(got, " "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	r, err := Report([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	outer := rowOf(t, r, "outer")
	if outer.Censored.Count() != 2 || outer.Censored.Min() != 9 || outer.Censored.Max() != 40 || outer.Durations.Count() != 0 {
		t.Errorf("outer: %d cut, %d to %d ns", outer.Censored.Count(), outer.Censored.Min(), outer.Censored.Max())
	}
	if r.Trace.UnmatchedReturns != 0 {
		t.Errorf("%d unmatched returns", r.Trace.UnmatchedReturns)
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

// work calls helper twice. Own windows of helper are without work, which is probed all the time or,
// as hot, in the same windows as helper. The self times are those of the program.
func TestSelfInWindows(t *testing.T) {
	for _, always := range []bool{true, false} {
		for seed := range uint64(5) {
			path := writeNested(t, seed, always)
			r, err := Report([]string{path}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			work, helper := rowOf(t, r, "work"), rowOf(t, r, "helper")
			const rounds = 20_000 // of 100 us: work takes 50 us, 20 us of them in helper
			for _, c := range []struct {
				name      string
				got, want time.Duration
			}{{"total of work", work.Total, rounds * 50_000}, {"self of work", work.Self, rounds * 30_000}, {"self of helper", helper.Self, rounds * 20_000}} {
				if math.Abs(float64(c.got)/float64(c.want)-1) > 0.12 {
					t.Errorf("always %v: %s is %v, want %v", always, c.name, c.got, c.want)
				}
			}
			if work.SelfAtMost || helper.SelfAtMost {
				t.Error("callees are unknown")
			}
		}
	}
}

// writeNested writes a trace of work, which calls helper.
func writeNested(t *testing.T, seed uint64, always bool) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`meta {"max_overhead_percent": 5}
module {"path": "/bin/app"}
func {"name": "work", "module": 0, "addr": 1}
func {"name": "helper", "module": 0, "addr": 2}
thread {"pid": 1, "tid": 1}
probe-set {"funcs": [0]}
probe-set {"funcs": [1]}
probe-set {"funcs": [0, 1]}
`)
	type span struct {
		from, to int
		set      int
	}
	var spans []span
	rng := rand.New(rand.NewPCG(seed, 9))
	set := 1
	for at := rng.IntN(20_000_000); at < 1_990_000_000; at += rng.IntN(20_000_000) {
		to := at + 2_000_000
		spans = append(spans, span{at, to, set})
		at, set = to+100_000, 3-set
	}
	probed := func(ns, fn int) bool {
		return always && fn == 0 || slices.ContainsFunc(spans, func(s span) bool { return ns >= s.from && ns <= s.to+100_000 && (s.set == 2 || s.set == fn) })
	}
	event := func(ns, fn int, kind string) {
		if probed(ns, fn) {
			fmt.Fprintf(&b, "%d 0 %s %d sp=%#x\n", ns, kind, fn, 0x7000-fn*16)
		}
	}
	for round := range 20_000 {
		ns := round*100_000 + 10
		event(ns, 0, "entry")
		for i := range 2 {
			event(ns+5_000+i*20_000, 1, "entry")
			event(ns+15_000+i*20_000, 1, "return")
		}
		event(ns+50_000, 0, "return")
	}
	for _, s := range spans {
		fmt.Fprintf(&b, "window {\"set\": %d, \"from_ns\": %d, \"to_ns\": %d, \"off_ns\": %d, \"cpu_ns\": %d, \"all\": %v}\n",
			s.set, s.from, s.to, s.to+100_000, (s.to-s.from)/2, s.set == 2)
	}
	if always {
		b.WriteString("window {\"set\": 0, \"from_ns\": 0, \"to_ns\": 2000000000, \"off_ns\": 2000000000, \"cpu_ns\": 1000000000}\n")
	}
	b.WriteString("survey {\"module\": 0, \"funcs\": 2, \"cpu_ns\": 1000000000}\nend {\"stop\": {\"mono_ns\": 2000000000}}\n")
	return fromWholeText(t, b.String())
}

// A recorder that was killed leaves no end: the survey is as long as its windows.
func TestSurveyWithoutEnd(t *testing.T) {
	path := fromWholeText(t, `
meta {"max_overhead_percent": 5}
module {"path": "/bin/app"}
func {"name": "f", "module": 0, "addr": 1}
func {"name": "late", "module": 0, "addr": 2}
thread {"pid": 1, "tid": 1}
probe-set {"funcs": [0]}
probe-set {"funcs": [1]}
10 0 entry 0 sp=0x7000
20 0 return 0 sp=0x7000
60 0 entry 1 sp=0x7000
70 0 return 1 sp=0x7000
flush
window {"set": 0, "from_ns": 5, "to_ns": 25, "off_ns": 25}
window {"set": 0, "from_ns": 45, "to_ns": 50, "off_ns": 50}
survey {"module": 0, "funcs": 2}
flush
`)
	r, err := Report([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if f := rowOf(t, r, "f"); f.Calls != 2 || f.CallsError == 0 || f.Covered != 0.5 {
		t.Errorf("f: %+v", f.Stats)
	}
	if late := rowOf(t, r, "late"); late.Calls != 1 || late.CallsError != 0 { // the recorder did not come to write its window
		t.Errorf("late: %+v", late.Stats)
	}
}

// FuzzSurvey: whatever the windows, sets and calls of a trace are, every call is recorded once, no
// figure is out of its range, and all views have the same calls.
func FuzzSurvey(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed, uint8(20), uint8(60))
	}
	f.Fuzz(func(t *testing.T, seed uint64, windows, rows uint8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var b strings.Builder
		b.WriteString("meta {\"max_overhead_percent\": 5}\nmodule {\"path\": \"/a\"}\nmodule {\"path\": \"/b\"}\n")
		const funcs = 5
		for fn := range funcs {
			fmt.Fprintf(&b, "func {\"name\": \"f%d\", \"module\": %d, \"addr\": %d, \"static\": %q}\n", fn, fn%2, fn, []string{"", "p:x"}[fn/3])
		}
		b.WriteString("thread {\"pid\": 1, \"tid\": 1}\nthread {\"pid\": 1, \"tid\": 2}\n")
		entries := map[string]uint64{}
		now := 0
		for range rows {
			now += rng.IntN(30)
			fn, kind := rng.IntN(funcs), []string{"entry", "entry", "return", "tail-entry"}[rng.IntN(4)]
			if kind != "return" {
				entries[fmt.Sprintf("f%d", fn)]++
			}
			sp := ""
			if rng.IntN(4) > 0 {
				sp = fmt.Sprintf(" sp=%#x", 0x7000-16*rng.IntN(8))
			}
			fmt.Fprintf(&b, "%d %d %s %d%s\n", now, rng.IntN(2), kind, fn, sp)
		}
		b.WriteString("flush\n")
		for range 3 {
			fmt.Fprintf(&b, "probe-set {\"funcs\": [%d, %d, %d]}\n", rng.IntN(funcs), rng.IntN(funcs), rng.IntN(2*funcs))
		}
		for range windows {
			from := rng.IntN(now + 1)
			to := from + rng.IntN(100) - 5
			fmt.Fprintf(&b, "window {\"set\": %d, \"from_ns\": %d, \"to_ns\": %d, \"off_ns\": %d, \"cpu_ns\": %d, \"all\": %v}\n",
				rng.IntN(3), from, max(0, to), max(0, to+rng.IntN(40)-5), rng.IntN(100), rng.IntN(2) == 0)
		}
		for module := range rng.IntN(3) {
			fmt.Fprintf(&b, "survey {\"module\": %d, \"funcs\": 2, \"cpu_ns\": %d}\n", module, []uint64{rng.Uint64N(2000), math.MaxUint64}[rng.IntN(10)/9])
		}
		if rng.IntN(2) == 0 {
			fmt.Fprintf(&b, "end {\"stop\": {\"mono_ns\": %d}}\n", now)
		}
		path := fromWholeText(t, b.String())
		for _, opts := range []Options{{}, {From: time.Duration(now / 3), To: time.Duration(now / 2)}} {
			r, err := Report([]string{path}, opts)
			if err != nil {
				return
			}
			for i := range r.Rows {
				row := &r.Rows[i]
				if opts.To == 0 && row.Recorded != entries[row.Name] {
					t.Errorf("%s: %d calls recorded of %d", row.Name, row.Recorded, entries[row.Name])
				}
				if row.Covered < 0 || row.Covered > 1 || row.Total < 0 || row.Self < 0 || row.Cut > row.Incomplete || row.Incomplete > row.Recorded ||
					row.Quantile(500) > row.Quantile(990) || row.CallsError == 0 && row.Calls > row.Recorded {
					t.Errorf("%+v of\n%s", row, &b)
				}
			}
			if _, _, err := Profile([]string{path}, opts); err != nil {
				t.Error(err)
			}
			var calls, weights float64
			if _, err := EachCall([]string{path}, opts, func(c *Call) error {
				calls++
				weights += c.Weight
				return nil
			}); err != nil {
				t.Error(err)
			}
			estimate := 0.0
			for i := range r.Rows {
				estimate += float64(r.Rows[i].Calls)
			}
			if opts.To == 0 && math.Abs(estimate-weights) > float64(len(r.Rows))+1e-6*weights && weights < maxTimeNs {
				t.Errorf("weights of %v, but %v calls", weights, estimate)
			}
		}
	})
}
