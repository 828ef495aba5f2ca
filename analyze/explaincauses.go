package analyze

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"utrace/analyze/internal/contrast"
	"utrace/format"
)

// Limits of the causes of an Explanation.
const (
	minCauseShare  = 0.2
	maxLevels      = 200 // values of a candidate: the most frequent ones
	maxCauseValues = 5   // of a Cause
	minDistinct    = 8   // numbers from which a threshold is looked for
	minSlow        = 5   // slow calls from which causes are looked for
	maxElsewhere   = 200 // functions
)

// candidate is a possible cause. test completes it, with the calls that it is true of.
type candidate struct {
	cause Cause
	test  func(c *contrast.Contrast, cause *Cause) (share contrast.Share, applies []bool)
}

// causeFinder looks for causes among the sampled calls.
type causeFinder struct {
	e     *explainer
	calls []*sampledCall // the slow ones first
	slow  int
	list  []candidate
}

// setCauses completes Causes, Unexplained and Examples.
func (e *explainer) setCauses(x *Explanation) {
	f := &causeFinder{e: e, slow: len(e.samples[slowCalls].calls)}
	for of := range e.samples {
		for i := range e.samples[of].calls {
			f.calls = append(f.calls, &e.samples[of].calls[i])
		}
	}
	x.Unexplained = 1
	var found []foundCause
	if f.slow >= minSlow {
		f.collect()
		x.Candidates = len(f.list)
		c := contrastOf(e.samples[slowCalls].calls, e.samples[typicalCalls].calls, len(f.list))
		if found = f.find(c); len(found) > 0 {
			x.Unexplained = max(0, 1-max(found[0].cause.Share.Part, c.Extra(union(found))))
		}
	}
	for i := range found {
		x.Causes = append(x.Causes, found[i].cause)
	}
	x.Examples = f.examples(found)
}

// foundCause is a cause with the calls that it is true of.
type foundCause struct {
	*candidate
	applies []bool
}

// find tests the candidates. It returns those that are significant and large, largest share first. A
// cause must also be so for what is left by those before it: others only repeat them.
func (f *causeFinder) find(c *contrast.Contrast) (found []foundCause) {
	var list []foundCause
	for i := range f.list {
		of := &f.list[i]
		share, applies := of.test(c, &of.cause)
		if share.Part >= minCauseShare && c.Significant(share) {
			of.cause.Share, of.cause.P = Share{share.Part, share.Low, share.High}, share.P
			list = append(list, foundCause{of, applies})
		}
	}
	slices.SortStableFunc(list, func(a, b foundCause) int { return cmp.Compare(b.cause.Share.Part, a.cause.Share.Part) })
	for i := range list {
		if i > 0 {
			again := Cause{}
			share, _ := list[i].test(c, &again)
			if share.Part < minCauseShare || !c.Significant(share) {
				continue
			}
		}
		found = append(found, list[i])
		c = c.Without(list[i].applies)
	}
	return found
}

// union returns the calls that any of the causes is true of.
func union(list []foundCause) []bool {
	all := make([]bool, len(list[0].applies))
	for i := range list {
		for k, is := range list[i].applies {
			all[k] = all[k] || is
		}
	}
	return all
}

// maxShown is the number of examples.
const maxShown = 3

// examples returns the slowest calls, those that the first cause is true of first.
func (f *causeFinder) examples(found []foundCause) (list []SlowCall) {
	type key struct {
		file int
		callKey
	}
	ranks := map[key]int{}
	for i, c := range f.calls[:f.slow] {
		if len(found) > 0 && found[0].applies[i] {
			ranks[key{c.file, c.callKey}] = -1
		}
	}
	rank := func(c *exampleCall) int { return ranks[key{c.file, c.callKey}] }
	slices.SortStableFunc(f.e.examples, func(a, b exampleCall) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), compareSlowness(a.rankedCall, b.rankedCall))
	})
	for _, c := range f.e.examples[:min(maxShown, len(f.e.examples))] {
		list = append(list, c.SlowCall)
	}
	return list
}

// collect makes the candidates. Those that are alike in all calls are none.
func (f *causeFinder) collect() {
	f.values(func(c *sampledCall) ([]format.Arg, []byte) { return c.def.Args, c.args }, CauseArgument)
	f.values(func(c *sampledCall) ([]format.Arg, []byte) { return c.def.Results, c.results }, CauseResult)
	flag := func(is bool) Value { return Value{strconv.FormatBool(is), is} }
	number := func(n int) Value { return Value{strconv.Itoa(n), json.Number(strconv.Itoa(n))} }
	f.levels(Cause{Kind: CauseFailed}, func(c *sampledCall) Value { return flag(c.failed) })
	f.levels(Cause{Kind: CauseFirst}, func(c *sampledCall) Value { return flag(c.first) })
	f.levels(Cause{Kind: CauseThread}, func(c *sampledCall) Value {
		text := strings.TrimSpace(c.info.Comm + " " + FlowName(&c.info))
		return Value{text, text}
	})
	f.levels(Cause{Kind: CauseProcess}, func(c *sampledCall) Value {
		text := strings.TrimSpace(c.process + " " + strconv.Itoa(c.info.PID))
		return Value{text, text}
	})
	f.levels(Cause{Kind: CauseCPU}, func(c *sampledCall) Value { return number(int(c.cpu)) })
	f.recorder()
	f.burst()
	f.elsewhere()
	f.trend()
}

