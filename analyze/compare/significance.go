package compare

import (
	"cmp"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/mathext"

	"utrace/analyze"
)

// Constants of the method; the package's documentation says where they are from.
const (
	alpha          = 0.05                         // the most that the chances of all functions and metrics to err may add up to
	medianWeight   = 0.9                          // the share of alpha that goes to P50
	minRuns        = 3                            // traces of either side that show the noise between runs
	minFunctions   = 2.5                          // that show the noise between functions; see number
	minBlocks      = 8                            // with calls, of either side
	minBeyond      = 5                            // calls on either side of a quantile
	runNoise       = 0.04                         // between two runs of a program, which neither of them shows
	runNoiseOfTail = 0.2                          // the same, of P90 and P99
	runShare       = 0.02                         // of the calls above a quantile: so many more or fewer are above it in another run
	unrestShare    = 0.03                         // the same, for each unit of unrest above calm
	calm           = 0.4                          // what a quiet machine may have of it
	maxFreedom     = 1e6                          // stands for infinite degrees of freedom
	quantileNoise  = analyze.BucketWidth / 3.4641 // of a value somewhere in its bucket: its width over the root of 12
)

// noise is the standard error of the logarithm of a figure, with its degrees of freedom. Zero freedom: unknown.
type noise struct{ err, freedom float64 }

// test judges the change of one figure of one function.
type test struct {
	delta *Delta
	log   float64 // logarithm of new over old
	own   float64 // the share of the function's time that is its own, not its callees'
	noise []noise // by size of block, from the slices or the runs
	p     float64
}

// blockSizes are the numbers of slices that are taken together. A disturbance that outlasts a slice makes slices
// look alike; blocks that are longer than it do not.
func blockSizes() []int { return []int{1, 2, 4, 8} }

// figure picks what a figure is the ratio of: a part of a slice, and what it is per.
type figure func(*analyze.Slice) (value, per float64)

// figure is that of a metric, nil if no slices can tell its noise. That of a quantile is the share of the calls
// above it.
func (m Metric) figure() figure {
	switch m {
	case Calls:
		return func(s *analyze.Slice) (float64, float64) { return float64(s.Calls), 1 }
	case Total:
		return func(s *analyze.Slice) (float64, float64) { return float64(s.Total), 1 }
	case Self:
		return func(s *analyze.Slice) (float64, float64) { return float64(s.Self), 1 }
	case Avg:
		return func(s *analyze.Slice) (float64, float64) { return float64(s.Sum), float64(s.Complete) }
	case P50, P90, P99:
		return func(s *analyze.Slice) (float64, float64) { return float64(s.Above[m-P50]), float64(s.Complete) }
	}
	return nil
}

// blocks sums up a figure of a function over blocks of slices of each trace.
func (s *side) blocks(row int, f figure, size int) (values, pers []float64) {
	for trace := range s.Trace.Files {
		parts := s.Slices[row][trace]
		for from := 0; from < analyze.NumSlices; from += size {
			value, per := 0.0, 0.0
			for i := from; i < from+size; i++ {
				var sl analyze.Slice
				if parts != nil {
					sl = parts[i]
				}
				v, p := f(&sl)
				value += v
				per += p
			}
			values, pers = append(values, value), append(pers, per)
		}
	}
	return values, pers
}

// ratio estimates the sum of values over the sum of pers, with its standard error: the linearized variance of a
// ratio of two sums over blocks (Cochran, Sampling Techniques, 6.4).
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

// noiseOfQuantile turns the noise of the share of the calls above a quantile into that of the quantile, on the side
// where it would have to lie for the change to be none (Woodruff's method): up for the old one of an increase.
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

// noiseOf is the noise of the logarithm of a figure of a function, by blocks of a size.
func (s *side) noiseOf(row int, m Metric, size int, up bool) noise {
	estimate, n := ratio(s.blocks(row, m.figure(), size))
	if size < analyze.NumSlices && n.freedom < minBlocks-1 || n.freedom < minRuns-1 {
		return noise{}
	}
	switch m {
	case P50, P90, P99:
		if size < analyze.NumSlices {
			above := float64(1000-quantiles()[m-P50]) / 1000
			n.err = math.Hypot(n.err, above*(runShare+unrestShare*max(0, s.unrest-calm)))
		}
		return noiseOfQuantile(&s.Rows[row].Durations, quantiles()[m-P50], n, up)
	}
	if estimate <= 0 {
		return noise{}
	}
	return noise{n.err / estimate, n.freedom}
}

