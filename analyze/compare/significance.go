package compare

import "math"

// Constants of the method. The package's documentation says how they were chosen.
const (
	alpha          = 0.05 // maximum of the error probabilities of all functions and metrics together
	medianWeight   = 0.9  // the share of alpha for P50
	minRuns        = 3    // traces of either side that show the noise between runs
	minFunctions   = 2.5  // that show the noise between functions; see effectiveNumber
	minBlocks      = 8    // with calls, of either side
	minBeyond      = 5    // calls on either side of a quantile
	runNoise       = 0.04 // between two runs of a program; neither shows it
	runNoiseOfTail = 0.2  // the same, of P90 and P99
	runShare       = 0.02 // of the calls above a quantile: another run may have that part more or fewer
	unrestShare    = 0.03 // the same, for each unit of unrest above calm
	calm           = 0.4  // unrest that a quiet machine may have
)

// test judges the change of one figure of one function.
type test struct {
	delta *Delta
	log   float64 // logarithm of new over old
	own   float64 // see ownShare
	noise []noise // by size of block, from the slices or the runs
	p     float64
}

// judge decides which changes are significant. tests are those of all functions. It returns the
// shifts.
//
//  1. With few traces a side, no trace shows how two runs of one program differ: the machine was
//     slower, or the program lies elsewhere in memory. The median of all functions' changes is the
//     shift. The functions' spread about it is noise of each of them, in addition to its own noise.
//     So is runNoise. Means and tails follow the load of the machine, each function in its own way:
//     a large shift gives them more noise.
//  2. A function's own noise comes from its slices, or from its runs if there are enough. The worst
//     of the sizes of blocks counts.
//  3. The error probabilities of all tests add up to alpha at most (Bonferroni, weighted). P50,
//     which noise moves least, gets most of it.
//  4. A change below minChange is not significant.
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

// weight is the weight of a change in the shift of all functions. A function that mostly waits for
// its callees repeats their changes, so its own share counts. A P50 counts by its noise, which
// differs much between functions that compute and functions that wait. The noise of tails between
// runs is unknown.
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

// runNoise is the noise of a metric between two runs of a program. shift is the shift of all
// functions.
func (m Metric) runNoise(shift float64) float64 {
	switch m {
	case P50:
		return runNoise
	case P90, P99:
		return math.Hypot(runNoiseOfTail, 2*shift)
	}
	return math.Hypot(runNoise, shift)
}
