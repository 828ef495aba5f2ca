package estimate

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A worked example: two strata, a tenth of the recording.
func TestSum(t *testing.T) {
	spans := []float64{100, 100}
	sum, margin := Sum([]float64{80, 120}, []float64{10, 10}, spans, CountVariance(200))
	// The rates 8 and 12 are off by 16 times what 10 lets expect on average, where 1 is assumed to
	// weigh like 3 pairs of 2: the scatter is (4*4/(10*0.2*201/200)+6)/4 = 3.490. Each call stands
	// for 9 more: the variance is 81 + 9 times 201. Student's t for 4 degrees is 2.776.
	if want := 2.776 * math.Sqrt(3.490*90*201); sum != 2000 || math.Abs(margin-want) > 0.01*want {
		t.Errorf("%v ± %v, want 2000 ± %v", sum, margin, want)
	}
	// Each stratum counts as much as it stands for.
	if sum, _ := Sum([]float64{80, 120, 7}, []float64{10, 10, 0}, []float64{10, 190, 0}, 0); sum != 80+19*120+7 {
		t.Errorf("%v, want %v", sum, 80+19*120+7)
	}
	// All of the recording, and nothing of it.
	if sum, margin := Sum([]float64{3, 4}, []float64{10, 10}, []float64{10, 10}, CountVariance(7)); sum != 7 || margin != 0 {
		t.Errorf("%v ± %v, want 7 ± 0", sum, margin)
	}
	if sum, margin := Sum(nil, nil, nil, 1); sum != 0 || margin != 0 {
		t.Errorf("%v ± %v, want 0 ± 0", sum, margin)
	}
}

// Sizes that are off by a tenth make the calls outside of the windows off by as much.
func TestSizeError(t *testing.T) {
	y, x, span := []float64{80, 120, 7}, []float64{10, 10, 0}, []float64{100, 10, 0}
	if margin := SizeError(y, x, span, []float64{0.1, 0.5, 0.5}); math.Abs(margin-80*9*0.1) > 1e-9 {
		t.Errorf("%v, want %v", margin, 80*9*0.1)
	}
	if margin := SizeError(y, x, span, nil); margin != 0 {
		t.Errorf("%v with exact sizes", margin)
	}
}

// The 95% interval of calls that come at random has the truth in about 95% of the cases, also of
// rare ones.
func TestSumOfRareCalls(t *testing.T) {
	const runs, windows = 2000, 20
	for _, expected := range []float64{3, 10, 100} { // calls in the windows
		rng := rand.New(rand.NewPCG(1, uint64(expected)))
		hits := 0
		for range runs {
			y, x, span := make([]float64, windows), make([]float64, windows), make([]float64, windows)
			for i := range y {
				x[i], span[i] = 1, 100
				for at := rng.ExpFloat64(); at < expected/windows; at += rng.ExpFloat64() {
					y[i]++
				}
			}
			sum, margin := Sum(y, x, span, CountVariance(total(y)))
			if math.Abs(sum-100*expected) <= margin {
				hits++
			}
		}
		if hits < runs*93/100 || expected > 3 && hits > runs*995/1000 {
			t.Errorf("%v calls: the interval has the truth in %d of %d cases", expected, hits, runs)
		}
	}
}

// Calls that come in phases are estimated as well: some windows see many, others none.
func TestSumOfPhases(t *testing.T) {
	const runs, windows = 500, 24
	rng := rand.New(rand.NewPCG(1, 3))
	hits, sums := 0, 0.0
	for range runs {
		y, x, span := make([]float64, windows), make([]float64, windows), make([]float64, windows)
		truth := 0.0
		for i := range y {
			rate := 50.0
			if i/4%2 == 0 {
				rate = 0
			}
			x[i], span[i] = 1, 20
			for at := rng.ExpFloat64() / rate; at < 20; at += rng.ExpFloat64() / rate {
				truth++
				if at < 1 {
					y[i]++
				}
			}
		}
		sum, margin := Sum(y, x, span, CountVariance(total(y)))
		sums += sum / truth / runs
		if math.Abs(sum-truth) <= margin {
			hits++
		}
	}
	if hits < runs*93/100 || math.Abs(sums-1) > 0.01 {
		t.Errorf("the interval has the truth in %d of %d cases; the estimate is %v times the truth on average", hits, runs, sums)
	}
}
