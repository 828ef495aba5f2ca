package analyze

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

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
