package compare

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"utrace/analyze"
)

// Quantiles of Student's t, two-sided, from printed tables.
func TestPValue(t *testing.T) {
	for _, c := range []struct{ t, freedom, p float64 }{
		{12.706, 1, 0.05}, {2.776, 4, 0.05}, {2.228, 10, 0.05}, {3.169, 10, 0.01}, {1.960, maxFreedom, 0.05}, {3.291, maxFreedom, 0.001},
	} {
		for _, err := range []float64{1, 0.02} {
			n := noise{err, c.freedom}
			if p := n.pValue(c.t * err); math.Abs(p-c.p) > 0.005*c.p {
				t.Errorf("t=%v with %v degrees of freedom: %v, want %v", c.t, c.freedom, p, c.p)
			}
			if up, down := n.pValue(c.t*err), n.pValue(-c.t*err); up != down {
				t.Errorf("%v upwards, %v downwards", up, down)
			}
		}
	}
	if p := (noise{}).pValue(5); p != 1 {
		t.Errorf("unknown noise: %v", p)
	}
}

// The standard errors must be what the estimates of many samples scatter by.
func TestRatioAndQuantileNoise(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const samples, blocks, each = 400, 40, 50
	var means, medians, meanErrs, medianErrs []float64
	for range samples {
		var h analyze.Histogram
		var values, pers, above []float64
		var all [blocks][]float64
		for b := range blocks {
			block := 1 + 0.2*rng.NormFloat64() // what the calls of a block have in common
			sum := 0.0
			for range each {
				d := 10_000 * block * (1 + 0.3*rng.Float64())
				all[b] = append(all[b], d)
				h.Add(time.Duration(d))
				sum += d
			}
			values, pers = append(values, sum), append(pers, each)
		}
		at := float64(h.Quantile(500))
		for b := range blocks {
			n := 0.0
			for _, d := range all[b] {
				if d > at {
					n++
				}
			}
			above = append(above, n)
		}
		mean, n := ratio(values, pers)
		if n.freedom != blocks-1 {
			t.Fatal(n)
		}
		means, meanErrs = append(means, mean), append(meanErrs, n.err)
		_, share := ratio(above, pers)
		medians = append(medians, math.Log(at))
		medianErrs = append(medianErrs, noiseOfQuantile(&h, 500, share, rng.IntN(2) == 0).err)
	}
	if got, want := average(meanErrs), deviation(means); math.Abs(got/want-1) > 0.1 {
		t.Errorf("mean: error %v, scatter %v", got, want)
	}
	if got, want := average(medianErrs), deviation(medians); math.Abs(got/want-1) > 0.2 {
		t.Errorf("median: error %v, scatter %v", got, want)
	}
}

func average(list []float64) float64 {
	sum := 0.0
	for _, v := range list {
		sum += v
	}
	return sum / float64(len(list))
}

func deviation(list []float64) float64 {
	mean, sum := average(list), 0.0
	for _, v := range list {
		sum += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum / float64(len(list)-1))
}

func TestWeightedMedian(t *testing.T) {
	for _, c := range []struct {
		list []weighted
		want float64
	}{
		{[]weighted{{3, 1}}, 3},
		{[]weighted{{9, 1}, {1, 1}, {2, 1}}, 2},
		{[]weighted{{1, 1}, {2, 1}, {4, 1}, {9, 1}}, 3},
		{[]weighted{{1, 1}, {2, 1}, {4, 1}, {9, 10}}, 9},
		{[]weighted{{1, 0.5}, {2, 0.5}, {3, 0.5}, {90, 0.1}}, 2},
	} {
		if got := median(c.list); got != c.want {
			t.Errorf("%v: %v, want %v", c.list, got, c.want)
		}
	}
}
