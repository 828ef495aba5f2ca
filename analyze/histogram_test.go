package analyze

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"
)

// shapes are distributions of durations.
func shapes() map[string]func(*rand.Rand) float64 {
	list := map[string]func(*rand.Rand) float64{
		"zero":        func(*rand.Rand) float64 { return 0 },
		"one":         func(*rand.Rand) float64 { return 1 },
		"constant":    func(*rand.Rand) float64 { return 12345 },
		"constant63":  func(*rand.Rand) float64 { return 63 },
		"constant64":  func(*rand.Rand) float64 { return 64 },
		"constant127": func(*rand.Rand) float64 { return 127 },
		"constant128": func(*rand.Rand) float64 { return 128 },
		"constant129": func(*rand.Rand) float64 { return 129 },
		"tiny":        func(r *rand.Rand) float64 { return float64(r.IntN(8)) },
		"below256":    func(r *rand.Rand) float64 { return float64(r.IntN(256)) },
		"huge":        func(r *rand.Rand) float64 { return 1e17 * (1 + r.Float64()) },
		"all":         func(r *rand.Rand) float64 { return math.Exp2(r.Float64() * 59) },
		"uniform":     func(r *rand.Rand) float64 { return r.Float64() * 1e6 },
		"narrow":      func(r *rand.Rand) float64 { return 1e9 + r.Float64()*1000 },
		"exponential": func(r *rand.Rand) float64 { return r.ExpFloat64() * 5e4 },
		"bimodal": func(r *rand.Rand) float64 {
			if r.IntN(10) == 0 {
				return 1e8 + r.NormFloat64()*1e6
			}
			return 500 + r.NormFloat64()*20
		},
		"outlier": func(r *rand.Rand) float64 {
			if r.IntN(1000) == 0 {
				return 1e12
			}
			return 100
		},
	}
	for _, sigma := range []float64{0.1, 1, 3} {
		list[fmt.Sprint("lognormal", sigma)] = func(r *rand.Rand) float64 { return math.Exp(10 + sigma*r.NormFloat64()) }
	}
	for _, alpha := range []float64{0.8, 1.2, 3} {
		list[fmt.Sprint("pareto", alpha)] = func(r *rand.Rand) float64 { return 200 / math.Pow(1-r.Float64(), 1/alpha) }
	}
	return list
}

// Quantiles must be within 1% of the exact ones; count, sum, minimum and maximum must be exact,
// whether the values went into one histogram or into several.
func TestHistogramAgainstSortedData(t *testing.T) {
	for name, shape := range shapes() {
		for _, n := range []int{1, 2, 3, 10, 999, 1000, 20000} {
			rng := rand.New(rand.NewPCG(7, uint64(n)))
			var whole Histogram
			var parts [3]Histogram
			var values []time.Duration
			sum := time.Duration(0)
			for i := range n {
				d := time.Duration(min(max(shape(rng), 0), 1e18))
				values = append(values, d)
				if n > 1000 {
					d = min(d, 1e14)
					values[i] = d
				}
				sum += d
				whole.Add(d)
				parts[i%3].Add(d)
			}
			var merged Histogram
			for i := range parts {
				merged.Merge(&parts[i])
			}
			slices.Sort(values)
			for _, h := range []*Histogram{&whole, &merged} {
				if h.Count() != uint64(n) || h.Sum() != sum || h.Min() != values[0] || h.Max() != values[n-1] || h.Mean() != sum/time.Duration(n) {
					t.Fatalf("%s of %d: count %d sum %d min %d max %d mean %d", name, n, h.Count(), h.Sum(), h.Min(), h.Max(), h.Mean())
				}
				for _, perMille := range []uint64{0, 1, 250, 500, 900, 990, 999, 1000} {
					rank := max(1, (perMille*uint64(n)+999)/1000)
					want := values[rank-1]
					got := h.Quantile(perMille)
					if math.Abs(float64(got-want)) > 0.01*float64(want) {
						t.Errorf("%s of %d: quantile %d is %d, want %d", name, n, perMille, got, want)
					}
				}
			}
		}
	}
}

func TestHistogramEmpty(t *testing.T) {
	var h, other Histogram
	h.Merge(&other)
	if h.Count() != 0 || h.Min() != 0 || h.Max() != 0 || h.Mean() != 0 || h.Quantile(500) != 0 {
		t.Error("an empty histogram has values")
	}
}

// TestOctaves: the counts are by binary digits, and Longest chooses no more than its limit.
func TestOctaves(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var h Histogram
	var want [octaves]uint64
	var values []time.Duration
	for range 10_000 {
		v := rng.Int64() >> rng.IntN(63)
		want[max(1, len(strconv.FormatInt(v, 2)))-1]++
		h.Add(time.Duration(v))
		values = append(values, time.Duration(v))
	}
	if got := h.Octaves(); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	for _, most := range []uint64{1, 10, 100, 5000, 9999, 10_000, 20_000} {
		sure, some, room := h.Longest(most)
		n, alike := uint64(0), uint64(0)
		for _, v := range values {
			switch {
			case v >= sure:
				n++
			case v >= some:
				alike++
			}
		}
		if n+room != most || alike <= room && most < 10_000 {
			t.Errorf("%d of at least %v, and %d of %d of at least %v, want %d", n, sure, room, alike, some, most)
		}
	}
	for o := range octaves {
		if start := OctaveStart(o); octave(int64(start)) != o && o < octaves-1 || o > 0 && octave(int64(start)-1) != o-1 && o < octaves-1 {
			t.Errorf("octave %d starts at %d", o, start)
		}
	}
}