// logMax is the mean of the logarithms of each trace's longest call, and its noise.
func (s *side) logMax(row int) (float64, noise) {
	var logs []float64
	for trace := range s.Trace.Files {
		longest := time.Duration(0)
		if parts := s.Slices[row][trace]; parts != nil {
			for i := range parts {
				longest = max(longest, parts[i].Max)
			}
		}
		if longest > 0 {
			logs = append(logs, math.Log(float64(longest)))
		}
	}
	n := float64(len(logs))
	if n < minRuns {
		return 0, noise{}
	}
	sum, squares := 0.0, 0.0
	for _, l := range logs {
		sum += l
	}
	for _, l := range logs {
		squares += (l - sum/n) * (l - sum/n)
	}
	return sum / n, noise{math.Sqrt(squares / (n - 1) / n), n - 1}
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

// noiseOfDifference is the noise of a change from one figure to another which may be wrong by so much at worst: that is two
// standard errors. Relative to their logarithmic mean, a change counts by the difference, however little there was before.
func noiseOfDifference(before, after int64, wrongBefore, wrongAfter float64) noise {
	mean := float64(before)
	if before != after {
		mean = float64(after-before) / math.Log(float64(after)/float64(before))
	}
	return noise{math.Hypot(wrongBefore, wrongAfter) / 2 / mean, maxFreedom}
}

// pValue is the chance of a change this far from none by noise alone: Student's t, two-sided.
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

// judge fills in what is significant. tests are those of all functions. It returns the shifts.
//
//  1. With few traces a side, what differs between two runs of one program cannot be seen in either: the machine
//     was slower, or the program lies elsewhere in memory. The median of the changes of all functions is the shift of
//     the whole; their spread about it is noise that each of them has beside its own, and so is what runs are known
//     to differ by. Means and tails follow the load of the machine, each function in its own way: where
//     the shift is large, so is that noise.
//  2. A function's own noise is that of its slices, or of its runs if there are enough of them: the worst of the
//     sizes of blocks.
//  3. The chances of all tests to err add up to alpha at most (Bonferroni, weighted): most of it is for P50, which
//     noise moves least.
//  4. Changes below the least one that matters are none.
func judge(tests []test, minChange float64, byRuns bool) map[Metric]float64 {
	shifts := map[Metric]float64{}
	count := [numMetrics]int{}
	for m := range numMetrics {
		var changes []weighted
		for i := range tests {
			if t := &tests[i]; t.delta.metric == m {
				changes = append(changes, weighted{t.log, t.weight()})
			}
		}
		count[m] = len(changes)
		between := noise{0, maxFreedom}
		if !byRuns {
			if n := effectiveNumber(changes); n >= minFunctions {
				shifts[m] = median(changes)
				for i := range changes {
					changes[i].value = math.Abs(changes[i].value - shifts[m])
				}
				between = noise{1.4826 * median(changes), n - 1}
			}
			between = between.plus(noise{m.runNoise(shifts[m]), maxFreedom})
		}
		for i := range tests {
			if t := &tests[i]; t.delta.metric == m {
				for _, n := range t.noise {
					t.p = max(t.p, n.plus(between).pValue(t.log-shifts[m]))
				}
			}
		}
	}
	for i := range tests {
		t := &tests[i]
		share := medianWeight / float64(count[P50])
		if t.delta.metric != P50 {
			share = (1 - medianWeight) / float64(len(tests)-count[P50])
		}
		t.delta.P, t.delta.Tested = min(1, t.p/share), true
		t.delta.Significant = t.delta.P < alpha && math.Abs(t.log-shifts[t.delta.metric]) >= math.Log1p(minChange)
	}
	return shifts
}

// weight is what a change counts for in the shift of all. The time of a function that mostly waits for its callees
// says what they say. And how well a P50 is known differs much between functions that compute and such that wait; tails differ in
// the noise between runs, which is not known of a single one.
func (t *test) weight() float64 {
	weight := 1.0
	if m := t.delta.metric; m != Calls && m != Self {
		weight = t.own
	}
	if t.delta.metric == P50 {
		err := 0.0
		for _, n := range t.noise {
			err = max(err, n.err)
		}
		weight /= err*err + runNoise*runNoise
	}
	return weight
}

// runNoise is what a metric differs by between two runs of a program, where all functions have shifted.
func (m Metric) runNoise(shift float64) float64 {
	switch m {
	case P50:
		return runNoise
	case P90, P99:
		return math.Hypot(runNoiseOfTail, 2*shift)
	}
	return math.Hypot(runNoise, shift)
}

// measureUnrest is how much longer than P50 the calls are on average, as a logarithm and by the median of the
// functions: much where the machine does other things.
func measureUnrest(rows []analyze.Row) float64 {
	var list []weighted
	for i := range rows {
		r := &rows[i]
		if p50 := r.Durations.Quantile(500); p50 > 0 {
			list = append(list, weighted{math.Log(float64(r.Durations.Mean()) / float64(p50)), ownShare(r)})
		}
	}
	if effectiveNumber(list) == 0 {
		return 0
	}
	return max(0, median(list))
}

// weighted is a value that counts for more or less.
type weighted struct{ value, weight float64 }

// effectiveNumber is how many values of equal weight would say as much.
func effectiveNumber(list []weighted) float64 {
	sum, squares := 0.0, 0.0
	for _, w := range list {
		sum += w.weight
		squares += w.weight * w.weight
	}
	if squares == 0 {
		return 0
	}
	return sum * sum / squares
}

// median is the value that half of the weight is on either side of.
func median(list []weighted) float64 {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b weighted) int { return cmp.Compare(a.value, b.value) })
	half := 0.0
	for _, w := range list {
		half += w.weight / 2
	}
	seen := 0.0
	for i, w := range list {
		seen += w.weight
		if math.Abs(seen-half) < 1e-9*half && i+1 < len(list) {
			return (w.value + list[i+1].value) / 2
		}
		if seen > half {
			return w.value
		}
	}
	return list[len(list)-1].value
}
