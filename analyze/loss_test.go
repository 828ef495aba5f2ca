package analyze

import (
	"math/rand/v2"
	"slices"
	"testing"

	"utrace/format"
)

// Windows must be in order and apart, hold every loss and its counts, and touch what a loss touches and, where they come
// nearly in order, nothing else.
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
