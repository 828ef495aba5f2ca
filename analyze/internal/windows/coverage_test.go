package windows

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"utrace/format"
)

// tables has two modules with two functions each; only the first has a survey.
func tables() *format.Tables {
	return &format.Tables{
		Modules: make([]format.Module, 2),
		Funcs: []format.Func{
			{Name: "a", Addr: 1}, {Name: "b", Addr: 2, USDT: "p:x"}, {Name: "script", USDT: "p:x"}, {Name: "other", Module: 1},
		},
		Surveys:   []format.Survey{{CPUNs: 500}, {CPUNs: 1000}},
		ProbeSets: []format.ProbeSet{{Funcs: []format.FuncID{0}}, {Funcs: []format.FuncID{0, 1, 1, 99}}},
	}
}

func coverage(t *testing.T, tables *format.Tables, durationNs, fromNs, toNs int64) *Coverage {
	t.Helper()
	c, err := New(tables, durationNs, fromNs, toNs)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The processor time in a window may be wrong by a fifth of the cost of the probes in it, or by as
// much as hits became dearer. IO calls are exact.
func TestSizeErrors(t *testing.T) {
	tb := tables()
	tb.Windows = []format.Window{
		{Set: 0, FromNs: 100, ToNs: 200, OffNs: 250, CPUNs: 100, CostNs: 50, IOCalls: 1},
		{Set: 0, FromNs: 800, ToNs: 900, OffNs: 900, CPUNs: 100, CostNs: 200, IOCalls: 1},
	}
	if w := coverage(t, tb, 1000, 0, 0).Of(0); len(w.SizeErrors) != 2 || w.SizeErrors[0] != 0.2*50/100 || w.SizeErrors[1] != 0.2*200/100 || math.Abs(w.SizeError()-0.25) > 1e-9 {
		t.Errorf("%+v, %v", w, w.SizeError())
	}
	for i := range 20 {
		tb.Calibrations = append(tb.Calibrations, format.Calibration{Sites: []format.SiteCost{{Entry: "nop", EntryNs: int64(1000 + i/10*500)}}})
	}
	if w := coverage(t, tb, 1000, 0, 0).Of(0); w.SizeErrors[0] != 0.5*50/100 {
		t.Errorf("%+v", w)
	}
	tb.Surveys[1].IOCalls, tb.Surveys[1].ByIO = 10, true
	if w := coverage(t, tb, 1000, 0, 0).Of(0); w.SizeErrors != nil || w.SizeError() != 0 {
		t.Errorf("%+v", w)
	}
}

// The last survey counts, sets add up, windows may be in any order, and backwards ones are skipped.
func TestWindows(t *testing.T) {
	tb := tables()
	tb.Windows = []format.Window{
		{Set: 1, FromNs: 600, ToNs: 700, OffNs: 710, CPUNs: 100, All: true},
		{Set: 0, FromNs: 100, ToNs: 200, OffNs: 250, CPUNs: 50},
		{Set: 0, FromNs: 900, ToNs: 800, OffNs: 990, CPUNs: 50},
		{Set: 0, FromNs: 240, ToNs: 260, OffNs: 270, CPUNs: 70}, // begins in another
	}
	c := coverage(t, tb, 1000, 0, 0)
	a, b := c.Of(0), c.Of(1)
	if a.Scale() != 1000.0/150 || b.Scale() != 10 || a.WholeScale != 10 || len(a.Sizes) != 2 || a.Size != 150 {
		t.Errorf("scales %v and %v, whole %v, sizes %v", a.Scale(), b.Scale(), a.WholeScale, a.Sizes)
	}
	for _, c := range []struct {
		from, to int64
		want     float64
	}{{0, 100, 0}, {0, 200, 0.5}, {150, 160, 1}, {150, 650, (50 + 50) / 500.0}, {650, 750, 0.5}, {800, 900, 0}} {
		if got := a.Within(c.from, c.to); got != c.want {
			t.Errorf("from %d to %d, %v is covered, want %v", c.from, c.to, got, c.want)
		}
	}
	if a.Share != (170+110)/1000.0 || b.Share != 0.11 {
		t.Errorf("shares %v and %v", a.Share, b.Share)
	}
	if c.Of(2) != b {
		t.Error("the script's function has not the windows of its probe")
	}
	if c.Of(3) != nil || c.Weight(3) != 1 || c.Weight(0) != 10 {
		t.Error("a function without a survey was probed all the time")
	}
	for start, want := range map[int64]Place{
		50:  {OffNs: 100, Windowed: true, Unfair: true},
		100: {OffNs: 270, Windowed: true},
		200: {OffNs: 270, Windowed: true},
		201: {OffNs: 270, Windowed: true, Unfair: true},
		265: {OffNs: 270, Windowed: true, Unfair: true},
		300: {OffNs: 600, Windowed: true, Unfair: true},
		700: {OffNs: 710, Windowed: true, Whole: true, Stratum: 1},
		705: {OffNs: 710, Windowed: true, Unfair: true, Stratum: 1},
		800: {OffNs: math.MaxInt64, Windowed: true, Unfair: true},
	} {
		if got := c.Place(0, start); got != want {
			t.Errorf("at %d: %+v, want %+v", start, got, want)
		}
	}
	if got := c.Place(3, 50); got != (Place{OffNs: math.MaxInt64}) {
		t.Errorf("without windows: %+v", got)
	}
	if c.Stands(0, Place{Windowed: true}) != a.Spans[0]/50 || c.Stands(0, Place{Windowed: true, Unfair: true}) != 0 || c.Stands(3, Place{}) != 1 {
		t.Error("wrong weights")
	}
}

// A window with all functions whose size was derived from its calls says nothing about their number.
// It still shows callers. Without another window, its size is better than none.
func TestDerivedWindow(t *testing.T) {
	tb := tables()
	tb.Windows = []format.Window{
		{Set: 0, FromNs: 100, ToNs: 200, OffNs: 200, CPUNs: 50},
		{Set: 1, FromNs: 600, ToNs: 700, OffNs: 700, CPUNs: 100, All: true, Rough: true},
		{Set: 0, FromNs: 800, ToNs: 900, OffNs: 900},              // of unknown size: it shares a stratum
		{Set: 1, FromNs: 920, ToNs: 940, OffNs: 940, Rough: true}, // with many functions, but not all
	}
	c := coverage(t, tb, 1000, 0, 0)
	a, b := c.Of(0), c.Of(1)
	if a.Size != 50 || a.Scale() != 20 || a.WholeScale != 10 || b.Size != 100 || b.Scale() != 10 {
		t.Errorf("sizes %v and %v, scales %v and %v, whole %v", a.Size, b.Size, a.Scale(), b.Scale(), a.WholeScale)
	}
	for start, want := range map[int64]Place{
		150: {OffNs: 200, Windowed: true},
		650: {OffNs: 700, Windowed: true, Unfair: true, Whole: true},
		850: {OffNs: 900, Windowed: true},
		930: {OffNs: 940, Windowed: true, Unfair: true},
	} {
		if got := c.Place(0, start); got != want {
			t.Errorf("at %d: %+v, want %+v", start, got, want)
		}
	}
	if c.Place(1, 650).Unfair {
		t.Error("the only window of a function is no sample")
	}
}

// If calls vary less by IO calls than by processor time, IO calls are the measure.
func TestWindowsByIO(t *testing.T) {
	tb := tables()
	tb.Surveys = []format.Survey{{TimeNs: 500, CPUNs: 900, IOCalls: 100}, {TimeNs: 1000, CPUNs: 1000, IOCalls: 400, ByIO: true}}
	tb.Windows = []format.Window{
		{Set: 0, FromNs: 100, ToNs: 200, OffNs: 200, CPUNs: 1, IOCalls: 20},
		{Set: 1, FromNs: 600, ToNs: 700, OffNs: 700, CPUNs: 500, IOCalls: 60, All: true, Rough: true},
	}
	c := coverage(t, tb, 1000, 0, 0)
	a, b := c.Of(0), c.Of(1)
	if a.Size != 20 || a.Scale() != 20 || b.Size != 60 || a.WholeScale != 400.0/60 {
		t.Errorf("sizes %v and %v, scale %v, whole %v", a.Size, b.Size, a.Scale(), a.WholeScale)
	}
	tb.Surveys[1].ByIO = false
	if a := coverage(t, tb, 1000, 0, 0).Of(0); a.Size != 1 {
		t.Errorf("size %v by processor time", a.Size)
	}
}

// Windows without a break are one interval. If they are nearly all of the recording, the function
// was probed all the time.
func TestWindowsWithoutBreak(t *testing.T) {
	tb := tables()
	tb.Windows = []format.Window{
		{Set: 0, FromNs: 5, ToNs: 300, OffNs: 300, CPUNs: 300}, {Set: 0, FromNs: 300, ToNs: 995, OffNs: 995, CPUNs: 695},
		{Set: 1, FromNs: 5, ToNs: 6, OffNs: 6},
	}
	if c := coverage(t, tb, 1000, 0, 0); c.Of(0) != nil {
		t.Errorf("%+v", c.Of(0))
	}
	tb.Windows[2].All = true
	known := coverage(t, tb, 1000, 0, 0)
	for start, want := range map[int64]bool{4: false, 5: true, 6: true, 7: false} {
		if got := known.CalleesKnown(0, known.Place(0, start), start); got != want {
			t.Errorf("callees known at %d: %v", start, got)
		}
	}
	if !known.CalleesKnown(3, known.Place(3, 7), 7) {
		t.Error("a module without a survey lacks callees")
	}
	tb.Windows[1].FromNs++
	if c := coverage(t, tb, 1000, 0, 0); c.Of(0) == nil {
		t.Error("a break is none")
	}
	tb.Windows[1].FromNs--
	tb.Windows[0].CPUNs = 200
	if c := coverage(t, tb, 1000, 0, 0); c.Of(0) == nil || c.Place(0, 10).OffNs != 995 {
		t.Error("a tenth of the time is missing")
	}
}

// Without processor times, and for a part of the time, time is the measure.
func TestWindowsByTime(t *testing.T) {
	tb := tables()
	tb.Windows = []format.Window{{Set: 0, FromNs: 100, ToNs: 200, OffNs: 200}, {Set: 0, FromNs: 500, ToNs: 700, OffNs: 700}}
	if w := coverage(t, tb, 1200, 0, 0).Of(0); w.Scale() != 4 {
		t.Errorf("scale %v, want 4", w.Scale())
	}
	tb.Windows[0].CPUNs, tb.Windows[1].CPUNs = 10, 10
	if w := coverage(t, tb, 1200, 400, 600).Of(0); w.Scale() != 2 || w.Share != 0.5 {
		t.Errorf("scale %v and share %v of a part, want 2 and 0.5", w.Scale(), w.Share)
	}
	if c := coverage(t, tb, 1200, 800, 900).Of(0); c.Scale() != 1 || c.Size != 0 {
		t.Errorf("scale %v without a window", c.Scale())
	}
}

// A stratum stands for the recording from half of the way to the one before, to half of the way to
// the next: in processor time, which the surveys tell. All together stand for all of it. Windows
// whose processor time is unknown stand for nothing.
func TestSpans(t *testing.T) {
	tb := tables()
	tb.Surveys = []format.Survey{{TimeNs: 500, CPUNs: 100}, {TimeNs: 1000, CPUNs: 1000}} // mostly in the second half
	tb.Windows = []format.Window{
		{Set: 0, FromNs: 100, ToNs: 200, OffNs: 200, CPUNs: 20},
		{Set: 0, FromNs: 300, ToNs: 400, OffNs: 400},
		{Set: 0, FromNs: 600, ToNs: 650, OffNs: 650, CPUNs: 90},
	}
	w := coverage(t, tb, 1000, 0, 0).Of(0)
	// Before: 20; between, from 40 to 280: 240; after, from 370: 630.
	for i, want := range []float64{20 + 20 + 120, 90 + 120 + 630} {
		if math.Abs(w.Spans[i]-want) > 1e-9 {
			t.Errorf("spans %v: %d is not %v", w.Spans, i, want)
		}
	}
}

// Neighbouring windows share a stratum if there are many.
func TestStrata(t *testing.T) {
	tb := tables()
	for i := range uint64(2 * NumStrata) {
		tb.Windows = append(tb.Windows, format.Window{Set: 0, FromNs: 100 * i, ToNs: 100*i + 10, OffNs: 100*i + 10, CPUNs: 10})
	}
	tb.Surveys = []format.Survey{{CPUNs: 100 * 2 * NumStrata}}
	c := coverage(t, tb, 100*2*NumStrata, 0, 0)
	w := c.Of(0)
	if len(w.Sizes) != NumStrata || w.Sizes[7] != 20 || c.Place(0, 705).Stratum != 3 {
		t.Errorf("%d strata, one of %v, a call in %d", len(w.Sizes), w.Sizes[7], c.Place(0, 705).Stratum)
	}
	sum := 0.0
	for _, span := range w.Spans {
		sum += span
	}
	if math.Abs(sum-w.All) > 1e-6 {
		t.Errorf("all strata stand for %v of %v", sum, w.All)
	}
}

// Windows of the same size have a stratum each. A small one shares it with a neighbour.
func TestSmallWindows(t *testing.T) {
	tb := tables()
	for i, size := range []uint64{100, 100, 1, 100, 2, 1, 100} {
		from := 100 * uint64(i)
		tb.Windows = append(tb.Windows, format.Window{Set: 0, FromNs: from, ToNs: from + 10, OffNs: from + 10, CPUNs: size})
	}
	w := coverage(t, tb, 1000, 0, 0).Of(0)
	if want := []float64{100, 100, 101, 103}; !slices.Equal(w.Sizes, want) {
		t.Errorf("strata of %v, want %v", w.Sizes, want)
	}
}

// Windows of few IO calls share strata, each of as many windows. These have 96 IO calls: strata of 50
// would be 2, and 8 are the least.
func TestWindowsOfFewIOCalls(t *testing.T) {
	tb := tables()
	for i := range uint64(24) {
		from := 100 * i
		tb.Windows = append(tb.Windows, format.Window{Set: 0, FromNs: from, ToNs: from + 10, OffNs: from + 10, CPUNs: 10, IOCalls: 1 + 6*(i%2)})
	}
	tb.Surveys = []format.Survey{{CPUNs: 2400, IOCalls: 9600, ByIO: true}}
	w := coverage(t, tb, 2400, 0, 0).Of(0)
	if want := []float64{9, 15, 9, 15, 9, 15, 9, 15}; !slices.Equal(w.Sizes, want) {
		t.Errorf("strata of %v, want %v", w.Sizes, want)
	}
}

// A trace from a stranger takes neither long nor too much memory: without a limit, this would not end
// before the time for tests is over.
func TestManyWindows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	tb := &format.Tables{Modules: make([]format.Module, 1), Surveys: []format.Survey{{CPUNs: 1 << 63}}}
	const funcs = 2000
	for fn := range funcs { // each function is in other sets
		tb.Funcs = append(tb.Funcs, format.Func{Addr: uint64(fn) + 1})
		tb.ProbeSets = append(tb.ProbeSets, format.ProbeSet{})
	}
	for set := range tb.ProbeSets {
		for range funcs {
			tb.ProbeSets[set].Funcs = append(tb.ProbeSets[set].Funcs, format.FuncID(rng.IntN(funcs)))
		}
	}
	for range 100_000 {
		from := rng.Uint64()
		tb.Windows = append(tb.Windows, format.Window{Set: format.SetID(rng.IntN(funcs)), FromNs: from, ToNs: from + 1, OffNs: rng.Uint64(), CPUNs: rng.Uint64()})
	}
	if _, err := New(tb, 1e9, 0, 0); err != nil {
		t.Log(err)
	}
	for i := range tb.Windows {
		tb.Windows[i].FromNs, tb.Windows[i].ToNs, tb.Windows[i].OffNs = uint64(i), uint64(i), uint64(i)
	}
	if _, err := New(tb, 1e9, 0, 0); err == nil {
		t.Error("no limit")
	}
}
