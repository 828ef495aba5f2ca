package contrast

import (
	"cmp"
	"math"
	"slices"
)

// trendBlocks is the number of blocks of a trend.
const trendBlocks = 16

// minBlock is how many calls a block needs.
const minBlock = 8

// Trend tests whether durations grow, or shrink, over the recording. allAt and allNs are the times
// and durations of a sample of all calls. applies marks the slow calls that the trend explains at
// least half of.
func (c *Contrast) Trend(allAt, allNs []float64) (share Share, grows bool, applies []bool) {
	at := slices.Concat(c.slow.AtNs, c.typical.AtNs)
	applies = make([]bool, len(at))
	if len(allAt) < trendBlocks*minBlock || c.Difference() <= 0 {
		return Share{P: 1}, false, applies
	}
	order := identity(len(allAt))
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(allAt[a], allAt[b]) })
	ends, medians := make([]float64, trendBlocks), make([]float64, trendBlocks)
	for b := range trendBlocks {
		var block []float64
		for _, i := range order[b*len(order)/trendBlocks : (b+1)*len(order)/trendBlocks] {
			block = append(block, allNs[i])
			ends[b] = allAt[i]
		}
		slices.Sort(block)
		medians[b] = block[len(block)/2]
	}
	usual := make([]float64, len(at)) // the median at the time of each call
	for i, t := range at {
		b, _ := slices.BinarySearch(ends, t)
		usual[i] = medians[min(b, trendBlocks-1)]
	}
	slow := len(c.extra)
	left := 0.0 // part of the slow calls that are not explained
	for _, is := range c.explained {
		if !is {
			left += 1 / float64(slow)
		}
	}
	figure := func(slowCalls, typicalCalls []int) float64 {
		s, t, difference := 0.0, 0.0, 0.0
		n, m := float64(len(slowCalls)), float64(len(typicalCalls))
		for _, i := range slowCalls {
			if !c.explained[i] {
				s += usual[i] / n
			}
			difference += c.slow.DurationNs[i] / n
		}
		for _, i := range typicalCalls {
			t += left * usual[slow+i] / m
			difference -= c.typical.DurationNs[i] / m
		}
		if difference <= 0 {
			return 0
		}
		return (s - t) / difference
	}
	share.Part = min(1, max(0, figure(identity(slow), identity(len(at)-slow))))
	low, high := c.bootstrap(figure)
	share.Low, share.High = min(share.Part, max(0, low)), max(share.Part, min(1, high))
	concord := concordance(medians)
	share.P = concordanceP(medians, concord, c.runs()) // of blocks, so PInTime is 0
	typical := mean(usual[slow:])
	for i := range slow {
		applies[i] = usual[i]-typical >= (c.slow.DurationNs[i]-mean(c.typical.DurationNs))/2
	}
	return share, concord > 0, applies
}

// concordance is Kendall's tau of a series with its order.
func concordance(series []float64) (tau float64) {
	n := 0.0
	for i := range series {
		for k := range i {
			n++
			switch {
			case series[k] < series[i]:
				tau++
			case series[k] > series[i]:
				tau--
			}
		}
	}
	return tau / n
}

// concordanceP is the probability of a tau that far from 0, if the order is random.
func concordanceP(series []float64, observed float64, runs int) float64 {
	rng := generator()
	mixed := slices.Clone(series)
	reached := 0
	for range runs {
		rng.Shuffle(len(mixed), func(i, k int) { mixed[i], mixed[k] = mixed[k], mixed[i] })
		if math.Abs(concordance(mixed)) >= math.Abs(observed)-1e-12 {
			reached++
		}
	}
	return float64(1+reached) / float64(1+runs)
}
