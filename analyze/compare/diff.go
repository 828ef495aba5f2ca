package compare

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"utrace/analyze"
)

// Metric is a figure of a function that a Comparison compares.
type Metric uint8

// The metrics: calls are a number, all others nanoseconds.
const (
	Calls Metric = iota
	Total
	Self
	Avg
	P50
	P90
	P99
	Max
	numMetrics
)

func metricNames() [numMetrics]string {
	return [numMetrics]string{"calls", "total", "self", "avg", "p50", "p90", "p99", "max"}
}

func (m Metric) String() string { return metricNames()[m] }

// Delta is a metric of a function on both sides.
type Delta struct {
	Old, New int64   // calls, total and self per trace
	Shift    float64 // what all functions have changed by, and this one with them: 0.1 is 10% more
	// P is how likely it is that, with nothing changed, any function of the comparison shows as clear a change as
	// this one. 1 where it could not be tested.
	P           float64
	Tested      bool // there was enough to know the noise
	Significant bool
	Unlike      bool // on the two sides it is of other calls, see Comparison.Warnings
	metric      Metric
}

// Relative is the change beyond the shift: 0.1 is 10% more. Infinite if there was nothing before.
func (d *Delta) Relative() float64 {
	switch {
	case d.Old == d.New && d.Shift == 0:
		return 0
	case d.Old == 0:
		return math.Inf(1)
	}
	return float64(d.New)/(float64(d.Old)*(1+d.Shift)) - 1
}

// Absolute is the change beyond the shift, in calls or nanoseconds.
func (d *Delta) Absolute() int64 {
	return d.New - int64(math.Round(float64(d.Old)*(1+d.Shift)))
}

// Change is a function, on both sides or on one.
type Change struct {
	analyze.Function              // as it is on the new side, if it is there
	Label            string       // the name and, if others have the same, what tells it apart
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

// BelowResolution reports whether a function's calls are, on either side, shorter than what is known of its probes' cost.
func (c *Change) BelowResolution() bool {
	return c.Old != nil && c.Old.BelowResolution || c.New != nil && c.New.BelowResolution
}

// Comparison is what changed from some traces to others. The same traces give the same Comparison. Significant
// changes come first, then those on one side only; within them, the larger change of self time.
type Comparison struct {
	Old, New analyze.Trace
	Changes  []Change
	Shifts   map[Metric]float64 // of all functions; empty if there are enough traces, or too few functions, to know one
	ByRuns   bool               // the noise is that between the traces of a side, not that within them
	Warnings []analyze.Warning  // Source is the side and, if it has several traces, the trace
}

// Diff compares traces. least is the least relative change that matters, such as 0.05. Options.Function chooses
// among the changes, which are judged with those of all functions. Functions are the same if name, file name of the module and file name of the source are, or if the name is the only one of its kind.
// Where what probes took is known of some of the traces only, all are compared as with Options.Raw.
func Diff(oldPaths, newPaths []string, opts analyze.Options, minChange float64) (*Comparison, error) {
	function := opts.Function
	opts.Function = nil // all functions tell what the machine's share is
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
		c.warn("what the probes took was not measured in %s: all times are as measured, with what they took", strings.Join(unmeasured, ", "))
	}
	c.Changes = slices.DeleteFunc(c.Changes, func(ch Change) bool {
		return !function.MatchFunction(&ch.Function)
	})
	if len(c.Changes) == 0 && function != nil {
		c.warn("no call matches the functions that were selected")
	}
	return c, nil
}

func readSides(oldPaths, newPaths []string, opts analyze.Options) (before, after *side, err error) {
	if before, err = readSide(oldPaths, opts); err != nil {
		return nil, nil, err
	}
	after, err = readSide(newPaths, opts)
	return before, after, err
}

// warn adds a warning about both sides.
func (c *Comparison) warn(text string, args ...any) {
	c.Warnings = append(c.Warnings, analyze.Warning{Text: fmt.Sprintf(text, args...)})
}