// levels adds a candidate with a value for each call.
func (f *causeFinder) levels(cause Cause, of func(*sampledCall) Value) {
	values := make([]Value, len(f.calls))
	for i, c := range f.calls {
		values[i] = of(c)
	}
	f.valueLevels(cause, values)
}

// values adds the candidates of arguments or results, by name.
func (f *causeFinder) values(of func(*sampledCall) ([]format.Arg, []byte), kind CauseKind) {
	var names []string
	for _, c := range f.calls {
		defs, _ := of(c)
		for _, a := range defs {
			names = appendNew(names, a.Name)
		}
	}
	for _, name := range names {
		values := make([]Value, len(f.calls))
		for i, c := range f.calls {
			defs, raw := of(c)
			at := slices.IndexFunc(defs, func(a format.Arg) bool { return a.Name == name })
			if at < 0 {
				continue
			}
			if v, ok := element(raw, at); ok {
				values[i] = Value{cutText(formatValue(defs[at].Type, v)), plainValue(v)}
			}
		}
		cause := Cause{Kind: kind, Name: Printable(name)}
		f.valueLevels(cause, values)
		f.threshold(cause, values)
	}
}

// maxLevelText is how many bytes of a value are kept.
const maxLevelText = 200

func cutText(text string) string {
	if len(text) <= maxLevelText {
		return text
	}
	return strings.ToValidUTF8(text[:maxLevelText], "") + cutMark
}

// valueLevels adds a candidate with values that repeat.
func (f *causeFinder) valueLevels(cause Cause, values []Value) {
	counts := map[string]int{}
	for i := range values {
		counts[values[i].Text]++
	}
	if len(counts) < 2 || len(counts) > len(values)/2 {
		return
	}
	texts := make([]string, 0, len(counts))
	for text := range counts {
		texts = append(texts, text)
	}
	slices.SortFunc(texts, func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	index, list := map[string]int{}, []Value{}
	for _, text := range texts[:min(maxLevels, len(texts))] {
		index[text] = len(list)
		list = append(list, Value{Text: text})
	}
	if len(texts) > len(list) {
		list = append(list, Value{otherValues, otherValues})
	}
	levels := make([]int, len(values))
	for i := range values {
		n, ok := index[values[i].Text]
		if !ok {
			n = len(list) - 1
		} else {
			list[n] = values[i]
		}
		levels[i] = n
	}
	f.list = append(f.list, candidate{cause, func(c *contrast.Contrast, cause *Cause) (contrast.Share, []bool) {
		share, over := c.Levels(levels, len(list))
		applies := make([]bool, len(levels))
		in := make([]int, len(list)) // slow calls with each value
		for i, l := range levels {
			if applies[i] = over[l]; over[l] && i < f.slow {
				in[l]++
			}
		}
		f.setParts(cause, applies)
		order := make([]int, 0, len(list))
		for l := range list {
			if over[l] && in[l] > 0 {
				order = append(order, l)
			}
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(in[b], in[a]), compareValues(&list[a], &list[b])) })
		if once := slices.IndexFunc(order, func(l int) bool { return in[l] == 1 }); once > 0 { // probably by chance
			order = order[:once]
		}
		for _, l := range order[:min(maxCauseValues, len(order))] {
			v := list[l]
			v.Text = cmp.Or(v.Text, "not recorded")
			cause.Values = append(cause.Values, v)
		}
		slices.SortStableFunc(cause.Values, func(a, b Value) int { return compareValues(&a, &b) })
		cause.More = len(order) - len(cause.Values)
		return share, applies
	}})
}

// threshold adds a candidate with a number for each call.
func (f *causeFinder) threshold(cause Cause, values []Value) {
	numbers := make([]float64, len(values))
	distinct := map[float64]bool{}
	for i := range values {
		n, ok := values[i].Plain.(json.Number)
		if !ok {
			return
		}
		v, err := n.Float64()
		if err != nil {
			return
		}
		numbers[i] = v
		distinct[v] = true
	}
	if len(distinct) >= minDistinct {
		f.numbers(cause, numbers, false)
	}
}

// numbers adds a candidate with a number for each call.
func (f *causeFinder) numbers(cause Cause, numbers []float64, onlyAbove bool) {
	f.list = append(f.list, candidate{cause, func(c *contrast.Contrast, cause *Cause) (share contrast.Share, applies []bool) {
		share, cause.Threshold, cause.Below = c.Threshold(numbers, onlyAbove)
		applies = make([]bool, len(numbers))
		for i, v := range numbers {
			applies[i] = v < cause.Threshold == cause.Below
		}
		f.setParts(cause, applies)
		return share, applies
	}})
}

