package analyze

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"utrace/analyze/internal/contrast"
	"utrace/format"
)

// Explanation says why the slow calls of a function take longer than its typical ones. The same
// traces give the same Explanation.
type Explanation struct {
	Function Function
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
	// Causes are what distinguishes slow calls, largest share first. Those below 10%, and those that
	// may be chance, are left out.
	Causes      []Cause
	Candidates  int     // that were tested
	Unexplained float64 // part of the difference in calls that none of Causes is about
	Examples    []SlowCall
	Trace       Trace
	Warnings    []Warning
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
func Explain(paths []string, function *Pattern, than Than, opts Options) (*Explanation, error) {
	e, err := readExplained(paths, function, opts, 0)
	if err != nil {
		return nil, err
	}
	return e.explain(than)
}

// ExplainChange compares the calls of a function in new traces with those in old ones, like Explain.
// It does not look for causes.
func ExplainChange(old, new []string, function *Pattern, opts Options) (*Explanation, error) {
	e, err := readExplained(slices.Concat(old, new), function, opts, len(old))
	if err != nil {
		return nil, err
	}
	return e.explain(Than{})
}

// readExplained is the first pass over traces.
func readExplained(paths []string, function *Pattern, opts Options, oldFiles int) (*explainer, error) {
	opts.Function = function
	e := &explainer{
		paths: paths, opts: &opts, sum: newSummary(paths), fns: newFunctions(), tails: map[int]*tail{}, functions: map[int]uint32{},
		sums: newPathSums(), oldFiles: oldFiles,
	}
	for i, path := range paths {
		if err := e.readTails(i, path); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// explain chooses the function, and makes the second pass.
func (e *explainer) explain(than Than) (*Explanation, error) {
	if !e.choose(than) {
		e.sum.warnNothing(e.opts)
		return &Explanation{Trace: e.sum.result(), Warnings: e.sum.warnings}, nil
	}
	for i, path := range e.paths {
		if err := e.readCalls(i, path); err != nil {
			return nil, err
		}
	}
	return e.explanation(), nil
}

// explainer makes an Explanation of traces, one after the other.
type explainer struct {
	paths    []string
	oldFiles int // see limits
	opts     *Options
	sum      *summary
	fns      *functions
	tails    map[int]*tail // by number of the function
	target   int           // number of the compared function
	limits   limits

	functions       map[int]uint32 // numbers of functions in nodes and periods, by number in fns
	list            []int          // the reverse
	sums            pathSums
	samples         [otherCalls]callSample
	all             callSample
	traces          []comparedTrace
	groups          [otherCalls]callTotals
	incomplete, cut uint64
	examples        []exampleCall
}

// exampleCall is one of the slowest calls.
type exampleCall struct {
	rankedCall
	SlowCall
}

// comparedTrace is what an explainer keeps of one trace.
type comparedTrace struct {
	others   periods
	arrivals arrivals
	callers  map[format.FuncID]bool // of the compared function, by number of nodes
	names    map[int]string         // of the threads that woke others, by TID; "" if unknown
}

// readTails is the first pass over a trace.
func (e *explainer) readTails(file int, path string) error {
	src, err := openSource(path, e.opts)
	if err != nil {
		return err
	}
	views := make([]view, shards())
	for i := range views {
		views[i] = &tails{opts: e.opts, file: file}
	}
	t, err := src.pair(e.opts, format.Columns{}, views)
	src.close()
	if err != nil {
		return err
	}
	e.sum.add(path, src, t, e.opts)
	e.sum.warnDropped(path, src, e.opts)
	for _, v := range views {
		for fn, of := range v.(*tails).funcs {
			if of == nil || of.Durations.Count()+of.Censored.Count() == 0 {
				continue
			}
			n := e.fns.add(&src.tables.Funcs[fn], src.tables.Modules)
			if e.tails[n] == nil {
				e.tails[n] = newTail()
			}
			e.tails[n].merge(of)
			e.tails[n].functions = append(e.tails[n].functions, functionIn{file, format.FuncID(fn)})
		}
	}
	return nil
}

// choose chooses the compared function and the limits of both groups. It returns false if there is
// no complete call.
func (e *explainer) choose(than Than) bool {
	numbers := slices.SortedFunc(maps.Keys(e.tails), func(a, b int) int {
		return cmp.Or(cmp.Compare(e.tails[b].Durations.Sum(), e.tails[a].Durations.Sum()), e.fns.list[a].Compare(&e.fns.list[b]))
	})
	if len(numbers) == 0 || e.tails[numbers[0]].Durations.Count() == 0 {
		return false
	}
	e.target = numbers[0]
	if others := numbers[1:]; len(others) > 0 {
		var names []string
		for _, n := range others[:min(maxWarned, len(others))] {
			names = append(names, e.fns.list[n].Name)
		}
		e.sum.warn("", "%s match: %s is explained, not %s", Plural(uint64(len(numbers)), "function", "functions"),
			e.fns.list[e.target].Name, strings.Join(names, ", "))
	}
	s := &e.tails[e.target].Stats
	e.limits = limits{
		than: than.of(s),
		low:  bucketBegin(s.Quantile(250)), high: nanoseconds((1 + BucketWidth/2) * float64(s.Quantile(750))),
	}
	if than.duration > 0 {
		e.limits.high = min(e.limits.high, e.limits.than)
	} else { // most calls may be alike
		e.limits.than = max(e.limits.high, e.limits.than)
	}
	e.limits.oldFiles = e.oldFiles
	return true
}

// number numbers the functions of nodes and periods.
func (e *explainer) number(src *source, fn format.FuncID) uint32 {
	of := e.fns.add(&src.tables.Funcs[fn], src.tables.Modules)
	n, ok := e.functions[of]
	if !ok {
		n = uint32(len(e.list))
		e.functions[of] = n
		e.list = append(e.list, of)
	}
	return n
}

// readCalls is the second pass over a trace.
func (e *explainer) readCalls(file int, path string) error {
	src, err := openSource(path, e.opts)
	if err != nil {
		return err
	}
	defer src.close()
	slowest := &e.tails[e.target].slowest
	slowest.cut()
	wanted := map[callKey]*callFlow{}
	for _, c := range slowest.calls {
		if c.file == file && time.Duration(c.durationNs) > e.limits.than {
			wanted[c.callKey] = &callFlow{}
		}
	}
	of := map[format.FuncID]bool{}
	for _, f := range e.tails[e.target].functions {
		if f.file == file {
			of[f.fn] = true
		}
	}
	views := make([]view, shards())
	for i := range views {
		views[i] = newComparedCalls(e.opts, e.limits, file, src.cover, of, wanted)
	}
	columns := format.Columns{Args: true, CPU: true, Value: needsValue(e.opts.Errors)}
	if _, err := src.pair(e.opts, columns, views); err != nil {
		return err
	}
	e.addCalls(file, src, views)
	for i := range slowest.calls {
		c := &slowest.calls[i]
		if flow := wanted[c.callKey]; c.file == file && flow != nil {
			call, err := src.slowCall(c, flow)
			if err != nil {
				return err
			}
			e.examples = append(e.examples, exampleCall{*c, call})
		}
	}
	return nil
}

// addCalls adds the views of a trace.
func (e *explainer) addCalls(file int, src *source, views []view) {
	trace := comparedTrace{others: newPeriods(0), arrivals: newArrivals(), callers: map[format.FuncID]bool{}, names: map[int]string{}}
	defs := map[format.FuncID]*format.Func{}
	for _, v := range views {
		part := v.(*comparedCalls)
		here := e.sums.merge(&part.sums, file, src.meta.Sched, func(fn format.FuncID) uint32 { return e.number(src, fn) })
		e.incomplete += part.incomplete
		e.cut += part.cut
		for of, g := range part.groups {
			e.groups[of].calls += g.calls
			e.groups[of].time += g.time
		}
		for of := range part.samples {
			part.samples[of].cut()
			for _, c := range part.samples[of].calls {
				if defs[c.fn] == nil {
					def := src.tables.Funcs[c.fn]
					defs[c.fn] = &def
				}
				c.def, c.info, c.process = defs[c.fn], src.tables.Threads[c.thread], src.processes[c.thread].Comm
				for i := range c.parts {
					c.parts[i].node = here[c.parts[i].node]
				}
				e.samples[of].add(c)
			}
		}
		part.all.cut()
		for _, c := range part.all.calls {
			e.all.add(c)
		}
		for fn, is := range part.callers {
			if is {
				trace.callers[format.FuncID(e.number(src, format.FuncID(fn)))] = true
			}
		}
		for i := range part.others.list {
			of := &part.others.list[i]
			of.fn = format.FuncID(e.number(src, of.fn))
		}
		trace.others.merge(&part.others)
		trace.arrivals.merge(&part.arrivals)
	}
	for key := range e.sums.wakings {
		if key.file == file {
			trace.names[key.by.TID] = ""
		}
	}
	for i := range src.tables.Threads {
		th := &src.tables.Threads[i]
		if _, ok := trace.names[th.TID]; ok && th.Goroutine == 0 && th.Track == 0 {
			trace.names[th.TID] = strings.TrimSpace(th.Comm + " " + FlowName(th))
		}
	}
	e.traces = append(e.traces, trace)
}

// explanation completes the result.
func (e *explainer) explanation() *Explanation {
	x := &Explanation{
		Change:   e.oldFiles > 0,
		Function: e.fns.list[e.target], Calls: e.tails[e.target].Durations.Count(), Incomplete: e.incomplete, Cut: e.cut,
		Slow: CallGroup{From: e.limits.than}, Typical: CallGroup{From: e.limits.low, To: e.limits.high},
	}
	for i := range e.samples {
		e.samples[i].cut()
	}
	e.all.cut()
	if e.sums.crowded {
		e.sum.warn("", "too many call paths: some count as the own time of their callers")
	}
	if x.Change {
		x.Slow.From, x.Typical = 0, CallGroup{}
		if x.Faster = e.groups[slowCalls].mean() < e.groups[typicalCalls].mean(); x.Faster {
			e.swap()
		}
	}
	for i, g := range []*CallGroup{&x.Slow, &x.Typical} {
		g.Calls, g.Mean = e.groups[i].calls, e.groups[i].mean()
	}
	if x.Slow.Calls > 0 && x.Typical.Calls > 0 && x.Slow.Mean > x.Typical.Mean {
		x.Difference = x.Slow.Mean - x.Typical.Mean
		e.setPaths(x)
		if !x.Change {
			e.setCauses(x)
		}
	}
	x.Trace, x.Warnings = e.sum.result(), e.sum.warnings
	return x
}

// swap exchanges both groups.
func (e *explainer) swap() {
	for i := range e.sums.nodes {
		slices.Reverse(e.sums.nodes[i].of[:])
	}
	for _, of := range e.sums.wakings {
		slices.Reverse(of[:])
	}
	slices.Reverse(e.sums.calls[:])
	slices.Reverse(e.sums.total[:])
	slices.Reverse(e.groups[:])
	slices.Reverse(e.samples[:])
}

// contrastOf makes a Contrast of sampled calls.
func contrastOf(slow, typical []sampledCall, candidates int) *contrast.Contrast {
	group := func(calls []sampledCall) (g contrast.Group) {
		for i := range calls {
			g.DurationNs = append(g.DurationNs, float64(calls[i].duration))
			g.OtherNs = append(g.OtherNs, float64(calls[i].runnable))
			g.AtNs = append(g.AtNs, float64(calls[i].file)*maxTimeNs+float64(calls[i].startNs))
		}
		return g
	}
	return contrast.New(group(slow), group(typical), candidates)
}
