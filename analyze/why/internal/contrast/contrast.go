package contrast

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Constants of the method.
const (
	alpha      = 0.05 // error probability of all candidates together
	resamples  = 400  // of a bootstrap
	chanceRuns = 100  // permutations that show what chance gives
	maxRuns    = 6000 // permutations of a candidate

	numPieces    = 8 // of the recording, to permute
	pieceRuns    = 200
	maxPOfPieces = 0.02
)

// Group is one side of a comparison: calls by index.
type Group struct {
	DurationNs []float64
	// OtherNs is the part of each duration that a candidate cannot explain. It may be nil.
	OtherNs []float64
	AtNs    []float64 // when the calls began
}

// Contrast compares slow calls with typical ones. Lists about both have the slow calls first.
type Contrast struct {
	slow, typical Group
	extra         []float64 // of each slow call, as a part of the difference: they sum up to 1 at most
	explained     []bool    // by slow call: it has a cause, so its extra counts no more
	inTime        []int     // calls in the order in which they began
	candidates    int       // that share the error probability
}

// Share is a part of the difference with its 95% interval.
type Share struct {
	Part, Low, High float64
	P               float64 // probability of such a part without a cause
	PInTime         float64 // the same, if calls that follow each other are alike
}

// New makes a Contrast of two groups that are not empty. candidates is how many candidates are
// tested together.
func New(slow, typical Group, candidates int) *Contrast {
	at := slices.Concat(slow.AtNs, typical.AtNs)
	c := &Contrast{slow: slow, typical: typical, inTime: identity(len(at)), candidates: max(1, candidates)}
	slices.SortStableFunc(c.inTime, func(a, b int) int { return cmp.Compare(at[a], at[b]) })
	c.extra, c.explained = make([]float64, len(slow.DurationNs)), make([]bool, len(slow.DurationNs))
	typicalMean, otherMean := mean(typical.DurationNs), 0.0
	if typical.OtherNs != nil {
		otherMean = mean(typical.OtherNs)
	}
	sum := c.Difference() * float64(len(c.extra))
	if sum <= 0 {
		return c
	}
	for i, d := range slow.DurationNs {
		more := d - typicalMean
		if slow.OtherNs != nil {
			more -= max(0, slow.OtherNs[i]-otherMean)
		}
		c.extra[i] = max(0, more) / sum
	}
	return c
}

// Without returns a Contrast for what is left when some calls are explained.
func (c *Contrast) Without(explained []bool) *Contrast {
	left := *c
	left.extra, left.explained = slices.Clone(c.extra), slices.Clone(c.explained)
	for i := range left.extra {
		if explained[i] {
			left.extra[i], left.explained[i] = 0, true
		}
	}
	return &left
}

// Difference is how much longer the slow calls are, in nanoseconds.
func (c *Contrast) Difference() float64 {
	return mean(c.slow.DurationNs) - mean(c.typical.DurationNs)
}

// Significant reports whether chance is no explanation of a share.
func (c *Contrast) Significant(s Share) bool { return c.rare(s.P) && s.PInTime <= maxPOfPieces }

// rare reports whether a probability is so low that no candidate may be expected to have it.
func (c *Contrast) rare(p float64) bool { return p <= alpha/float64(c.candidates) }

// Extra is the part of the difference in the slow calls that are chosen, less the part that the
// typical calls which are chosen let expect.
func (c *Contrast) Extra(chosen []bool) float64 {
	slow, typical := 0.0, 0
	for i, is := range chosen {
		switch {
		case is && i < len(c.extra):
			slow += c.extra[i]
		case is:
			typical++
		}
	}
	return max(0, slow-float64(typical)/float64(len(c.typical.DurationNs))*c.explainable())
}

// explainable is the part of the difference that candidates can explain.
func (c *Contrast) explainable() float64 { return sum(c.extra) }

// Levels tests values. levels has a small number for each call, all below count. over says of each
// value whether slow calls have it more often.
func (c *Contrast) Levels(levels []int, count int) (share Share, over []bool) {
	slow, typical := make([]float64, count), make([]float64, count)
	all := c.explainable()
	statistic := func(levels []int) float64 {
		clear(slow)
		clear(typical)
		for i, extra := range c.extra {
			slow[levels[i]] += extra
		}
		for _, l := range levels[len(c.extra):] {
			typical[l]++
		}
		part := 0.0
		for l := range slow {
			part += max(0, slow[l]-all*typical[l]/float64(len(levels)-len(c.extra)))
		}
		return part
	}
	observed := statistic(levels)
	over = make([]bool, count)
	for l := range over {
		over[l] = slow[l] > all*typical[l]/float64(len(levels)-len(c.extra))
	}
	share = c.permute(observed, func(order []int) float64 {
		mixed := make([]int, len(levels))
		for i, from := range order {
			mixed[i] = levels[from]
		}
		return statistic(mixed)
	})
	marked := make([]bool, len(levels))
	for i, l := range levels {
		marked[i] = over[l]
	}
	return c.interval(share, marked), over
}

