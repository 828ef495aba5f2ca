package analyze

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"utrace/analyze/internal/timeline"
	"utrace/format"
)

// Compared is the calls of a function that are not inside another one of it, by class. Package why
// explains it.
type Compared struct {
	Function Function
	Stats    Stats  // of all calls
	Limits   Limits // of the classes
	// Incomplete are further calls of unknown duration: their end was not seen, or events were lost
	// meanwhile. Cut are those of them that took longer than Limits.Than already.
	Incomplete, Cut uint64
	Groups          [Classes]CallTotals
	Functions       []Function // by number, in Sums and Traces
	Sums            PathSums
	Samples         [Classes][]SampledCall
	All             []SampledCall // a sample of all calls; only CallID and Duration are known
	Traces          []ComparedTrace
	Examples        []ExampleCall // the slowest calls, slowest first
	Trace           Trace
	Warnings        []Warning
}

// Class is a kind of compared calls.
type Class uint8

// Classes of calls. Calls of neither class are compared with nothing.
const (
	SlowClass Class = iota
	TypicalClass
	neitherClass
)

// Classes is how many classes are compared.
const Classes = int(neitherClass)

// Limits decide the class of a call: slow calls are longer than Than, typical ones are between Low
// and High.
type Limits struct {
	Than, Low, High time.Duration
	// OldFiles is how many traces are old, if old and new traces are compared. Then the calls of old
	// ones are typical, and those of new ones are slow.
	OldFiles int
}

func (l *Limits) class(file int, d time.Duration) Class {
	switch {
	case l.OldFiles > file:
		return TypicalClass
	case l.OldFiles > 0:
		return SlowClass
	case d > l.Than:
		return SlowClass
	case d >= l.Low && d <= l.High:
		return TypicalClass
	}
	return neitherClass
}

// CallTotals is the number and the time of calls.
type CallTotals struct {
	Calls uint64
	Time  time.Duration
}

// Mean is the mean duration of the calls, 0 without any.
func (t *CallTotals) Mean() time.Duration { return t.Time / time.Duration(max(1, t.Calls)) }

// ExampleCall is one of the slowest calls.
type ExampleCall struct {
	ID CallID
	SlowCall
}

// ComparedTrace is what else happened in one trace.
type ComparedTrace struct {
	Others   timeline.Periods // of long calls of other functions on other threads
	Arrivals timeline.Arrivals
	Callers  map[format.FuncID]bool // functions that have called the compared one, by number
	Threads  map[int]string         // names of the threads that woke others, by TID; "" if unknown
}

// CompareCalls compares calls of a function. If several functions match the pattern, it takes the
// one with the longest total time. It reads each trace twice: limits decides the classes once the
// durations of all calls are known. Memory is limited, except for what the open calls need. Without
// a complete call, only Trace and Warnings are set.
func CompareCalls(paths []string, function *Pattern, opts Options, limits func(*Stats) Limits) (*Compared, error) {
	opts.Function = function
	c := &comparer{opts: &opts, sum: newSummary(paths), fns: newFunctions(), tails: map[int]*tail{}, numbers: map[int]uint32{}}
	c.Sums = newPathSums()
	for i, path := range paths {
		if err := c.readTails(i, path); err != nil {
			return nil, err
		}
	}
	if !c.choose() {
		c.sum.warnNothing(c.opts)
		return &Compared{Trace: c.sum.result(), Warnings: c.sum.warnings}, nil
	}
	c.Function, c.Stats = c.fns.list[c.target], c.tails[c.target].Stats
	c.Limits = limits(&c.Stats)
	for i, path := range paths {
		if err := c.readCalls(i, path); err != nil {
			return nil, err
		}
	}
	c.finish()
	return &c.Compared, nil
}

// comparer makes a Compared of traces, one after the other.
type comparer struct {
	Compared
	opts    *Options
	sum     *summary
	fns     *functions
	tails   map[int]*tail  // by number of the function
	target  int            // number of the compared function
	numbers map[int]uint32 // numbers of functions in nodes and periods, by number in fns
	samples [Classes]callSample
	all     callSample
}

// readTails is the first pass over a trace.
func (c *comparer) readTails(file int, path string) error {
	src, err := openSource(path, c.opts)
	if err != nil {
		return err
	}
	views := make([]view, shards())
	for i := range views {
		views[i] = &tails{opts: c.opts, file: file}
	}
	t, err := src.pair(c.opts, format.Columns{}, views)
	src.close()
	if err != nil {
		return err
	}
	c.sum.add(path, src, t, c.opts)
	c.sum.warnDropped(path, src, c.opts)
	for _, v := range views {
		for fn, of := range v.(*tails).funcs {
			if of == nil || of.Durations.Count()+of.Censored.Count() == 0 {
				continue
			}
			n := c.fns.add(&src.tables.Funcs[fn], src.tables.Modules)
			if c.tails[n] == nil {
				c.tails[n] = newTail()
			}
			c.tails[n].merge(of)
			c.tails[n].functions = append(c.tails[n].functions, functionIn{file, format.FuncID(fn)})
		}
	}
	return nil
}

// choose chooses the compared function. It returns false if there is no complete call.
func (c *comparer) choose() bool {
	numbers := slices.SortedFunc(maps.Keys(c.tails), func(a, b int) int {
		return cmp.Or(cmp.Compare(c.tails[b].Durations.Sum(), c.tails[a].Durations.Sum()), c.fns.list[a].Compare(&c.fns.list[b]))
	})
	if len(numbers) == 0 || c.tails[numbers[0]].Durations.Count() == 0 {
		return false
	}
	c.target = numbers[0]
	if others := numbers[1:]; len(others) > 0 {
		var names []string
		for _, n := range others[:min(maxWarned, len(others))] {
			names = append(names, c.fns.list[n].Name)
		}
		c.sum.warn("", "%s match: %s is explained, not %s", Plural(uint64(len(numbers)), "function", "functions"),
			c.fns.list[c.target].Name, strings.Join(names, ", "))
	}
	return true
}

