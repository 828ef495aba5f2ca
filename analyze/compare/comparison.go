package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"utrace/analyze"
)

// Change is a function, on both sides or on one.
type Change struct {
	analyze.Function              // the new side's if it has one
	Label            string       // the name and, if other functions have the same, a distinction
	Old, New         *analyze.Row // nil on the side where it was not called
	Deltas           [numMetrics]Delta
}

// Significant reports whether any metric has changed significantly.
func (c *Change) Significant() bool {
	for i := range c.Deltas {
		if c.Deltas[i].Significant {
			return true
		}
	}
	return false
}

// BelowResolution reports whether the function's calls are, on either side, shorter than the
// uncertainty of its probes' cost.
func (c *Change) BelowResolution() bool {
	return c.Old != nil && c.Old.BelowResolution || c.New != nil && c.New.BelowResolution
}

// Comparison is what changed from some traces to others. The same traces give the same Comparison.
type Comparison struct {
	Old, New analyze.Trace
	// Changes have significant ones first, then functions on one side only. Within these, the
	// larger change of self time comes first.
	Changes []Change
	// Shifts are the changes of all functions, by metric. It is empty if there are enough traces to
	// need none, or too few functions to know one.
	Shifts   map[Metric]float64
	ByRuns   bool              // noise is the difference between the traces of a side, not within them
	Warnings []analyze.Warning // Source is the side and, if it has several traces, the trace
}

// Diff compares traces. minChange is the smallest relative change that can be significant, such as
// 0.05. Options.Function chooses the changes to return; all functions are used to judge them.
//
// Functions are the same if their names and the file names of module and source are equal, or if no
// other function has the same name. If the cost of probes is known for some of the traces only, all
// are compared as with Options.Raw. Diff fails for a file that is not a trace.
func Diff(oldPaths, newPaths []string, opts analyze.Options, minChange float64) (*Comparison, error) {
	function := opts.Function
	opts.Function = nil // the shift needs all functions
	before, after, err := readSides(oldPaths, newPaths, opts)
	if err != nil {
		return nil, err
	}
	unmeasured := slices.Concat(before.Trace.Unmeasured, after.Trace.Unmeasured)
	mixed := len(unmeasured) > 0 && (before.Trace.Probes.Measured || after.Trace.Probes.Measured) && !opts.Raw
	if mixed {
		opts.Raw = true
		if before, after, err = readSides(oldPaths, newPaths, opts); err != nil {
			return nil, err
		}
	}

	c := compare(before, after, minChange)
	if mixed {
		c.warn("the cost of probes was not measured in %s: it is subtracted from no trace", strings.Join(unmeasured, ", "))
	}
	var names []string
	for i := range c.Changes {
		names = append(names, c.Changes[i].Name)
	}
	c.Changes = slices.DeleteFunc(c.Changes, func(ch Change) bool { return !function.MatchFunction(&ch.Function) })
	if len(c.Changes) == 0 && function != nil {
		c.warn("no call matches the functions that were selected: %s", function.Instead(names))
	}
	return c, nil
}

// readSides reads both sides.
func readSides(oldPaths, newPaths []string, opts analyze.Options) (before, after *side, err error) {
	if before, err = readSide(oldPaths, opts); err != nil {
		return nil, nil, err
	}
	after, err = readSide(newPaths, opts)
	return before, after, err
}