// Threshold tests a number of each call. The slow calls have values of at least at or, if below is
// true, values less than at. With onlyAbove, below is false.
func (c *Contrast) Threshold(values []float64, onlyAbove bool) (share Share, at float64, below bool) {
	sorted := make([]int, len(values)) // calls in order of their values
	for i := range sorted {
		sorted[i] = i
	}
	slices.SortStableFunc(sorted, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	all, unit := c.explainable(), c.explainable()/float64(len(values)-len(c.extra))
	statistic := func(call []int) (part, at float64, below bool) { // call permutes the calls
		above := 0.0 // of the calls from the current value on: extra, less what is expected
		for i := len(sorted) - 1; i > 0; i-- {
			if k := call[sorted[i]]; k < len(c.extra) {
				above += c.extra[k]
			} else {
				above -= unit
			}
			if values[sorted[i]] == values[sorted[i-1]] {
				continue
			}
			if above > part || -above > part && !onlyAbove {
				part, at, below = math.Abs(above), values[sorted[i]], above < 0
			}
		}
		return min(part, all), at, below
	}
	observed, at, below := statistic(identity(len(values)))
	share = c.permute(observed, func(order []int) float64 {
		part, _, _ := statistic(order)
		return part
	})
	marked := make([]bool, len(values))
	for i, v := range values {
		marked[i] = v < at == below
	}
	return c.interval(share, marked), at, below
}

// permute returns the share of a statistic: what is more than chance gives. of computes the
// statistic for permuted calls.
func (c *Contrast) permute(observed float64, of func(order []int) float64) Share {
	rng := generator()
	order := identity(len(c.inTime))
	chance, runs, reached, limit := 0.0, 0, 0, c.runs()
	for runs < limit {
		rng.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
		got := of(order)
		if runs < chanceRuns {
			chance += got / chanceRuns
		}
		if got >= observed-1e-12 {
			reached++
		}
		runs++
		if runs >= chanceRuns && !c.rare(float64(1+reached)/float64(1+limit)) {
			break
		}
	}
	s := Share{P: float64(1+reached) / float64(1+runs), PInTime: 1}
	if c.rare(s.P) {
		s.PInTime = c.permutePieces(observed, of)
	}
	all := c.explainable()
	if all > chance && observed > chance {
		s.Part = all * (observed - chance) / (all - chance)
	}
	return s
}

// permutePieces returns how often a statistic is reached if pieces of the recording are permuted.
// Their number is fixed and their lengths are random, so that regular sequences do not meet again.
func (c *Contrast) permutePieces(observed float64, of func(order []int) float64) float64 {
	rng := generator()
	order, cuts, pieces := make([]int, len(c.inTime)), make([]int, numPieces+1), identity(numPieces)
	reached := 0
	for range pieceRuns {
		for i := range cuts {
			cuts[i] = rng.IntN(len(order) + 1)
		}
		cuts[0], cuts[numPieces] = 0, len(order)
		slices.Sort(cuts)
		rng.Shuffle(numPieces, func(i, k int) { pieces[i], pieces[k] = pieces[k], pieces[i] })
		at := 0
		for _, p := range pieces {
			for _, call := range c.inTime[cuts[p]:cuts[p+1]] {
				order[c.inTime[at]] = call
				at++
			}
		}
		if of(order) >= observed-1e-12 {
			reached++
		}
	}
	return float64(1+reached) / float64(1+pieceRuns)
}

// runs is the number of permutations. At most one of them may reach the observed value of a
// significant share.
func (c *Contrast) runs() int { return min(maxRuns, max(2*chanceRuns, int(2/alpha)*c.candidates)) }

// interval adds the interval of a share: that of the marked calls, moved to the share.
func (c *Contrast) interval(s Share, marked []bool) Share {
	plain := c.Extra(marked)
	low, high := c.bootstrap(func(slow, typical []int) float64 {
		part, rest := 0.0, 0.0
		for _, i := range slow {
			rest += c.extra[i]
			if marked[i] {
				part += c.extra[i]
			}
		}
		expected := 0.0
		for _, i := range typical {
			if marked[len(c.extra)+i] {
				expected++
			}
		}
		if rest == 0 {
			return 0
		}
		return (part/rest - expected/float64(len(typical))) * c.explainable()
	})
	s.Low, s.High = min(s.Part, max(0, low+s.Part-plain)), max(s.Part, min(1, high+s.Part-plain))
	return s
}

// bootstrap returns the 95% interval of a figure of both groups.
func (c *Contrast) bootstrap(figure func(slow, typical []int) float64) (low, high float64) {
	rng := generator()
	slow, typical := make([]int, len(c.slow.DurationNs)), make([]int, len(c.typical.DurationNs))
	figures := make([]float64, resamples)
	for k := range figures {
		draw(rng, slow)
		draw(rng, typical)
		figures[k] = figure(slow, typical)
	}
	return percentiles(figures)
}

// percentiles returns the interval of resampled figures, and sorts them.
func percentiles(figures []float64) (low, high float64) {
	if len(figures) == 0 {
		return 0, 0
	}
	slices.Sort(figures)
	n := len(figures)
	return figures[n/40], figures[n-1-n/40]
}

func draw(rng *rand.Rand, from []int) {
	for i := range from {
		from[i] = rng.IntN(len(from))
	}
}

func generator() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func identity(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func sum(list []float64) (s float64) {
	for _, v := range list {
		s += v
	}
	return s
}

func mean(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	return sum(list) / float64(len(list))
}