// setParts counts the calls that a cause applies to.
func (f *causeFinder) setParts(cause *Cause, applies []bool) {
	slow, typical := 0, 0
	for i, is := range applies {
		switch {
		case is && i < f.slow:
			slow++
		case is:
			typical++
		}
	}
	cause.SlowPart = float64(slow) / float64(f.slow)
	cause.TypicalPart = float64(typical) / float64(max(1, len(applies)-f.slow))
}

// overlap adds a candidate with the time of each call in which something else happened.
func (f *causeFinder) overlap(cause Cause, ns []float64) {
	if sumOf(ns) == 0 {
		return
	}
	f.list = append(f.list, candidate{cause, func(c *contrast.Contrast, cause *Cause) (contrast.Share, []bool) {
		share := c.Overlap(ns)
		applies := make([]bool, len(ns))
		slow, typical, slowNs, typicalNs := 0.0, 0.0, 0.0, 0.0
		for i, call := range f.calls {
			d := float64(call.elapsedNs)
			applies[i] = ns[i] >= d/2
			if i < f.slow {
				slow, slowNs = slow+ns[i], slowNs+d
			} else {
				typical, typicalNs = typical+ns[i], typicalNs+d
			}
		}
		cause.SlowPart, cause.TypicalPart = slow/max(1, slowNs), typical/max(1, typicalNs)
		return share, applies
	}})
}

// recorder adds the time in which the recorder had pre-empted the thread, which only --raw shows.
func (f *causeFinder) recorder() {
	if !f.e.opts.Raw {
		return
	}
	f.overlap(Cause{Kind: CauseRecorder}, f.each(func(c *sampledCall) float64 { return float64(c.preemptedNs) }))
}

// each returns a number of each call.
func (f *causeFinder) each(of func(*sampledCall) float64) []float64 {
	list := make([]float64, len(f.calls))
	for i, c := range f.calls {
		list[i] = of(c)
	}
	return list
}

// burst adds how many calls of the function began at about the same time. A queue need not be served
// in order, so calls that began a little later count as well.
func (f *causeFinder) burst() {
	within := f.e.limits.than
	sums := make([][]float64, len(f.e.traces))
	for i := range sums {
		a := &f.e.traces[i].arrivals
		sums[i] = a.sums()
		within = max(within, time.Duration(burstSlots*a.slotNs))
	}
	f.numbers(Cause{Kind: CauseBurst, Within: within}, f.each(func(c *sampledCall) float64 {
		a := &f.e.traces[c.file].arrivals
		from := c.startNs - int64(within)/2
		return math.Round(a.before(sums[c.file], from+int64(within)) - a.before(sums[c.file], from))
	}), true)
}

// elsewhere adds the functions that ran on other threads meanwhile. The callers of the function
// itself are no candidates.
func (f *causeFinder) elsewhere() {
	lists, times := map[format.FuncID][][]period{}, map[format.FuncID]int64{} // by function, and file
	for file := range f.e.traces {
		t := &f.e.traces[file]
		for _, p := range t.others.list {
			if t.callers[p.fn] {
				continue
			}
			if lists[p.fn] == nil {
				lists[p.fn] = make([][]period, len(f.e.traces))
			}
			lists[p.fn][file] = append(lists[p.fn][file], p)
			times[p.fn] += p.to - p.from
		}
	}
	name := func(fn format.FuncID) *Function { return &f.e.fns.list[f.e.list[fn]] }
	order := slices.SortedFunc(maps.Keys(lists), func(a, b format.FuncID) int {
		return cmp.Or(cmp.Compare(times[b], times[a]), name(a).Compare(name(b)))
	})
	order = order[:min(maxElsewhere, len(order))]
	for _, fn := range order {
		covers := make([]*cover, len(f.e.traces))
		for file := range covers {
			covers[file] = coverOf(lists[fn][file])
		}
		f.overlap(Cause{Kind: CauseElsewhere, Name: name(fn).Name}, f.each(func(c *sampledCall) float64 {
			return covers[c.file].during(c.startNs, c.startNs+c.elapsedNs)
		}))
	}
}

// trend adds a slow change over the recording. Several traces have different times.
func (f *causeFinder) trend() {
	if len(f.e.traces) > 1 {
		return
	}
	var at, ns []float64
	for i := range f.e.all.calls {
		c := &f.e.all.calls[i]
		at, ns = append(at, float64(c.startNs)), append(ns, float64(c.duration))
	}
	f.list = append(f.list, candidate{Cause{Kind: CauseTrend}, func(c *contrast.Contrast, cause *Cause) (contrast.Share, []bool) {
		share, grows, applies := c.Trend(at, ns)
		cause.Below = !grows
		return share, applies
	}})
}

func sumOf(list []float64) (sum float64) {
	for _, v := range list {
		sum += v
	}
	return sum
}