// compare compares two sides:
//
//  1. It matches the functions of the sides, and takes their metrics.
//  2. It tests the changes whose noise is known.
//  3. It judges all tests together, which gives the shifts.
func compare(before, after *side, minChange float64) *Comparison {
	olds, news := len(before.Trace.Files), len(after.Trace.Files)
	c := &Comparison{Old: before.Trace, New: after.Trace, ByRuns: olds >= minRuns && news >= minRuns}
	c.warnSides(before, after, minChange)

	pairs := match(before.Rows, after.Rows)
	c.Changes = make([]Change, len(pairs))
	var tests []test
	for i, p := range pairs {
		ch := &c.Changes[i]
		if p.old != none {
			ch.Old = &before.Rows[p.old]
			ch.Function, ch.Label = ch.Old.Function, ch.Old.Label
		}
		if p.new != none {
			ch.New = &after.Rows[p.new]
			ch.Function, ch.Label = ch.New.Function, ch.New.Label
		}
		for m := range numMetrics {
			ch.Deltas[m] = Delta{Old: m.of(ch.Old, olds), New: m.of(ch.New, news), P: 1, metric: m}
		}
		if ch.Old != nil && ch.New != nil {
			for m := range numMetrics {
				ch.Deltas[m].Unlike = c.unlike(ch, m)
			}
			tests = append(tests, c.tests(ch, before, after, p)...)
		}
	}

	if text := strangers(c.Changes); text != "" {
		c.warn("%s", text)
	}
	c.Shifts = judge(tests, minChange, c.ByRuns)
	for m, log := range c.Shifts {
		c.Shifts[m] = math.Expm1(log)
		for i := range c.Changes {
			c.Changes[i].Deltas[m].Shift = c.Shifts[m]
		}
	}
	c.sort()
	return c
}

// tests returns the tests of a function on both sides, for the metrics whose noise is known.
func (c *Comparison) tests(ch *Change, before, after *side, p pair) []test {
	var tests []test
	own := min(ownShare(ch.Old), ownShare(ch.New))
	for m := range Max {
		d := &ch.Deltas[m]
		if d.Old <= 0 || d.New <= 0 || !c.comparable(ch, m) {
			continue
		}
		t := test{delta: d, log: math.Log(float64(d.New) / float64(d.Old)), own: own}
		sizes := blockSizes()
		if c.ByRuns {
			sizes = []int{analyze.NumSlices}
		}
		uncertainty := c.uncertainty(ch, m)
		for _, size := range sizes {
			up := t.log > 0
			n := before.noiseOf(p.old, m, size, up).plus(after.noiseOf(p.new, m, size, !up))
			if n.freedom == 0 {
				break
			}
			t.noise = append(t.noise, n.plus(uncertainty))
		}
		if len(t.noise) > 0 {
			tests = append(tests, t)
		}
	}

	if c.ByRuns && c.comparable(ch, Max) {
		oldLog, oldNoise := before.logMax(p.old)
		newLog, newNoise := after.logMax(p.new)
		if n := oldNoise.plus(newNoise); n.freedom > 0 {
			noises := []noise{n.plus(c.uncertainty(ch, Max))}
			tests = append(tests, test{delta: &ch.Deltas[Max], log: newLog - oldLog, noise: noises})
		}
	}
	return tests
}

// uncertainty is the noise of a change from errors that all slices and runs of a side share, so
// that neither show them.
func (c *Comparison) uncertainty(ch *Change, m Metric) noise {
	d := &ch.Deltas[m]
	return noiseOfDifference(d.Old, d.New, m.uncertainty(ch.Old, len(c.Old.Files)), m.uncertainty(ch.New, len(c.New.Files)))
}

// comparable reports whether a metric means the same on both sides, and the traces show its noise.
// The times of dropped calls are unknown, so sums with them have no known noise.
func (c *Comparison) comparable(ch *Change, m Metric) bool {
	return !ch.Deltas[m].Unlike && (m >= P50 || ch.Old.Dropped == 0 && ch.New.Dropped == 0)
}

// unlike reports whether a metric is not the same figure on the two sides. If calls were dropped,
// percentiles are of the other calls only. In a survey, a figure may be a bound.
func (c *Comparison) unlike(ch *Change, m Metric) bool {
	if m.bound(ch.Old) || m.bound(ch.New) {
		return true
	}
	switch m {
	case P50, P90, P99, Max:
		all := ch.Old.Dropped == 0 && ch.New.Dropped == 0
		same := ch.Old.Dropped > 0 && ch.New.Dropped > 0 && slices.Equal(c.Old.Conditions, c.New.Conditions)
		return !all && !same
	}
	return false
}