// number numbers the functions of nodes and periods.
func (c *comparer) number(src *source, fn format.FuncID) uint32 {
	of := c.fns.add(&src.tables.Funcs[fn], src.tables.Modules)
	n, ok := c.numbers[of]
	if !ok {
		n = uint32(len(c.Functions))
		c.numbers[of] = n
		c.Functions = append(c.Functions, c.fns.list[of])
	}
	return n
}

// readCalls is the second pass over a trace.
func (c *comparer) readCalls(file int, path string) error {
	src, err := openSource(path, c.opts)
	if err != nil {
		return err
	}
	defer src.close()
	slowest := &c.tails[c.target].slowest
	slowest.cut()
	wanted := map[callKey]*callFlow{}
	for _, slow := range slowest.calls {
		if slow.file == file && time.Duration(slow.durationNs) > c.Limits.Than {
			wanted[slow.callKey] = &callFlow{}
		}
	}
	of := map[format.FuncID]bool{}
	for _, f := range c.tails[c.target].functions {
		if f.file == file {
			of[f.fn] = true
		}
	}
	views := make([]view, shards())
	for i := range views {
		views[i] = newComparedCalls(c.opts, c.Limits, file, src.cover, of, wanted)
	}
	columns := format.Columns{Args: true, CPU: true, Value: needsValue(c.opts.Errors)}
	if _, err := src.pair(c.opts, columns, views); err != nil {
		return err
	}
	c.addCalls(file, src, views)
	for i := range slowest.calls {
		slow := &slowest.calls[i]
		if flow := wanted[slow.callKey]; slow.file == file && flow != nil {
			call, err := src.slowCall(slow, flow)
			if err != nil {
				return err
			}
			c.Examples = append(c.Examples, ExampleCall{CallID{file, slow.callKey}, call})
		}
	}
	return nil
}

// addCalls adds the views of a trace.
func (c *comparer) addCalls(file int, src *source, views []view) {
	trace := ComparedTrace{Others: timeline.NewPeriods(0), Arrivals: timeline.NewArrivals(), Callers: map[format.FuncID]bool{}, Threads: map[int]string{}}
	defs := map[format.FuncID]*format.Func{}
	for _, v := range views {
		part := v.(*comparedCalls)
		here := c.Sums.merge(&part.sums, file, src.meta.Sched, func(fn format.FuncID) uint32 { return c.number(src, fn) })
		c.Incomplete += part.incomplete
		c.Cut += part.cut
		for of, g := range part.groups {
			c.Groups[of].Calls += g.Calls
			c.Groups[of].Time += g.Time
		}
		for of := range part.samples {
			part.samples[of].cut()
			for _, call := range part.samples[of].calls {
				if defs[call.fn] == nil {
					def := src.tables.Funcs[call.fn]
					defs[call.fn] = &def
				}
				call.def, call.Thread, call.Process = defs[call.fn], src.tables.Threads[call.ID.thread], src.processes[call.ID.thread].Comm
				for i := range call.Parts {
					call.Parts[i].Node = here[call.Parts[i].Node]
				}
				c.samples[of].add(call)
			}
		}
		part.all.cut()
		for _, call := range part.all.calls {
			c.all.add(call)
		}
		for fn, is := range part.callers {
			if is {
				trace.Callers[format.FuncID(c.number(src, format.FuncID(fn)))] = true
			}
		}
		for i := range part.others.List {
			of := &part.others.List[i]
			of.Func = format.FuncID(c.number(src, of.Func))
		}
		trace.Others.Merge(&part.others)
		trace.Arrivals.Merge(&part.arrivals)
	}
	for key := range c.Sums.Wakings {
		if key.File == file {
			trace.Threads[key.By.TID] = ""
		}
	}
	for i := range src.tables.Threads {
		th := &src.tables.Threads[i]
		if _, ok := trace.Threads[th.TID]; ok && th.Goroutine == 0 && th.Track == 0 {
			trace.Threads[th.TID] = strings.TrimSpace(th.Comm + " " + FlowName(th))
		}
	}
	c.Traces = append(c.Traces, trace)
}

// finish completes the result.
func (c *comparer) finish() {
	for of := range c.samples {
		c.samples[of].cut()
		c.Samples[of] = c.samples[of].calls
	}
	c.all.cut()
	c.All = c.all.calls
	slices.SortStableFunc(c.Examples, func(a, b ExampleCall) int {
		return cmp.Or(cmp.Compare(b.Duration, a.Duration), a.ID.compare(&b.ID))
	})
	if c.Sums.crowded {
		c.sum.warn("", "too many call paths: some count as the own time of their callers")
	}
	c.Trace, c.Warnings = c.sum.result(), c.sum.warnings
}

// Swap exchanges both classes.
func (c *Compared) Swap() {
	for i := range c.Sums.Nodes {
		slices.Reverse(c.Sums.Nodes[i].Of[:])
	}
	for _, of := range c.Sums.Wakings {
		slices.Reverse(of[:])
	}
	slices.Reverse(c.Sums.Calls[:])
	slices.Reverse(c.Sums.Total[:])
	slices.Reverse(c.Groups[:])
	slices.Reverse(c.Samples[:])
}
