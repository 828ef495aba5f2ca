package analyze

import (
	"math/bits"
	"path/filepath"
	"testing"
	"time"
)

// TestHeatmap compares every cell with the flow of the same trace, alone and twice, and cut by
// time.
func TestHeatmap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	writeCalls(t, path, 100_000, 3)
	for _, opts := range []Options{{}, {Min: 2000}, {From: 5 * time.Millisecond, To: 9 * time.Millisecond}} {
		all := flowCalls(t, path, opts)
		for times, paths := range [][]string{{path}, {path, path}} {
			maps, _, err := Heatmaps(paths, opts)
			if err != nil || len(maps) == 0 {
				t.Fatal(len(maps), err)
			}
			type cell struct {
				fn        string
				low, from time.Duration
			}
			got := map[cell]uint64{}
			slice := map[string]time.Duration{}
			for i := range maps {
				m := &maps[i]
				slice[m.Name] = m.Slice
				if m.From != opts.From || m.Slices < 1 || m.Slices > HeatmapSlices {
					t.Fatalf("%s: from %v, %d slices", m.Name, m.From, m.Slices)
				}
				for r := range m.Rows {
					if r > 0 && m.Rows[r].Low != m.Rows[r-1].High+1 {
						t.Errorf("row %v follows %v", m.Rows[r].Low, m.Rows[r-1].High)
					}
					for s, n := range m.Rows[r].Calls {
						if n > 0 {
							got[cell{m.Name, m.Rows[r].Low, time.Duration(s) * m.Slice}] += n
						}
					}
				}
			}
			want := map[cell]uint64{}
			for _, c := range all {
				if c.incomplete {
					continue
				}
				low := time.Duration(1) << (bits.Len64(uint64(c.duration)) - 1)
				if low == 1 {
					low = 0
				}
				w := slice[c.fn]
				want[cell{c.fn, low, (c.start - opts.From) / w * w}] += uint64(times + 1)
			}
			if len(got) != len(want) {
				t.Errorf("%d cells, want %d", len(got), len(want))
			}
			for c, n := range want {
				if got[c] != n {
					t.Errorf("%+v: %d calls, want %d", c, got[c], n)
				}
			}
		}
	}
}
