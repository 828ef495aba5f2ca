package timeline

import (
	"math"
	"math/rand/v2"
	"testing"

	"utrace/format"
)

// Two parts of a trace that are merged have the arrivals of the whole, also if one of them is so
// long that its slots are coarse.
func TestArrivals(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	parts := []Arrivals{NewArrivals(), NewArrivals()}
	var times []int64
	for i := range 2000 {
		at := rng.Int64N(1 << 30)
		if i%2 == 1 {
			at *= 64
		}
		times = append(times, at)
		parts[i%2].Add(at)
	}
	parts[0].Merge(&parts[1])
	all := &parts[0]
	sums := all.Sums()
	for _, until := range []int64{0, 1 << 28, 1 << 31, 1 << 37} {
		want, near := 0.0, 0.0
		for _, at := range times {
			if at < until {
				want++
			}
			if at > until-all.ResolutionNs() && at < until+all.ResolutionNs() {
				near++
			}
		}
		if got := all.Before(sums, until); math.Abs(got-want) > near {
			t.Errorf("%v arrivals before %d, want %v, %v of them near", got, until, want, near)
		}
	}
}

// A cover counts time once in which several periods overlap.
func TestCover(t *testing.T) {
	c := CoverOf([]Period{{From: 10, To: 20}, {From: 15, To: 30}, {From: 50, To: 60}, {From: 52, To: 53}})
	for _, of := range [][3]int64{{0, 10, 0}, {0, 20, 10}, {12, 25, 13}, {25, 55, 10}, {0, 100, 30}, {60, 99, 0}} {
		if got := c.During(of[0], of[1]); got != float64(of[2]) {
			t.Errorf("%v of %d to %d is covered, want %d", got, of[0], of[1], of[2])
		}
	}
}

// Beyond the limit, the longest periods are kept, the same ones in parts that are merged.
func TestPeriods(t *testing.T) {
	whole, parts := NewPeriods(1), []Periods{NewPeriods(1), NewPeriods(1)}
	for i := range int64(3 * maxPeriods) {
		p := Period{format.FuncID(i % 7), i, i + 1<<(i%16)}
		whole.Add(p)
		parts[i%2].Add(p)
	}
	parts[0].Merge(&parts[1])
	const longest = 3 * maxPeriods / 16 // that many of each length
	if len(whole.List) != 5*longest || len(parts[0].List) != len(whole.List) {
		t.Fatalf("%d periods; of two parts, %d", len(whole.List), len(parts[0].List))
	}
	for _, p := range whole.List {
		if p.To-p.From < 1<<11 {
			t.Fatalf("%+v was kept", p)
		}
	}
}
