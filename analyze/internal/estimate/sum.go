package estimate

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// What is assumed of the scatter before it is seen: it weighs as much as that of priorPairs pairs
// of strata.
const (
	priorScatter = 2
	priorPairs   = 3
)

// Sum estimates a sum over a recording, from the sums y in strata of it, in order of time. Of a
// stratum, windows of size x were seen; it stands for a part of size span. A stratum of unknown
// size, 0, stands for itself. independent is the variance of the sum of y if calls came
// independently of each other. margin is half of the 95% interval, 0 if the windows are all of the
// recording.
func Sum(y, x, span []float64, independent float64) (sum, margin float64) {
	seen, variance := 0.0, 0.0
	for i := range y {
		if x[i] > 0 {
			seen += y[i]
			sum += y[i] * span[i] / x[i]
		} else {
			sum += y[i]
		}
	}
	size, all := total(x), total(span)
	for i := range y {
		if x[i] <= 0 {
			continue
		}
		missing := max(0, span[i]/x[i]-1)
		part := x[i] / size // of the variance, if nothing was seen
		if seen > 0 {
			part = (y[i] + x[i]/size) / (seen + 1)
		}
		variance += missing * missing * part * independent
		if all > size { // the error of the stratum itself
			variance += missing * part * independent
		}
	}
	if variance == 0 {
		return sum, 0
	}
	scatter, pairs := scatterOf(y, x, independent/max(1, seen))
	return sum, studentMargin(pairs) * math.Sqrt(scatter*variance)
}

// SizeError is how wrong the result of Sum is if each size is wrong by a part of it, all in the
// same direction. wrong has the parts.
func SizeError(y, x, span, wrong []float64) (margin float64) {
	for i := range wrong {
		if x[i] > 0 {
			margin += y[i] * max(0, span[i]/x[i]-1) * wrong[i]
		}
	}
	return margin
}

// scatterOf returns how much more neighbouring strata differ than if calls came independently of
// each other, when each unit of y has a variance of unit; and the degrees of freedom.
func scatterOf(y, x []float64, unit float64) (scatter, freedom float64) {
	sum, pairs := float64(priorScatter*priorPairs), float64(priorPairs)
	last := -1
	for i := range y {
		if x[i] <= 0 {
			continue
		}
		if last >= 0 && y[i]+y[last] > 0 {
			rate := (y[i] + y[last]) / (x[i] + x[last])
			d := y[i]/x[i] - y[last]/x[last]
			sum += d * d / (rate * unit * (1/x[i] + 1/x[last]))
			pairs++
		}
		last = i
	}
	return max(1, sum/pairs), pairs
}

// CountVariance is the variance of a number of calls if they come independently of each other.
func CountVariance(calls float64) float64 { return calls + 1 }

// studentMargin is half of the 95% interval of Student's t, in standard errors.
func studentMargin(freedom float64) float64 {
	x := mathext.InvRegIncBeta(freedom/2, 0.5, 0.05)
	return math.Sqrt(freedom * (1 - x) / x)
}

func total(list []float64) (sum float64) {
	for _, v := range list {
		sum += v
	}
	return sum
}
