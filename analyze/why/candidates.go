package why

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"utrace/analyze"
	"utrace/analyze/internal/timeline"
	"utrace/analyze/why/internal/contrast"
	"utrace/format"
)

// Limits of the causes of an Explanation.
const (
	minCauseShare  = 0.2
	minOdds        = 3.0  // of slow calls to have a cause, as against typical ones
	minCPUOdds     = 10.0 // the same of a processor
	maxLevels      = 200  // values of a candidate: the most frequent ones
	maxCauseValues = 5    // of a Cause
	minDistinct    = 8    // numbers from which a threshold is looked for
	minSlow        = 5    // slow calls from which causes are looked for
	maxElsewhere   = 200  // functions
)

// candidate is a possible cause. test completes it, with the calls that it is true of.
type candidate struct {
	cause Cause
	test  func(c *contrast.Contrast, cause *Cause) (share contrast.Share, applies []bool)
}

// causeFinder looks for causes among the sampled calls.
type causeFinder struct {
	e     *explainer
	calls []*analyze.SampledCall // the slow ones first
	slow  int
	list  []candidate
}

// setCauses completes Causes, Unexplained and Examples.
func (e *explainer) setCauses() {
	x := e.x
	f := &causeFinder{e: e, slow: len(e.Samples[analyze.SlowClass])}
	for of := range e.Samples {
		for i := range e.Samples[of] {
			f.calls = append(f.calls, &e.Samples[of][i])
		}
	}
	x.Unexplained = 1
	var found []foundCause
	if f.slow >= minSlow {
		f.collect()
		x.Candidates = len(f.list)
		c := contrastOf(e.Samples[analyze.SlowClass], e.Samples[analyze.TypicalClass], len(f.list))
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
		if share.Part >= minCauseShare && of.cause.distinguishes() && c.Significant(share) {
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
func (f *causeFinder) examples(found []foundCause) (list []analyze.SlowCall) {
	ranks := map[analyze.CallID]int{}
	for i, c := range f.calls[:f.slow] {
		if len(found) > 0 && found[0].applies[i] {
			ranks[c.ID] = -1
		}
	}
	slices.SortStableFunc(f.e.Examples, func(a, b analyze.ExampleCall) int { return cmp.Compare(ranks[a.ID], ranks[b.ID]) })
	for _, c := range f.e.Examples[:min(maxShown, len(f.e.Examples))] {
		list = append(list, c.SlowCall)
	}
	return list
}

// collect makes the candidates. Those that are alike in all calls are none.
func (f *causeFinder) collect() {
	f.values((*analyze.SampledCall).Args, CauseArgument)
	f.values((*analyze.SampledCall).Results, CauseResult)
	flag := func(is bool) analyze.Value { return analyze.Value{Text: strconv.FormatBool(is), Plain: is} }
	number := func(n int) analyze.Value {
		return analyze.Value{Text: strconv.Itoa(n), Plain: json.Number(strconv.Itoa(n))}
	}
	f.levels(Cause{Kind: CauseFailed}, func(c *analyze.SampledCall) analyze.Value { return flag(c.Failed) })
	f.levels(Cause{Kind: CauseFirst}, func(c *analyze.SampledCall) analyze.Value { return flag(c.First) })
	f.levels(Cause{Kind: CauseThread}, func(c *analyze.SampledCall) analyze.Value {
		text := strings.TrimSpace(c.Thread.Comm + " " + analyze.FlowName(&c.Thread))
		return analyze.Value{Text: text, Plain: text}
	})
	f.levels(Cause{Kind: CauseProcess}, func(c *analyze.SampledCall) analyze.Value {
		text := strings.TrimSpace(c.Process + " " + strconv.Itoa(c.Thread.PID))
		return analyze.Value{Text: text, Plain: text}
	})
	f.levels(Cause{Kind: CauseCPU}, func(c *analyze.SampledCall) analyze.Value { return number(int(c.CPU)) })
	f.recorder()
	f.burst()
	f.elsewhere()
	f.trend()
}

// levels adds a candidate with a value for each call.
func (f *causeFinder) levels(cause Cause, of func(*analyze.SampledCall) analyze.Value) {
	values := make([]analyze.Value, len(f.calls))
	for i, c := range f.calls {
		values[i] = of(c)
	}
	f.valueLevels(cause, values)
}

// values adds the candidates of arguments or results, by name.
func (f *causeFinder) values(of func(*analyze.SampledCall) []analyze.NamedValue, kind CauseKind) {
	all := make([][]analyze.NamedValue, len(f.calls))
	var names []string
	for i, c := range f.calls {
		all[i] = of(c)
		for k := range all[i] {
			if name := all[i][k].Name; name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		values := make([]analyze.Value, len(f.calls))
		for i, list := range all {
			if at := slices.IndexFunc(list, func(v analyze.NamedValue) bool { return v.Name == name }); at >= 0 {
				values[i] = list[at].Value
			}
		}
		cause := Cause{Kind: kind, Name: analyze.Printable(name)}
		f.valueLevels(cause, values)
		f.threshold(cause, values)
	}
}

// valueLevels adds a candidate with values that repeat.
func (f *causeFinder) valueLevels(cause Cause, values []analyze.Value) {
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
	index, list := map[string]int{}, []analyze.Value{}
	for _, text := range texts[:min(maxLevels, len(texts))] {
		index[text] = len(list)
		list = append(list, analyze.Value{Text: text})
	}
	if len(texts) > len(list) {
		list = append(list, analyze.Value{Text: analyze.OtherValues, Plain: analyze.OtherValues})
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
		slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(in[b], in[a]), list[a].Compare(&list[b])) })
		if once := slices.IndexFunc(order, func(l int) bool { return in[l] == 1 }); once > 0 { // probably by chance
			order = order[:once]
		}
		for _, l := range order[:min(maxCauseValues, len(order))] {
			v := list[l]
			v.Text = cmp.Or(v.Text, "not recorded")
			cause.Values = append(cause.Values, v)
		}
		slices.SortStableFunc(cause.Values, func(a, b analyze.Value) int { return a.Compare(&b) })
		cause.More = len(order) - len(cause.Values)
		return share, applies
	}})
}

