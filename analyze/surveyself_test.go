package analyze

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

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
