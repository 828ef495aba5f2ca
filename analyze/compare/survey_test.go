package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// writeSurvey writes a trace of five functions that are called at random, and that utrace probes in
// a tenth of the time. A factor changes the duration of calls of one function, another their
// number.
func writeSurvey(t *testing.T, seed uint64, slower, more func(fn int) float64) string {
	t.Helper()
	const duration = 4_000_000_000
	rng := rand.New(rand.NewPCG(seed, 3))
	var b strings.Builder
	b.WriteString("meta {\"max_overhead_percent\":5}\nmodule {\"path\":\"/bin/app\"}\n")
	for fn := range 5 {
		fmt.Fprintf(&b, "func {\"name\":\"f%d\",\"module\":0,\"addr\":%d}\nthread {\"pid\":1,\"tid\":%d}\nprobe-set {\"funcs\":[%d]}\n", fn, fn+1, fn+1, fn)
	}
	windows := ""
	for fn := range 5 {
		from, to := 0, 0
		for now := 0.0; now < duration; {
			took := 20_000 * (0.5 + rng.Float64()) * slower(fn)
			if int(now) > to {
				from = int(now) + rng.IntN(90_000_000)
				to = from + 5_000_000
				windows += fmt.Sprintf("window {\"set\":%d,\"from_ns\":%d,\"to_ns\":%d,\"off_ns\":%d,\"cpu_ns\":%d,\"all\":true}\n", fn, from, to-500_000, to, to-500_000-from)
			}
			if int(now) >= from && int(now+took) <= to {
				fmt.Fprintf(&b, "%d %d entry %d sp=0x7000\n%d %d return %d sp=0x7000\n", int(now), fn, fn, int(now+took), fn, fn)
			}
			now += took + rng.ExpFloat64()*50_000/more(fn)
		}
		b.WriteString("flush\n")
	}
	fmt.Fprintf(&b, "%ssurvey {\"module\":0,\"funcs\":5,\"cpu_ns\":%d}\nend {\"stop\":{\"mono_ns\":%d}}\n", windows, duration, duration)
	return wholeTrace(t, b.String())
}

// Surveys of the same program differ by chance only. A function that takes twice as long, or is
// called three times as often, has changed.
func TestDiffOfSurveys(t *testing.T) {
	same := func(int) float64 { return 1 }
	for seed := range uint64(5) {
		before := writeSurvey(t, seed, same, same)
		if names := significantNames(diff(t, []string{before}, []string{writeSurvey(t, 100+seed, same, same)})); len(names) > 0 {
			t.Errorf("seed %d: significant: %v", seed, names)
		}
		c := diff(t, []string{before}, []string{writeSurvey(t, 200+seed, slower(2, 2), slower(3, 3))})
		i := slices.IndexFunc(c.Changes, func(ch Change) bool { return ch.Name == "f2" })
		if d := &c.Changes[i].Deltas[P50]; !d.Significant || math.Abs(d.Relative()-1) > 0.2 {
			t.Errorf("seed %d: P50 of f2: %+v", seed, d)
		}
		i = slices.IndexFunc(c.Changes, func(ch Change) bool { return ch.Name == "f3" })
		if d := &c.Changes[i].Deltas[Calls]; !d.Significant {
			t.Errorf("seed %d: calls of f3: %+v", seed, d)
		}
	}
}