// warnOf adds the warnings about one side.
func (c *Comparison) warnOf(side string, list []analyze.Warning) {
	for _, w := range list {
		if w.Source != "" {
			w.Source = side + ": " + w.Source
		} else {
			w.Source = side
		}
		c.Warnings = append(c.Warnings, w)
	}
}

func compare(before, after *side, minChange float64) *Comparison {
	olds, news := len(before.Trace.Files), len(after.Trace.Files)
	c := &Comparison{Old: before.Trace, New: after.Trace, ByRuns: olds >= minRuns && news >= minRuns}
	c.warnOf("old", before.Warnings)
	c.warnOf("new", after.Warnings)
	if text := keptDiffers(&c.Old, &c.New); text != "" {
		c.warn("%s", text)
	}
	if text := durationsDiffer(&c.Old, &c.New, minChange); c.ByRuns && text != "" {
		c.warn("%s", text)
	}
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
	c.Shifts = judge(tests, minChange, c.ByRuns)
	for i := range c.Changes {
		for m, log := range c.Shifts {
			c.Changes[i].Deltas[m].Shift = math.Expm1(log)
		}
	}
	for m, log := range c.Shifts {
		c.Shifts[m] = math.Expm1(log)
	}
	c.sort()
	return c
}

// tests are those of a function on both sides for which there is enough to know the noise.
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
		doubt := c.doubt(ch, m)
		for _, size := range sizes {
			up := t.log > 0
			n := before.noiseOf(p.old, m, size, up).plus(after.noiseOf(p.new, m, size, !up))
			if n.freedom == 0 {
				break
			}
			t.noise = append(t.noise, n.plus(doubt))
		}
		if len(t.noise) > 0 {
			tests = append(tests, t)
		}
	}
	if c.ByRuns && c.comparable(ch, Max) {
		oldLog, oldNoise := before.logMax(p.old)
		newLog, newNoise := after.logMax(p.new)
		if n := oldNoise.plus(newNoise); n.freedom > 0 {
			tests = append(tests, test{delta: &ch.Deltas[Max], log: newLog - oldLog, noise: []noise{n.plus(c.doubt(ch, Max))}})
		}
	}
	return tests
}

// doubt is the noise of a change by what both figures may be wrong by all along, so that neither slices nor runs show it.
func (c *Comparison) doubt(ch *Change, m Metric) noise {
	d := &ch.Deltas[m]
	return noiseOfDifference(d.Old, d.New, m.doubt(ch.Old, len(c.Old.Files)), m.doubt(ch.New, len(c.New.Files)))
}

// doubt is what the metric of a row of so many traces may be wrong by, for events that were lost and for the part of what was
// subtracted that is not resolved.
func (m Metric) doubt(r *analyze.Row, traces int) float64 {
	switch m {
	case Calls:
		return float64(r.Lost) / float64(traces)
	case Total, Self:
		return (float64(r.Unresolved+r.UncertainTotal) + float64(r.Lost)*float64(r.Mean())) / float64(traces)
	}
	return float64(r.Unresolved) / float64(max(1, r.Durations.Count()))
}

// comparable reports whether a metric of a function means the same on both sides, and the traces show how it varies: of
// calls that were dropped it is not known when they were.
func (c *Comparison) comparable(ch *Change, m Metric) bool {
	return !ch.Deltas[m].Unlike && (m >= P50 || ch.Old.Dropped == 0 && ch.New.Dropped == 0)
}

// unlike reports whether a metric of a function is of other calls on the two sides. Where calls were dropped, percentiles are of
// the others only. A function that was taken off has the calls of a part of the time, and was inside of others only then.
func (c *Comparison) unlike(ch *Change, m Metric) bool {
	switch m {
	case P50, P90, P99, Max:
		all := ch.Old.Dropped == 0 && ch.New.Dropped == 0
		same := ch.Old.Dropped > 0 && ch.New.Dropped > 0 && slices.Equal(c.Old.Conditions, c.New.Conditions)
		return !all && !same
	case Avg:
		return false
	}
	off := ch.Old.RemovedAt != 0 || ch.New.RemovedAt != 0
	if alone := ownShare(ch.Old) == 1 && ownShare(ch.New) == 1; m == Self && !alone {
		off = off || len(c.Old.Removed)+len(c.New.Removed) > 0
	}
	return off
}

