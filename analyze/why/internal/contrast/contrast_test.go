package contrast

import (
	"math"
	"math/rand/v2"
	"testing"
)

// calls makes slow and typical calls with some noise.
func calls(rng *rand.Rand, slow, typical int) (s, t Group) {
	for range slow {
		s.DurationNs, s.AtNs = append(s.DurationNs, 1000+100*rng.ExpFloat64()), append(s.AtNs, rng.Float64())
	}
	for range typical {
		t.DurationNs, t.AtNs = append(t.DurationNs, 100+10*rng.Float64()), append(t.AtNs, rng.Float64())
	}
	return s, t
}

// With three in four slow calls, and none of the typical ones, a value has three quarters of the
// difference.
func TestLevels(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	slow, typical := calls(rng, 100, 400)
	c := New(slow, typical, 10)
	levels := make([]int, 500)
	for i := range levels {
		if levels[i] = rng.IntN(5); i < 75 {
			levels[i] = 5
		}
	}
	share, over := c.Levels(levels, 6)
	if !c.Significant(share) || math.Abs(share.Part-0.75) > 0.05 || !over[5] {
		t.Errorf("%+v, %v; want a share of 0.75", share, over)
	}
	if share.Low < 0.6 || share.Low > 0.74 || share.High > 0.9 || share.High < 0.76 {
		t.Errorf("95%% interval %v to %v", share.Low, share.High)
	}
}

// Values that all differ, as of a request's number, distinguish nothing.
func TestLevelsAllDifferent(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	slow, typical := calls(rng, 50, 150)
	c := New(slow, typical, 1)
	share, _ := c.Levels(identity(200), 200)
	if c.Significant(share) || share.Part != 0 {
		t.Errorf("%+v", share)
	}
}

// A part of the difference that candidates cannot explain is in no share.
func TestOtherTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	slow, typical := calls(rng, 100, 400)
	slow.OtherNs, typical.OtherNs = make([]float64, 100), make([]float64, 400)
	levels := make([]int, 500)
	for i := range 100 {
		levels[i] = 1
		slow.OtherNs[i] = 0.4 * (slow.DurationNs[i] - 105)
	}
	if share, _ := New(slow, typical, 1).Levels(levels, 2); math.Abs(share.Part-0.6) > 0.01 {
		t.Errorf("%+v, want 0.6", share)
	}
}

func TestThreshold(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	slow, typical := calls(rng, 100, 1000)
	c := New(slow, typical, 10)
	values := make([]float64, 1100)
	for i := range values {
		if values[i] = rng.Float64() * 4000; i < 100 {
			values[i] += 4000
		}
	}
	share, at, below := c.Threshold(values, false)
	if !c.Significant(share) || below || at < 4000 || at > 4200 || share.Part < 0.95 {
		t.Errorf("%+v at %v, below %v; want all above 4000", share, at, below)
	}
	for i := range values {
		values[i] = -values[i]
	}
	if share, at, below = c.Threshold(values, false); !below || at > -3900 || share.Part < 0.95 {
		t.Errorf("%+v at %v, below %v; want all below -4000", share, at, below)
	}
	if share, _, below = c.Threshold(values, true); below || c.Significant(share) {
		t.Errorf("%+v, below %v, although only values above count", share, below)
	}
}

// Something that happens for half of the time does so in long calls as in short ones. It counts for
// nothing, but what happens only in the additional time of slow calls counts for all.
func TestOverlap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	slow, typical := calls(rng, 100, 400)
	c := New(slow, typical, 10)
	half, cause := make([]float64, 500), make([]float64, 500)
	for i := range half {
		half[i] = c.durationNs(i) * min(1, max(0, 0.5+0.2*rng.NormFloat64()))
		if i < 100 {
			cause[i] = slow.DurationNs[i] - 105
		}
	}
	if share := c.Overlap(half); share.Part > 0.1 {
		t.Errorf("half of the time: %+v", share)
	}
	if share := c.Overlap(cause); !c.Significant(share) || math.Abs(share.Part-1) > 0.01 {
		t.Errorf("the additional time: %+v", share)
	}
}

