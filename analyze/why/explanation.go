package why

import (
	"math"
	"slices"
	"time"

	"utrace/analyze"
	"utrace/analyze/why/internal/contrast"
)

// Explanation says why the slow calls of a function take longer than its typical ones. The same
// traces give the same Explanation.
type Explanation struct {
	Function analyze.Function
	// Calls are the complete calls of the function that are not inside another one. Without any,
	// all other figures are zero.
	Calls         uint64
	Slow, Typical CallGroup
	// Change: Slow are all calls of new traces, Typical those of old ones. With Faster, it is the other
	// way around, since the old ones are slower.
	Change, Faster bool
	// Incomplete are further calls of unknown duration: their end was not seen, or events were lost
	// meanwhile. Cut are those of them that took longer than Slow.From already.
	Incomplete, Cut uint64
	Difference      time.Duration // of the means of both groups; 0 if one has no calls
	// SlowCompared and TypicalCompared are the calls in Where and Paths. In a survey, these are only
	// those whose callees were probed.
	SlowCompared, TypicalCompared uint64
	// Where is the place of most of the difference, including what was called there; nil if there is
	// no difference.
	Where *PathShare
	// Paths are where the difference is, largest share first. Shares below 2% are left out, as are those
	// that may be chance, except of a change.
	Paths []PathShare
	// Causes are what distinguishes slow calls, largest share first. Those below 20%, those that may
	// be chance, and those that typical calls have nearly as often are left out.
	Causes      []Cause
	Candidates  int     // that were tested
	Unexplained float64 // part of the difference in calls that none of Causes is about
	Examples    []analyze.SlowCall
	Trace       analyze.Trace
	Warnings    []analyze.Warning
}

// CallGroup is the calls of a range of durations.
type CallGroup struct {
	From, To time.Duration // of their durations; To 0 is no limit
	Calls    uint64
	Mean     time.Duration
}

// Share is a part of the difference, with its 95% interval.
type Share struct{ Part, Low, High float64 }

// Explain compares the slow calls of a function, which are longer than than, with its typical ones:
// those between the percentiles P25 and P75. If several functions match the pattern, it takes the
// one with the longest total time. It reads each trace twice. Memory is limited, except for what the
// open calls need.
func Explain(paths []string, function *analyze.Pattern, than Than, opts analyze.Options) (*Explanation, error) {
	c, err := analyze.CompareCalls(paths, function, opts, than.limits)
	if err != nil {
		return nil, err
	}
	e := newExplainer(c, &opts)
	if e.x.Difference > 0 {
		e.setPaths()
		e.setCauses()
	}
	return e.x, nil
}

// ExplainChange compares the calls of a function in new traces with those in old ones, like Explain.
// It does not look for causes.
func ExplainChange(old, new []string, function *analyze.Pattern, opts analyze.Options) (*Explanation, error) {
	c, err := analyze.CompareCalls(slices.Concat(old, new), function, opts, func(s *analyze.Stats) analyze.Limits {
		limits := Than{}.limits(s)
		limits.OldFiles = len(old)
		return limits
	})
	if err != nil {
		return nil, err
	}
	faster := c.Groups[analyze.SlowClass].Mean() < c.Groups[analyze.TypicalClass].Mean()
	if faster {
		c.Swap()
	}
	e := newExplainer(c, &opts)
	if c.Stats.Durations.Count() > 0 {
		e.x.Change, e.x.Faster, e.x.Slow.From, e.x.Typical.From, e.x.Typical.To = true, faster, 0, 0, 0
	}
	if e.x.Difference > 0 {
		e.setPaths()
	}
	return e.x, nil
}

// explainer makes an Explanation.
type explainer struct {
	*analyze.Compared
	opts *analyze.Options
	x    *Explanation
}

func newExplainer(c *analyze.Compared, opts *analyze.Options) *explainer {
	x := &Explanation{
		Function: c.Function, Calls: c.Stats.Durations.Count(), Incomplete: c.Incomplete, Cut: c.Cut,
		Slow: CallGroup{From: c.Limits.Than}, Typical: CallGroup{From: c.Limits.Low, To: c.Limits.High},
		Trace: c.Trace, Warnings: c.Warnings,
	}
	for i, g := range []*CallGroup{&x.Slow, &x.Typical} {
		g.Calls, g.Mean = c.Groups[i].Calls, c.Groups[i].Mean()
	}
	if x.Slow.Calls > 0 && x.Typical.Calls > 0 && x.Slow.Mean > x.Typical.Mean {
		x.Difference = x.Slow.Mean - x.Typical.Mean
	}
	return &explainer{c, opts, x}
}

// contrastOf makes a Contrast of sampled calls.
func contrastOf(slow, typical []analyze.SampledCall, candidates int) *contrast.Contrast {
	group := func(calls []analyze.SampledCall) (g contrast.Group) {
		for i := range calls {
			c := &calls[i]
			g.DurationNs = append(g.DurationNs, float64(c.Duration))
			g.OtherNs = append(g.OtherNs, float64(c.Runnable))
			g.AtNs = append(g.AtNs, float64(c.ID.File)*maxTimeNs+float64(c.ID.Start()))
		}
		return g
	}
	return contrast.New(group(slow), group(typical), candidates)
}

// maxTimeNs is longer than any time in a trace.
const maxTimeNs = 1 << 60

func nanoseconds(ns float64) time.Duration { return time.Duration(math.Round(min(ns, maxTimeNs))) }
