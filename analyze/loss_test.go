package analyze

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"utrace/format"
)

// Windows must be in order, must not overlap, and must hold every loss with its counts. They must
// touch all that a loss touches and, if losses come nearly in order, nothing else.
func TestLossWindows(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var losses []format.Loss
		for i := range 300 {
			first := uint64(i*20 + rng.IntN(60))
			if seed%10 == 0 {
				first = rng.Uint64N(6000)
			}
			losses = append(losses, format.Loss{FirstNs: first, LastNs: first + rng.Uint64N(15), Entries: 1, Returns: 2})
		}
		w := lossWindows{of: ofEvents}
		for n := range losses {
			w.add(losses[:n+1])
		}
		var entries, returns uint64
		for i, l := range w.list {
			entries, returns = entries+l.Entries, returns+l.Returns
			if l.From > l.To || i > 0 && l.From <= w.list[i-1].To {
				t.Fatalf("seed %d: windows %v", seed, w.list)
			}
		}
		if entries != 300 || returns != 600 {
			t.Fatalf("seed %d: %d entries, %d returns", seed, entries, returns)
		}
		for range 1000 {
			from := rng.Int64N(6200)
			to := from + rng.Int64N(30)
			want := slices.ContainsFunc(losses, func(l format.Loss) bool { return int64(l.FirstNs) <= to && int64(l.LastNs) >= from })
			if got := w.touch(from, to); got != want && (want || seed%10 != 0) {
				t.Fatalf("seed %d: %d to %d touched: %v, want %v", seed, from, to, got, want)
			}
		}
	}
}

// TestUncertainRecursion: of nested uncertain calls, the outermost counts in the total time, also
// inside a call that is not complete.
func TestUncertainRecursion(t *testing.T) {
	for last, total := range map[string]time.Duration{"500 0 return 0 sp=0x1000\n": 400, "": 200} {
		path := fromText(t, `module {"path": "/bin/prog"}
func {"name": "f", "module": 0, "addr": 1}
process {"pid": 1, "comm": "prog"}
thread {"pid": 1, "tid": 1, "comm": "prog"}
loss {"cpu":0,"first_ns":300,"last_ns":310,"entries":1,"returns":1}
100 0 entry 0 sp=0x1000
200 0 entry 0 sp=0xf00
400 0 return 0 sp=0xf00
`+last+"end {}")
		r, err := Report([]string{path}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		row := &r.Rows[0]
		if row.UncertainTotal != total || row.Total != total || row.Uncertain != 1+uint64(len(last)/20) {
			t.Errorf("%d uncertain calls, which took %v, %v of the total %v", row.Uncertain, row.UncertainTime, row.UncertainTotal, row.Total)
		}
	}
}
