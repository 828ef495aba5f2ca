package compare

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/analyze"
	"utrace/format"
)

func diff(t *testing.T, before, after []string) *Comparison {
	t.Helper()
	c, err := Diff(before, after, analyze.Options{}, 0.05)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func texts(c *Comparison) (texts []string) {
	for _, w := range c.Warnings {
		texts = append(texts, w.String())
	}
	return texts
}

func significantNames(c *Comparison) (names []string) {
	for i := range c.Changes {
		if c.Changes[i].Significant() {
			names = append(names, c.Changes[i].Name)
		}
	}
	return names
}

func TestDiffFindsWhatChanged(t *testing.T) {
	all := func(int) float64 { return 1.15 }
	for name, c := range map[string]struct {
		factor func(int) float64
		want   []string
		shift  float64
	}{
		"nothing":            {nil, nil, 0},
		"one":                {slower(3, 1.2), []string{"f3"}, 0},
		"one is faster":      {slower(5, 0.8), []string{"f5"}, 0},
		"too little to care": {slower(3, 1.03), nil, 0},
		"the machine":        {all, nil, 0.15},
		"both":               {func(fn int) float64 { return 1.15 * slower(2, 1.25)(fn) }, []string{"f2"}, 0.15},
	} {
		t.Run(name, func(t *testing.T) {
			before := workload{funcs: 8, rounds: 2000, seed: 1}
			after := workload{funcs: 8, rounds: 2000, seed: 2, factor: c.factor}
			got := diff(t, []string{before.write(t, "old")}, []string{after.write(t, "new")})
			if names := significantNames(got); !slices.Equal(names, c.want) {
				t.Errorf("significant: %v, want %v", names, c.want)
			}
			if len(c.want) > 0 && got.Changes[0].Name != c.want[0] {
				t.Errorf("%s comes first", got.Changes[0].Name)
			}
			if shift := got.Shifts[P50]; math.Abs(shift-c.shift) > 0.02 {
				t.Errorf("shift %v, want %v", shift, c.shift)
			}
		})
	}
}

// The corrected time of short calls has the error of the subtracted cost. A change counts if it is
// larger than that error can be, and only then.
func TestDiffOfShortCalls(t *testing.T) {
	lasts := []float64{200, 400, 20_000, 50_000, 100_000}
	runs := func(seed uint64, inside int64, factor func(int) float64, n int) (paths []string) {
		for i := range n {
			wl := workload{funcs: len(lasts), rounds: 500, seed: seed + uint64(i), lasts: lasts, probes: 1500, inside: inside, factor: factor}
			paths = append(paths, wl.write(t, fmt.Sprint(i)))
		}
		return paths
	}
	for _, c := range []struct {
		factor func(int) float64
		want   []string
	}{
		{nil, nil},
		{slower(3, 1.25), []string{"f3"}},
		{slower(1, 10), []string{"f1"}},
	} {
		for _, n := range []int{1, 3} {
			got := diff(t, runs(1, 1500, nil, n), runs(10, 1440, c.factor, n))
			if names := significantNames(got); !slices.Equal(names, c.want) {
				t.Errorf("%d a side: significant: %v, want %v", n, names, c.want)
			}
			for i := range got.Changes {
				if ch := &got.Changes[i]; ch.BelowResolution() != (ch.Name == "f0") {
					t.Errorf("%s is below what can be resolved: %v", ch.Name, ch.BelowResolution())
				}
			}
		}
	}
}

// If the cost of probes is known for some of the traces only, all are compared as measured.
func TestDiffOfUnmeasured(t *testing.T) {
	write := func(seed uint64, inside int64, factor func(int) float64) string {
		wl := workload{funcs: 6, rounds: 500, seed: seed, probes: 20_000, inside: inside, factor: factor}
		return wl.write(t, fmt.Sprint(seed))
	}
	known, other, unknown := write(1, 20_000, nil), write(2, 20_000, nil), write(3, 0, nil)
	for _, c := range []struct {
		before, after []string
		unmeasured    string
	}{
		{[]string{known}, []string{other}, ""},
		{[]string{unknown}, []string{write(4, 0, nil)}, ""},
		{[]string{known}, []string{unknown}, unknown},
		{[]string{unknown}, []string{known}, unknown},
		{[]string{known, unknown}, []string{other}, unknown},
	} {
		got := diff(t, c.before, c.after)
		if names := significantNames(got); len(names) > 0 {
			t.Errorf("%v, %v: significant: %v", c.before, c.after, names)
		}
		raw := c.unmeasured != ""
		if got.Old.Probes.Raw != raw || got.New.Probes.Raw != raw {
			t.Errorf("%v, %v: raw: %v, %v", c.before, c.after, got.Old.Probes.Raw, got.New.Probes.Raw)
		}
		warned := slices.ContainsFunc(got.Warnings, func(w analyze.Warning) bool {
			return strings.Contains(w.Text, "not measured in "+c.unmeasured+":")
		})
		if warned != raw || len(got.Warnings) > 1 {
			t.Errorf("%v, %v: %q", c.before, c.after, got.Warnings)
		}
	}
	if got := diff(t, []string{known}, []string{write(5, 0, slower(3, 2))}); !slices.Equal(significantNames(got), []string{"f3"}) {
		t.Errorf("significant: %v", significantNames(got))
	}
}

// Calls that are missing because a function was probed in a window, or events were lost, are no
// change: neither of the function nor of its callers' self time.
func TestDiffOfParts(t *testing.T) {
	const rounds = 1000
	write := func(seed uint64, recorded int, end string) string {
		var b strings.Builder
		b.WriteString("meta {\"max_overhead_percent\":5}\nmodule {\"path\":\"/bin/app\"}\n")
		names := []string{"outer", "hot", "steady", "other", "more"}
		for i, fn := range names {
			fmt.Fprintf(&b, "func {\"name\":%q,\"module\":0,\"addr\":%d}\n", fn, i)
		}
		b.WriteString("thread {\"pid\":1,\"tid\":1}\n")
		rng := rand.New(rand.NewPCG(seed, 1))
		now, missing := 0, 0
		for round := range rounds {
			fmt.Fprintf(&b, "%d 0 entry 0 sp=0x7000\n", now)
			now += 5000 + rng.IntN(500)
			for fn := 1; fn < len(names); fn++ {
				from := now
				now += 10_000*fn + rng.IntN(1000)
				if fn == 1 && round == recorded {
					missing = from
				}
				if fn > 1 || round < recorded {
					fmt.Fprintf(&b, "%d 0 entry %d sp=0x6000\n%d 0 return %d sp=0x6000\n", from, fn, now, fn)
				}
			}
			fmt.Fprintf(&b, "%d 0 return 0 sp=0x7000\n", now)
		}
		b.WriteString(strings.NewReplacer("FROM", fmt.Sprint(missing), "TO", fmt.Sprint(now), "N", fmt.Sprint(rounds-recorded)).Replace(end))
		return wholeTrace(t, b.String())
	}
	runs := func(n, recorded int, end string) (paths []string) {
		for i := range n {
			paths = append(paths, write(uint64(recorded+i), recorded, end))
		}
		return paths
	}
	for name, end := range map[string]string{
		"survey": `survey {"module":0,"funcs":1,"cpu_ns":TO}
probe-set {"funcs":[1]}
window {"set":0,"from_ns":0,"to_ns":FROM,"off_ns":FROM,"cpu_ns":FROM}
end {}
`,
		"lost": `loss {"cpu":0,"first_ns":FROM,"last_ns":TO,"entries":N,"returns":N}
end {"lost":N,"func_lost":[{"func":1,"entries":N,"returns":N}]}
`,
	} {
		one, many := runs(1, 400, end), runs(3, 400, end)
		all, manyAll := runs(1, rounds, "end {}\n"), runs(3, rounds, "end {}\n")
		for _, sides := range [][2][]string{{all, one}, {one, all}, {manyAll, many}, {many, manyAll}} {
			c := diff(t, sides[0], sides[1])
			if names := significantNames(c); len(names) > 0 {
				t.Errorf("%s, %d a side: significant: %v", name, len(sides[0]), names)
			}
			for i := range c.Changes {
				ch := &c.Changes[i]
				for m, want := range map[Metric]bool{Calls: false, Total: false, Self: name == "survey" && ch.Addr <= 1, P50: false} {
					if ch.Deltas[m].Unlike != want {
						t.Errorf("%s: %s of %s is a bound: %v", name, m, ch.Name, !want)
					}
				}
				if !ch.Deltas[P50].Tested {
					t.Errorf("%s: P50 of %s was not tested", name, ch.Name)
				}
			}
			threshold, err := ParseThreshold("hot: self < -10%")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := threshold.Check(c); (err != nil) != (name == "survey") || err != nil && !strings.Contains(err.Error(), "a higher limit on the overhead") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// A warning says that the recordings of one side are longer: then more calls are no change of the
// program.
func TestDiffOfOtherDurations(t *testing.T) {
	side := func(seed uint64, stops ...time.Duration) (paths []string) {
		for i, stop := range stops {
			wl := workload{funcs: 2, rounds: 100, seed: seed + uint64(i), stop: stop * time.Second}
			paths = append(paths, wl.write(t, fmt.Sprint(i)))
		}
		return paths
	}
	const warning = "recordings of 10.000 s on average are compared with recordings of 30.000 s: calls, total and self time are per recording"
	for _, c := range []struct {
		before, after []time.Duration
		want          []string
	}{
		{[]time.Duration{10, 9, 11}, []time.Duration{30, 29, 31}, []string{warning}},
		{[]time.Duration{10, 10, 10}, []time.Duration{10, 10, 10}, nil},
		{[]time.Duration{10, 40, 30}, []time.Duration{50, 20, 40}, nil},       // the runs of a side differ as much
		{[]time.Duration{100, 100, 100}, []time.Duration{102, 102, 102}, nil}, // too little to matter
		{[]time.Duration{10}, []time.Duration{30}, nil},                       // a change of all functions counts as the machine's
	} {
		if got := diff(t, side(1, c.before...), side(10, c.after...)); !slices.Equal(texts(got), c.want) {
			t.Errorf("%v, %v: %q", c.before, c.after, got.Warnings)
		}
	}
	got := diff(t, side(1, 10, 20), side(10, 30, 40))
	if want := []time.Duration{10 * time.Second, 20 * time.Second}; !slices.Equal(got.Old.Durations, want) {
		t.Errorf("durations %v, want %v", got.Old.Durations, want)
	}
}

func pattern(t *testing.T, text string) *analyze.Pattern {
	t.Helper()
	p, err := analyze.ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Functions that are chosen to be shown are judged as they are among all functions.
func TestDiffOfSomeFunctions(t *testing.T) {
	old := (&workload{funcs: 8, rounds: 2000, seed: 1}).write(t, "old")
	slow := (&workload{funcs: 8, rounds: 2000, seed: 2, factor: func(int) float64 { return 1.2 }}).write(t, "new")
	all := diff(t, []string{old}, []string{slow})
	some, err := Diff([]string{old}, []string{slow}, analyze.Options{Function: pattern(t, "f[23]")}, 0.05)
	if err != nil {
		t.Fatal(err)
	}
	none, err := Diff([]string{old}, []string{slow}, analyze.Options{Function: pattern(t, "g*")}, 0.05)
	if err != nil || len(none.Changes) != 0 || !strings.Contains(strings.Join(texts(none), ";"), "no call matches") {
		t.Errorf("functions that there are not: %v, %+v", err, none)
	}
	if len(some.Changes) != 2 || len(significantNames(some)) != 0 || !reflect.DeepEqual(some.Shifts, all.Shifts) {
		t.Errorf("%d functions, significant: %v, shifts %v, of all %v", len(some.Changes), significantNames(some), some.Shifts, all.Shifts)
	}
	for i := range some.Changes {
		at := slices.IndexFunc(all.Changes, func(ch Change) bool { return ch.Name == some.Changes[i].Name })
		if !reflect.DeepEqual(some.Changes[i].Deltas, all.Changes[at].Deltas) {
			t.Errorf("%s: %+v, among all %+v", some.Changes[i].Name, some.Changes[i].Deltas, all.Changes[at].Deltas)
		}
	}
}

// With enough traces a side, the runs themselves show the noise. A change of all functions is one
// of the program. A change of one function that comes and goes from run to run is none.
func TestDiffOfSeveralRuns(t *testing.T) {
	side := func(seed uint64, factors ...func(int) float64) (paths []string) {
		for i, factor := range factors {
			wl := workload{funcs: 4, rounds: 500, seed: seed + uint64(i), factor: factor}
			paths = append(paths, wl.write(t, fmt.Sprint(i)))
		}
		return paths
	}
	same := func(int) float64 { return 1 }
	all := func(int) float64 { return 1.15 }
	restless := func(factor float64) func(int) float64 { return slower(1, factor) }
	if c := diff(t, side(1, same, same, same, same), side(10, all, all, all, all)); len(significantNames(c)) != 4 || !c.ByRuns || len(c.Shifts) != 0 {
		t.Errorf("all functions are slower: %v, shifts %v", significantNames(c), c.Shifts)
	}
	old := side(20, restless(1), restless(1.6), restless(1.1), restless(1.4))
	if c := diff(t, old, side(30, restless(1.7), restless(1.2), restless(1.9), restless(1.3))); len(significantNames(c)) != 0 {
		t.Errorf("%v differs from run to run", significantNames(c))
	}
	// Figures are per trace.
	c := diff(t, side(1, same, same), side(1, same))
	for i := range c.Changes {
		if d := c.Changes[i].Deltas[Calls]; d.Old != 500 || d.New != 500 {
			t.Errorf("%s: %d and %d calls a trace", c.Changes[i].Name, d.Old, d.New)
		}
	}
}

// Percentiles of slow calls are not compared with those of all calls. Calls and times are of all
// calls on both sides.
func TestDiffOfKeptCalls(t *testing.T) {
	const slow = 45 * time.Microsecond // some calls of f3, and all of the longer ones
	all := (&workload{funcs: 8, rounds: 2000, seed: 1}).write(t, "all")
	kept := (&workload{funcs: 8, rounds: 2000, seed: 1, keep: slow}).write(t, "kept")
	other := (&workload{funcs: 8, rounds: 2000, seed: 2, keep: slow, factor: slower(6, 1.3)}).write(t, "other")
	c := diff(t, []string{all}, []string{kept})
	if len(significantNames(c)) > 0 {
		t.Errorf("significant: %v", significantNames(c))
	}
	if text := strings.Join(texts(c), "; "); !strings.Contains(text, "of all calls in the old and of calls of at least 45.000 us in the new") {
		t.Errorf("warnings: %s", text)
	}
	for i := range c.Changes {
		ch := &c.Changes[i]
		for _, m := range []Metric{Calls, Total, Self, Avg} {
			if d := &ch.Deltas[m]; math.Abs(d.Relative()) > 0.001 {
				t.Errorf("%s: %s of %d and %d", ch.Name, m, d.Old, d.New)
			}
		}
		if dropped := ch.New.Dropped > 0; dropped == ch.Deltas[P50].Tested {
			t.Errorf("%s: %d calls dropped, P50 tested: %v", ch.Name, ch.New.Dropped, ch.Deltas[P50].Tested)
		}
	}
	for i := range c.Changes {
		if own := ownShare(c.Changes[i].New); own > 1 {
			t.Errorf("%s: a share of %v of its time is its own", c.Changes[i].Name, own)
		}
	}
	threshold, err := ParseThreshold("f1: p50 > +10%")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := threshold.Check(c); err == nil || !strings.Contains(err.Error(), "record all calls") {
		t.Errorf("a threshold of what cannot be compared: %v", err)
	}
	// The table has the figures that include dropped calls, as the report does.
	if d := &c.Changes[slices.IndexFunc(c.Changes, func(ch Change) bool { return ch.Name == "f0" })]; d.New.Durations.Count() != 0 || d.Deltas[Total].New == 0 {
		t.Errorf("f0, of which all calls were dropped: %+v", d.Deltas[Total])
	}
	// If all calls were slow, a trace of slow calls has all.
	if c := diff(t, []string{all}, []string{(&workload{funcs: 8, rounds: 2000, seed: 1, keep: 1}).write(t, "slow")}); len(c.Warnings) > 0 {
		t.Errorf("%q", c.Warnings)
	}
	// Calls kept under another condition are not compared.
	if c := diff(t, []string{kept}, []string{(&workload{funcs: 8, rounds: 2000, seed: 1, keep: slow + 1000}).write(t, "slower")}); len(c.Warnings) == 0 {
		t.Error("no warning of another least duration")
	}
	// Calls kept under the same condition are compared.
	if c := diff(t, []string{kept}, []string{other}); len(c.Warnings) > 0 || !slices.Equal(significantNames(c), []string{"f6"}) {
		t.Errorf("significant: %v, warnings: %v", significantNames(c), c.Warnings)
	}
}

func TestDiffFigures(t *testing.T) {
	before := wholeTrace(t, `
meta {}
module {"path":"/v1/app"}
func {"name":"stays","module":0,"addr":1}
func {"name":"goes","module":0,"addr":2}
thread {"pid":1,"tid":1}
0 0 entry 0 sp=0x7000
10 0 entry 0 sp=0x6000
30 0 return 0 sp=0x6000
100 0 return 0 sp=0x7000
100 0 entry 1 sp=0x7000
150 0 return 1 sp=0x7000
`)
	after := wholeTrace(t, `
meta {}
module {"path":"/v2/app"}
func {"name":"comes","module":0,"addr":1}
func {"name":"stays","module":0,"addr":2}
thread {"pid":1,"tid":1}
0 0 entry 1 sp=0x7000
300 0 return 1 sp=0x7000
300 0 entry 0 sp=0x7000
301 0 return 0 sp=0x7000
`)
	c := diff(t, []string{before}, []string{after})
	if len(c.Changes) != 3 || len(significantNames(c)) != 0 {
		t.Fatalf("%+v", c.Changes)
	}
	got := map[string][numMetrics][2]int64{}
	for i := range c.Changes {
		ch := &c.Changes[i]
		var values [numMetrics][2]int64
		for m := range ch.Deltas {
			values[m] = [2]int64{ch.Deltas[m].Old, ch.Deltas[m].New}
		}
		got[fmt.Sprint(ch.Name, ch.Old != nil, ch.New != nil)] = values
	}
	want := map[string][numMetrics][2]int64{
		"staystrue true":  {{2, 1}, {100, 300}, {100, 300}, {60, 300}, {20, 300}, {100, 300}, {100, 300}, {100, 300}},
		"goestrue false":  {{1, 0}, {50, 0}, {50, 0}, {50, 0}, {50, 0}, {50, 0}, {50, 0}, {50, 0}},
		"comesfalse true": {{0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if _, err := Diff([]string{before}, []string{"/does/not/exist"}, analyze.Options{}, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// wholeTrace makes a trace of its text.
func wholeTrace(t testing.TB, text string) string {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "trace"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := format.ReadText(strings.NewReader(text), out); err != nil {
		t.Fatal(err)
	}
	return out.Name()
}