// keptDiffers says that the calls of two sides have met different conditions, "" if they have not.
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
	if before.Dropped == 0 && after.Dropped == 0 || before.Dropped > 0 && after.Dropped > 0 && slices.Equal(before.Conditions, after.Conditions) {
		return ""
	}
	return fmt.Sprintf("percentiles and maximum are of %s in the old and of %s in the new: these are not compared", which(before), which(after))
}

// durationsDiffer says that the recordings of a side are longer than those of the other, by more than those of a side
// differ, "" if they are not.
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
	return fmt.Sprintf("recordings of %s on average are compared with such of %s: calls, total and self time are per recording",
		analyze.FormatDuration(means[0]), analyze.FormatDuration(means[1]))
}

// ownShare is the share of the time of the complete calls that is not their callees'.
func ownShare(r *analyze.Row) float64 {
	if sum := r.Durations.Sum() + r.UncertainTime + r.DroppedSum; sum > 0 {
		return min(1, float64(r.Self)/float64(sum))
	}
	return 0
}

// of is the metric of a row of so many traces.
func (m Metric) of(r *analyze.Row, traces int) int64 {
	if r == nil {
		return 0
	}
	each := func(sum int64) int64 { return (sum + int64(traces)/2) / int64(traces) }
	switch m {
	case Calls:
		return each(int64(r.Calls))
	case Total:
		return each(int64(r.Total))
	case Self:
		return each(int64(r.Self))
	case Avg:
		return int64(r.Mean())
	case P50, P90, P99:
		return int64(r.Durations.Quantile(quantiles()[m-P50]))
	}
	return int64(r.Durations.Max())
}

// sort puts first what matters most.
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

// none stands for no row.
const none = -1

// pair is the rows of a function on both sides, none on the side where it was not called.
type pair struct{ old, new int }

// match finds the functions that are on both sides. Addresses and build IDs differ from build to build, and
// directories from machine to machine.
func match(before, after []analyze.Row) []pair {
	keys := []func(*analyze.Row) string{
		func(r *analyze.Row) string {
			return r.Name + "\x00" + filepath.Base(r.Module) + "\x00" + r.File + fmt.Sprint("\x00", r.Addr)
		},
		func(r *analyze.Row) string {
			return r.Name + "\x00" + filepath.Base(r.Module) + "\x00" + filepath.Base(r.File)
		},
		func(r *analyze.Row) string {
			return r.Name + "\x00" + strings.SplitN(filepath.Base(r.Module), ".so", 2)[0]
		},
		func(r *analyze.Row) string { return r.Name },
	}
	var pairs []pair
	matchedOld, matchedNew := make([]bool, len(before)), make([]bool, len(after))
	for _, key := range keys {
		olds, news := unique(before, matchedOld, key), unique(after, matchedNew, key)
		for i := range before {
			if matchedOld[i] {
				continue
			}
			k := key(&before[i])
			j, ok := news[k]
			if _, only := olds[k]; !ok || !only {
				continue
			}
			matchedOld[i], matchedNew[j] = true, true
			pairs = append(pairs, pair{i, j})
		}
	}
	for i, done := range matchedOld {
		if !done {
			pairs = append(pairs, pair{i, none})
		}
	}
	for j, done := range matchedNew {
		if !done {
			pairs = append(pairs, pair{none, j})
		}
	}
	return pairs
}

// unique indexes the rows that are not matched yet and have a key that no other of them has.
func unique(rows []analyze.Row, matched []bool, key func(*analyze.Row) string) map[string]int {
	index, count := map[string]int{}, map[string]int{}
	for i := range rows {
		if !matched[i] {
			k := key(&rows[i])
			index[k] = i
			count[k]++
		}
	}
	for k, n := range count {
		if n > 1 {
			delete(index, k)
		}
	}
	return index
}
