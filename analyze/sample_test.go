package analyze

import (
	"cmp"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"utrace/format"
)

// population makes the calls of one function on a thread of its own.
type population struct {
	name     string
	duration func(*rand.Rand) float64 // of a call, in ns
	pauseNs  float64                  // between calls, on average, when the program is busy
	grace    float64                  // how long a window waits for its calls
	wide     bool                     // few calls take most of the time: intervals are wide
}

func populations() []population {
	return []population{
		{name: "constant", duration: func(*rand.Rand) float64 { return 10_000 }, pauseNs: 50_000, grace: 1e6},
		{name: "bimodal", duration: func(r *rand.Rand) float64 {
			if r.IntN(5) == 0 {
				return 2e6 * (0.9 + r.Float64()/5)
			}
			return 5_000 * (0.9 + r.Float64()/5)
		}, pauseNs: 200_000, grace: 1e6},
		{name: "lognormal", duration: func(r *rand.Rand) float64 { return 50_000 * math.Exp(r.NormFloat64()) }, pauseNs: 100_000, grace: 0},
		{name: "long", duration: func(r *rand.Rand) float64 { return 1.5e6 * math.Exp(r.NormFloat64()/2) }, pauseNs: 200_000, grace: 0},
		{name: "rare", duration: func(r *rand.Rand) float64 {
			if r.IntN(500) == 0 {
				return 100e6
			}
			return 10_000
		}, pauseNs: 100_000, grace: 110e6, wide: true},
	}
}

// busy is the load of the simulated program: it changes every 2 s.
func busy(ns float64) float64 {
	if int(ns/2e9)%2 == 0 {
		return 1
	}
	return 0.25
}

// cpuNs is the processor time up to a moment.
func cpuNs(ns float64) uint64 {
	whole := math.Floor(ns / 4e9)
	rest := ns - whole*4e9
	return uint64(whole*2.5e9 + min(rest, 2e9) + 0.25*max(0, rest-2e9))
}

const surveyNs = 20e9 // length of the simulated recordings

// truth is what all calls of a population were.
type truth struct {
	calls float64
	total float64
	list  []float64
}

// writeSurvey writes a trace of populations, each probed in random windows. It returns the truth.
func writeSurvey(t *testing.T, path string, seed uint64, list []population) []truth {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := format.NewWriter(f, format.Meta{Host: "test", MaxOverheadPercent: 5})
	if err != nil {
		t.Fatal(err)
	}
	m := w.AddModule(format.Module{Path: "/bin/app"})
	w.AddProcess(format.Process{PID: 1, Comm: "app"})
	var events []format.Event
	var all []format.Window
	truths := make([]truth, len(list))
	for i, p := range list {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		fn := w.AddFunc(format.Func{Name: p.name, Module: m, Addr: uint64(i+1) * 64})
		thread := w.AddThread(format.Thread{PID: 1, TID: i + 1})
		set := w.AddProbeSet(format.ProbeSet{Funcs: []format.FuncID{fn}})
		var windows []format.Window
		for from := rng.ExpFloat64() * 400e6; from < surveyNs-1e9; from += 150e6 + rng.ExpFloat64()*400e6 {
			to := from + 5e6 + rng.Float64()*25e6
			windows = append(windows, format.Window{Set: set, FromNs: uint64(from), ToNs: uint64(to), OffNs: uint64(to + p.grace), CPUNs: cpuNs(to) - cpuNs(from)})
			from = to + p.grace
		}
		at := 0
		for now := 0.0; now < surveyNs; {
			d := p.duration(rng)
			truths[i].calls++
			truths[i].total += d
			truths[i].list = append(truths[i].list, d)
			start, end := uint64(now), uint64(now+d)
			for at < len(windows) && windows[at].OffNs < start {
				at++
			}
			if at < len(windows) && windows[at].FromNs <= start {
				events = append(events, format.Event{TimeNs: start, Thread: thread, Func: fn, Kind: format.Entry, SP: 0x7000})
			}
			for k := at; k < len(windows) && windows[k].FromNs <= end; k++ {
				if end <= windows[k].OffNs {
					events = append(events, format.Event{TimeNs: end, Thread: thread, Func: fn, Kind: format.Return, SP: 0x7000})
				}
			}
			now += d + rng.ExpFloat64()*p.pauseNs/busy(now)
		}
		all = append(all, windows...)
	}
	slices.SortStableFunc(events, func(a, b format.Event) int { return cmp.Compare(a.TimeNs, b.TimeNs) })
	for i := range events {
		if err := w.Append(&events[i]); err != nil {
			t.Fatal(err)
		}
		if i%10_000 == 0 {
			w.Flush()
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, win := range all { // after the events that they are of
		w.AddWindow(win)
	}
	for at := uint64(5e8); at <= surveyNs; at += 5e8 {
		w.AddSurvey(format.Survey{Module: m, TimeNs: at, Funcs: len(list), CPUNs: cpuNs(float64(at)), CostNs: cpuNs(float64(at)) / 50})
	}
	if err := w.Close(format.End{Stop: format.Anchor{MonoNs: surveyNs, WallNs: surveyNs}, Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	return truths
}

// In simulated surveys of programs with phases, the intervals of calls and totals have the truth in
// at least 90% of the cases, and percentiles are within 15%. Where few calls take most of the time,
// a window may have none of these: then totals have it in 80%.
func TestSurveyEstimates(t *testing.T) {
	const runs = 40
	list := populations()
	calls, totals := make([]int, len(list)), make([]int, len(list))
	for run := range runs {
		path := filepath.Join(t.TempDir(), "trace")
		truths := writeSurvey(t, path, uint64(run), list)
		r, err := Report([]string{path}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			at := slices.IndexFunc(r.Rows, func(row Row) bool { return row.Name == list[i].name })
			if at < 0 {
				t.Fatalf("no row of %s", list[i].name)
			}
			row, want := &r.Rows[at], &truths[i]
			t.Logf("%s: calls %d±%d of %.0f, total %v±%v of %v, recorded %d, cut %d, covered %.3f", row.Name, row.Calls, row.CallsError, want.calls,
				row.Total, row.TotalError, time.Duration(want.total), row.Recorded, row.Cut, row.Covered)
			if math.Abs(float64(row.Calls)-want.calls) <= float64(row.CallsError) {
				calls[i]++
			}
			if math.Abs(float64(row.Total)-want.total) <= float64(row.TotalError) || row.MeanAtLeast() {
				totals[i]++
			}
			slices.Sort(want.list)
			for _, q := range []uint64{500, 900} {
				exact := want.list[int(float64(len(want.list))*float64(q)/1000)]
				if got := float64(row.Quantile(q)); row.Recorded >= 200 && (row.QuantileAtLeast(q) || math.Abs(got/exact-1) > 0.15) {
					t.Errorf("%s: quantile %d is %.0f, want %.0f", row.Name, q, got, exact)
				}
			}
			if row.CallsError == 0 || !list[i].wide && float64(row.CallsError) > want.calls*2/3 {
				t.Errorf("%s: an error of %d of %.0f calls", row.Name, row.CallsError, want.calls)
			}
		}
	}
	for i, p := range list {
		t.Logf("%s: calls %d, totals %d of %d", p.name, calls[i], totals[i], runs)
		if want := runs * 9 / 10; calls[i] < want || totals[i] < want && (!p.wide || totals[i] < runs*8/10) {
			t.Errorf("%s: the intervals of calls have the truth in %d, those of totals in %d of %d runs", p.name, calls[i], totals[i], runs)
		}
	}
}