// sort puts the most important changes first.
func (c *Comparison) sort() {
	rank := func(ch *Change) int {
		switch {
		case ch.Significant():
			return 0
		case ch.Old == nil || ch.New == nil:
			return 1
		}
		return 2
	}
	size := func(ch *Change) int64 {
		d := ch.Deltas[Self].Absolute()
		return max(d, -d)
	}
	slices.SortFunc(c.Changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), cmp.Compare(size(&b), size(&a)), a.Function.Compare(&b.Function))
	})
}

// warn adds a warning about both sides.
func (c *Comparison) warn(text string, args ...any) {
	c.Warnings = append(c.Warnings, analyze.Warning{Text: fmt.Sprintf(text, args...)})
}

// sideWarnings says of warnings which side they are about.
func sideWarnings(side string, list []analyze.Warning) []analyze.Warning {
	list = slices.Clone(list)
	for i, w := range list {
		list[i].Source = side
		if w.Source != "" {
			list[i].Source += ": " + w.Source
		}
	}
	return list
}

// warnSides adds the warnings about each side, and warns of differences between them.
func (c *Comparison) warnSides(before, after *side, minChange float64) {
	c.Warnings = append(c.Warnings, sideWarnings("old", before.Warnings)...)
	c.Warnings = append(c.Warnings, sideWarnings("new", after.Warnings)...)
	if text := keptDiffers(&c.Old, &c.New); text != "" {
		c.warn("%s", text)
	}
	if text := durationsDiffer(&c.Old, &c.New, minChange); c.ByRuns && text != "" {
		c.warn("%s", text)
	}
}

// minShared is the part of the functions of the smaller side that must be on both sides. With less,
// the sides have hardly anything in common.
const minShared = 0.25

// strangers is a warning if hardly a function is on both sides, else "". Nearly every program has a
// main, which says nothing.
func strangers(changes []Change) string {
	var olds, news, both, mains int
	for i := range changes {
		ch := &changes[i]
		switch {
		case ch.New == nil:
			olds++
		case ch.Old == nil:
			news++
		case ch.Name == "main" || ch.Name == "main.main":
			mains++
		default:
			both++
		}
	}
	smaller := min(olds, news) + both
	if smaller == 0 || float64(both) >= minShared*float64(smaller) {
		return ""
	}
	return fmt.Sprintf("old and new have hardly anything in common: %d of their %d and %d functions are the same; are they the same program, with the same probes?",
		both+mains, olds+both+mains, news+both+mains)
}

// keptDiffers is a warning if the two sides kept calls under different conditions, else "".
func keptDiffers(before, after *analyze.Trace) string {
	which := func(t *analyze.Trace) string {
		switch {
		case t.Dropped == 0:
			return "all calls"
		case t.SlowerThan > 0:
			return "calls of at least " + analyze.FormatDuration(t.SlowerThan)
		}
		return "calls that met a condition"
	}
	switch {
	case before.Dropped == 0 && after.Dropped == 0:
		return ""
	case before.Dropped > 0 && after.Dropped > 0 && slices.Equal(before.Conditions, after.Conditions):
		return ""
	}
	return fmt.Sprintf("percentiles and maximum are of %s in the old and of %s in the new: these are not compared", which(before), which(after))
}

// durationsDiffer is a warning if one side's recordings are longer on average, by more than the
// recordings of either side differ among themselves, else "".
func durationsDiffer(before, after *analyze.Trace, minChange float64) string {
	var means, spreads []time.Duration
	for _, t := range []*analyze.Trace{before, after} {
		sum := time.Duration(0)
		for _, d := range t.Durations {
			sum += d
		}
		means = append(means, sum/time.Duration(len(t.Durations)))
		spreads = append(spreads, slices.Max(t.Durations)-slices.Min(t.Durations))
	}
	more := slices.Max(means) - slices.Min(means)
	if more <= slices.Max(spreads) || float64(more) < minChange*float64(slices.Min(means)) {
		return ""
	}
	return fmt.Sprintf("recordings of %s on average are compared with recordings of %s: calls, total and self time are per recording",
		analyze.FormatDuration(means[0]), analyze.FormatDuration(means[1]))
}
