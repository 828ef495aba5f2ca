package opencalls

import (
	"math/rand/v2"
	"testing"

	"utrace/format"
)

// A Table is compared with a map, over functions with a place of their own and others.
func TestTable(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var table Table
		tops := map[format.FuncID]int32{}
		limit := []uint32{10, 1000, maxDirect + 5, 10 * maxDirect, 1 << 31}[seed%5]
		var open []format.FuncID
		for range 20_000 {
			fn := format.FuncID(rng.Uint32N(limit))
			if len(open) > 0 && rng.IntN(2) == 0 {
				fn = open[rng.IntN(len(open))]
			}
			want, ok := tops[fn]
			if !ok {
				want = None
			}
			top := table.Top(fn)
			if *top != want {
				t.Fatalf("seed %d: function %d has %d, want %d", seed, fn, *top, want)
			}
			if want != None && rng.IntN(2) == 0 {
				delete(tops, fn)
				*top = None
				continue
			}
			*top = int32(len(open))
			tops[fn] = *top
			open = append(open[max(0, len(open)-300):], fn)
		}
	}
}

// Functions that are not open any more take no room.
func TestTableForgets(t *testing.T) {
	var table Table
	for fn := range format.FuncID(1_000_000) {
		*table.Top(fn) = 0
		*table.Top(fn) = None
	}
	if len(table.direct) > maxDirect || len(table.slots) > maxIdleSlots {
		t.Errorf("%d and %d places", len(table.direct), len(table.slots))
	}
}
