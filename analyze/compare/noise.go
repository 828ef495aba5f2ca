package compare

import (
	"math"

	"gonum.org/v1/gonum/mathext"

	"utrace/analyze"
)

// noise is the standard error of the logarithm of a figure, with its degrees of freedom. Zero
// freedom means unknown.
type noise struct{ err, freedom float64 }

// maxFreedom represents infinite degrees of freedom.
const maxFreedom = 1e6

// quantileNoise is the noise of a value somewhere in its bucket: the width over the root of 12.
const quantileNoise = analyze.BucketWidth / 3.4641

// ratio estimates the sum of values over the sum of pers, with its standard error. That is the
// linearized variance of a ratio of two sums over blocks (Cochran, Sampling Techniques, 6.4).
func ratio(values, pers []float64) (estimate float64, n noise) {
	value, per, used := 0.0, 0.0, 0.0
	for i := range values {
		value += values[i]
		per += pers[i]
		if pers[i] > 0 {
			used++
		}
	}
	if used < 2 {
		return 0, noise{}
	}
	sum := 0.0
	for i := range values {
		e := values[i] - value/per*pers[i]
		sum += e * e
	}
	return value / per, noise{math.Sqrt(sum*used/(used-1)) / per, used - 1}
}

// noiseOfQuantile turns the noise of the share of calls above a quantile into the noise of the
// quantile (Woodruff's method). It looks at the side towards the other figure of the change: up for
// the old figure of an increase.
func noiseOfQuantile(h *analyze.Histogram, perMille uint64, share noise, up bool) noise {
	n := float64(h.Count())
	q := float64(perMille) / 1000
	if n*q < minBeyond || n*(1-q) < minBeyond {
		return noise{}
	}
	at := float64(h.Quantile(perMille))
	rank := q - 2*share.err
	if up {
		rank = q + 2*share.err
	}
	other := float64(h.Rank(uint64(math.Ceil(min(1, max(0, rank)) * n))))
	if at <= 0 || other <= 0 {
		return noise{}
	}
	return noise{math.Hypot(math.Abs(math.Log(other/at))/2, quantileNoise), share.freedom}
}

// noiseOfDifference is the noise of a change between two figures with given largest errors, which
// count as two standard errors. It is relative to the logarithmic mean of the figures: so the
// difference counts, even if the figure was small before.
func noiseOfDifference(before, after int64, errBefore, errAfter float64) noise {
	mean := float64(before)
	if before != after {
		mean = float64(after-before) / math.Log(float64(after)/float64(before))
	}
	return noise{math.Hypot(errBefore, errAfter) / 2 / mean, maxFreedom}
}

// plus is the noise of a difference (Welch, Satterthwaite).
func (n noise) plus(other noise) noise {
	if n.freedom == 0 || other.freedom == 0 {
		return noise{}
	}
	a, b := n.err*n.err, other.err*other.err
	if a+b == 0 {
		return noise{0, min(n.freedom, other.freedom)}
	}
	return noise{math.Sqrt(a + b), min(maxFreedom, (a+b)*(a+b)/(a*a/n.freedom+b*b/other.freedom))}
}

// pValue is the probability of a change at least this large, up or down, from noise alone
// (two-sided Student's t).
func (n noise) pValue(change float64) float64 {
	switch {
	case n.freedom == 0 || change == 0:
		return 1
	case n.err == 0:
		return 0
	}
	t := change / n.err
	return mathext.RegIncBeta(n.freedom/2, 0.5, n.freedom/(n.freedom+t*t))
}
