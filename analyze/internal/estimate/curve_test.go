package estimate

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The example of the article of Kaplan and Meier (1958), section 2: deaths at 0.8, 3.1, 5.4 and
// 9.2, losses at 1.0, 2.7, 7.0 and 12.1.
func TestCurveOfKaplanMeier(t *testing.T) {
	c := NewCurve([]Point{{0.8, 1, 0}, {1.0, 0, 1}, {2.7, 0, 1}, {3.1, 1, 0}, {5.4, 1, 0}, {7.0, 0, 1}, {9.2, 1, 0}, {12.1, 0, 1}})
	want := []float64{7.0 / 8, 7.0 / 8, 7.0 / 8, 7.0 / 10, 21.0 / 40, 21.0 / 40, 21.0 / 80, 21.0 / 80}
	for i, left := range c.left {
		if math.Abs(left-want[i]) > 1e-12 {
			t.Errorf("at %v: %v, want %v", c.points[i].At, left, want[i])
		}
	}
	if at, known := c.Quantile(0.5); at != 9.2 || !known {
		t.Errorf("median %v, %v", at, known)
	}
	if at, known := c.Quantile(0.9); at != 12.1 || known {
		t.Errorf("90%%: %v, %v; it is at least 12.1", at, known)
	}
	mean, unseen := c.Mean()
	if want := 0.8/8 + 3.1*7/40 + 5.4*7/40 + 9.2*21/80 + 12.1*21/80; math.Abs(mean-want) > 1e-9 {
		t.Errorf("mean %v, want %v", mean, want)
	}
	if want := 12.1 * 21 / 80; math.Abs(unseen-want) > 1e-9 {
		t.Errorf("unseen part %v, want %v", unseen, want)
	}
}

// Without calls that were cut off, figures are those of the durations.
func TestCurveWithoutCuts(t *testing.T) {
	c := NewCurve([]Point{{1, 2, 0}, {3, 1, 0}, {10, 1, 0}})
	for share, want := range map[float64]float64{0.01: 1, 0.5: 1, 0.51: 3, 0.75: 3, 0.76: 10, 1: 10} {
		if at, known := c.Quantile(share); at != want || !known {
			t.Errorf("%v: %v, %v; want %v", share, at, known, want)
		}
	}
	mean, unseen := c.Mean()
	if math.Abs(mean-3.75) > 1e-12 || unseen != 0 || math.Abs(c.Square()-111.0/4) > 1e-12 {
		t.Errorf("mean %v, unseen %v, square %v", mean, unseen, c.Square())
	}
	if at, known := NewCurve(nil).Quantile(0.5); at != 0 || known {
		t.Errorf("of nothing: %v, %v", at, known)
	}
}

// Half of all calls are cut off at random: the curve has the mean and the percentiles of all.
func TestCurveOfCuts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	counts := map[float64]*Point{}
	var all []float64
	for range 20_000 {
		d, cut := math.Round(100*rng.ExpFloat64())+1, math.Round(300*rng.Float64())
		all = append(all, d)
		p := Point{At: d, Ended: 1}
		if cut < d {
			p = Point{At: cut, Cut: 1}
		}
		if counts[p.At] == nil {
			counts[p.At] = &Point{At: p.At}
		}
		counts[p.At].Ended += p.Ended
		counts[p.At].Cut += p.Cut
	}
	var points []Point
	for _, p := range counts {
		points = append(points, *p)
	}
	slices.SortFunc(points, func(a, b Point) int { return int(a.At - b.At) })
	slices.Sort(all)
	c := NewCurve(points)
	for _, share := range []float64{0.5, 0.75, 0.9} {
		want := all[int(share*float64(len(all)))]
		if at, known := c.Quantile(share); !known || math.Abs(at/want-1) > 0.05 {
			t.Errorf("%v: %v, want %v", share, at, want)
		}
	}
}