// Durations that grow over the recording make calls at its end slow. A burst of slow calls in one
// place is no trend.
func TestTrend(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 6))
	of := func(duration func(at float64) float64) (Share, bool, *Contrast) {
		var slow, typical Group
		var at, ns []float64
		for i := range 2000 {
			x := float64(i)
			d := duration(x) + rng.Float64()
			at, ns = append(at, x), append(ns, d)
			switch {
			case d > 1900:
				slow.DurationNs, slow.AtNs = append(slow.DurationNs, d), append(slow.AtNs, x)
			case d > 500 && d < 1500:
				typical.DurationNs, typical.AtNs = append(typical.DurationNs, d), append(typical.AtNs, x)
			}
		}
		c := New(slow, typical, 10)
		share, grows, _ := c.Trend(at, ns)
		return share, grows, c
	}
	share, grows, c := of(func(at float64) float64 { return at })
	if !c.Significant(share) || !grows || share.Part < 0.9 {
		t.Errorf("growing: %+v, grows %v", share, grows)
	}
	share, _, c = of(func(at float64) float64 {
		if at >= 1800 && at < 1860 {
			return 3000
		}
		return 1000
	})
	if c.Significant(share) && share.Part > 0.1 {
		t.Errorf("a burst: %+v", share)
	}
}

// Random values are significant in fewer than one of 20 analyses of several candidates, also if a
// few slow calls have most of the time.
func TestChance(t *testing.T) {
	const analyses, candidates = 200, 6
	wrong := 0
	for run := range uint64(analyses) {
		rng := rand.New(rand.NewPCG(run, 7))
		slow, typical := calls(rng, 20, 100)
		for i := range slow.DurationNs {
			slow.DurationNs[i] *= math.Exp(2 * rng.NormFloat64())
		}
		c := New(slow, typical, candidates)
		found := false
		for k := range candidates {
			if k%2 == 0 {
				levels := make([]int, 120)
				for i := range levels {
					levels[i] = rng.IntN(2 + 3*k)
				}
				share, _ := c.Levels(levels, 2+3*k)
				found = found || c.Significant(share)
				continue
			}
			values := make([]float64, 120)
			for i := range values {
				values[i] = rng.Float64()
			}
			share, _, _ := c.Threshold(values, false)
			found = found || c.Significant(share)
		}
		if found {
			wrong++
		}
	}
	if wrong > analyses/20+8 { // three standard deviations above 5%
		t.Errorf("%d of %d analyses of random values find something", wrong, analyses)
	}
}

// Slow calls that come together, as by other work on the machine, seem to go with a value that the
// calls have for a while, such as the processor of a thread. That is chance.
func TestBursts(t *testing.T) {
	const analyses = 100
	wrong := 0
	for run := range uint64(analyses) {
		rng := rand.New(rand.NewPCG(run, 10))
		slow, typical := calls(rng, 100, 1000)
		burst, phase := rng.Float64(), rng.Float64()
		for i := range slow.AtNs {
			slow.AtNs[i] = burst + 0.02*rng.Float64()
		}
		levels := make([]int, 1100)
		for i, at := range append(slow.AtNs, typical.AtNs...) {
			if levels[i] = 0; at > phase && at < phase+0.2 {
				levels[i] = 1
			}
		}
		c := New(slow, typical, 2)
		if share, _ := c.Levels(levels, 2); c.Significant(share) {
			wrong++
		}
	}
	if wrong > analyses/20 {
		t.Errorf("%d of %d", wrong, analyses)
	}
}

// What an earlier cause explains is no share of another one that comes with it.
func TestWithout(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 8))
	slow, typical := calls(rng, 100, 400)
	c := New(slow, typical, 2)
	levels, applies := make([]int, 500), make([]bool, 500)
	for i := range 100 {
		levels[i], applies[i] = 1, true
	}
	if share, _ := c.Without(applies).Levels(levels, 2); share.Part != 0 || c.Significant(share) {
		t.Errorf("%+v", share)
	}
	if part := c.Extra(applies); math.Abs(part-1) > 1e-9 {
		t.Errorf("the calls have %v of the difference, want all", part)
	}
}

// The interval of a place's share has the truth in about 95% of the cases.
func TestPlaces(t *testing.T) {
	const runs = 200
	hits := 0
	for run := range uint64(runs) {
		rng := rand.New(rand.NewPCG(run, 9))
		slow, typical := calls(rng, 60, 200)
		parts := func(g Group, more float64) (list [][]Part) {
			for _, d := range g.DurationNs {
				in := 0.0
				if more > 0 && rng.IntN(2) == 0 { // half of the slow calls spend their additional time here
					in = d - 105
				}
				list = append(list, []Part{{0, in}})
			}
			return list
		}
		s, ty := parts(slow, 1), parts(typical, 0)
		observed := 0.0
		for _, p := range s {
			observed += p[0].Ns / 60
		}
		c := New(slow, typical, 1)
		share := c.Places([]float64{observed / c.Difference()}, s, ty)[0]
		if share.Low <= 0.5 && share.High >= 0.5 {
			hits++
		}
	}
	if hits < runs*90/100 {
		t.Errorf("the interval has the truth in %d of %d cases", hits, runs)
	}
}