// threshold adds a candidate with a number for each call.
func (f *causeFinder) threshold(cause Cause, values []analyze.Value) {
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
			d := float64(call.Elapsed)
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
	f.overlap(Cause{Kind: CauseRecorder}, f.each(func(c *analyze.SampledCall) float64 { return float64(c.Preempted) }))
}

// each returns a number of each call.
func (f *causeFinder) each(of func(*analyze.SampledCall) float64) []float64 {
	list := make([]float64, len(f.calls))
	for i, c := range f.calls {
		list[i] = of(c)
	}
	return list
}

// burst adds how many calls of the function began at about the same time. A queue need not be served
// in order, so calls that began a little later count as well.
func (f *causeFinder) burst() {
	within := f.e.Limits.Than
	sums := make([][]float64, len(f.e.Traces))
	for i := range sums {
		a := &f.e.Traces[i].Arrivals
		sums[i] = a.Sums()
		within = max(within, time.Duration(a.ResolutionNs()))
	}
	f.numbers(Cause{Kind: CauseBurst, Within: within}, f.each(func(c *analyze.SampledCall) float64 {
		a := &f.e.Traces[c.ID.File].Arrivals
		from := int64(c.ID.Start() - within/2)
		return math.Round(a.Before(sums[c.ID.File], from+int64(within)) - a.Before(sums[c.ID.File], from))
	}), true)
}

// elsewhere adds the functions that ran on other threads meanwhile. The callers of the function
// itself are no candidates.
func (f *causeFinder) elsewhere() {
	lists, times := map[format.FuncID][][]timeline.Period{}, map[format.FuncID]int64{} // by function, and file
	for file := range f.e.Traces {
		t := &f.e.Traces[file]
		for _, p := range t.Others.List {
			if t.Callers[p.Func] {
				continue
			}
			if lists[p.Func] == nil {
				lists[p.Func] = make([][]timeline.Period, len(f.e.Traces))
			}
			lists[p.Func][file] = append(lists[p.Func][file], p)
			times[p.Func] += p.To - p.From
		}
	}
	name := func(fn format.FuncID) *analyze.Function { return &f.e.Functions[fn] }
	order := slices.SortedFunc(maps.Keys(lists), func(a, b format.FuncID) int {
		return cmp.Or(cmp.Compare(times[b], times[a]), name(a).Compare(name(b)))
	})
	order = order[:min(maxElsewhere, len(order))]
	for _, fn := range order {
		covers := make([]*timeline.Cover, len(f.e.Traces))
		for file := range covers {
			covers[file] = timeline.CoverOf(lists[fn][file])
		}
		f.overlap(Cause{Kind: CauseElsewhere, Name: name(fn).Name}, f.each(func(c *analyze.SampledCall) float64 {
			return covers[c.ID.File].During(int64(c.ID.Start()), int64(c.ID.Start()+c.Elapsed))
		}))
	}
}

// trend adds a slow change over the recording. Several traces have different times.
func (f *causeFinder) trend() {
	if len(f.e.Traces) > 1 {
		return
	}
	var at, ns []float64
	for i := range f.e.All {
		c := &f.e.All[i]
		at, ns = append(at, float64(c.ID.Start())), append(ns, float64(c.Duration))
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
