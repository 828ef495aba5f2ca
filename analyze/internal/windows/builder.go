package windows

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"utrace/format"
)

// Limits on what a trace may define.
const (
	maxWindows = 4 << 20 // of all functions with different windows together
	maxTimeNs  = 1 << 60
)

// NumStrata is the largest number of strata.
const NumStrata = 256

// minExact is the share of a recording in one window without a break that counts as all of it.
const minExact = 0.99

// builder makes a Coverage.
type builder struct {
	tables     *format.Tables
	surveys    map[format.ModuleID]*format.Survey
	grew       map[format.ModuleID]growth
	durationNs int64
	fromNs     int64 // the selected time
	selectedNs int64
	byTime     bool       // a part of the time is selected
	costError  float64    // the part of the cost of hits that may be wrong
	bySet      [][]window // by set of probes
	count      int        // windows of all classes
}

// New computes the windows of all functions, for an analysis of the calls that begin at fromNs or
// later, and before toNs; 0 is no limit. It returns nil for a trace without windows. It fails if
// there are too many.
//
//  1. The windows of each set of probes are collected.
//  2. Functions of a module that are in the same sets form a class.
//  3. Each class gets the windows of its sets.
//  4. Functions of an interpreter get those of the static probe that names them.
func New(t *format.Tables, durationNs, fromNs, toNs int64) (*Coverage, error) {
	b := builder{tables: t, surveys: Surveys(t), grew: growths(t, durationNs), durationNs: durationNs, fromNs: fromNs, byTime: fromNs != 0 || toNs != 0}
	if len(b.surveys) == 0 || len(t.Windows) == 0 {
		return nil, nil
	}
	moved := format.NewMoved(t.Calibrations)
	b.costError = min(1, max(leastCostError, moved.Factor()-1))
	b.selectedNs = max(0, durationNs-fromNs)
	if toNs != 0 {
		b.selectedNs = max(0, min(durationNs, toNs)-fromNs)
	}
	whole := b.collect()
	classes := b.classes()
	built := map[classKey]*Windows{}
	c := &Coverage{funcs: make([]*Windows, len(t.Funcs))}
	for fn := range t.Funcs {
		key := classKey{classes.of[fn], t.Funcs[fn].Module}
		if b.surveys[key.module] == nil || key.class == 0 {
			continue
		}
		if _, ok := built[key]; !ok {
			list := classes.windows(key.class, b.bySet)
			if b.count += len(list); b.count > maxWindows {
				return nil, fmt.Errorf("the trace has more than %d windows of functions: record for a shorter time", maxWindows)
			}
			w := b.cover(measured(list), key.module)
			if all := whole[key.module]; all != nil && all.Size > 0 {
				w.whole, w.WholeScale = all.list, all.Scale()
			}
			if w.exact {
				w = nil
			}
			built[key] = w
		}
		c.funcs[fn] = built[key]
	}
	c.follow(t)
	c.addWhole(t, whole)
	return c, nil
}

// addWhole adds the whole windows of modules with functions that have windows.
func (c *Coverage) addWhole(t *format.Tables, whole map[format.ModuleID]*Windows) {
	partly := map[format.ModuleID]bool{}
	for fn, w := range c.funcs {
		partly[t.Funcs[fn].Module] = partly[t.Funcs[fn].Module] || w != nil
	}
	c.modules, c.whole = make([]bool, len(c.funcs)), make([][]window, len(c.funcs))
	for fn := range c.funcs {
		module := t.Funcs[fn].Module
		c.modules[fn] = partly[module]
		if all := whole[module]; all != nil {
			c.whole[fn] = all.list
		}
	}
}

// Surveys returns the last survey of each module.
func Surveys(t *format.Tables) map[format.ModuleID]*format.Survey {
	surveys := map[format.ModuleID]*format.Survey{}
	for i := range t.Surveys {
		surveys[t.Surveys[i].Module] = &t.Surveys[i]
	}
	return surveys
}

// collect collects the windows of each set. It returns the whole windows of each module.
func (b *builder) collect() map[format.ModuleID]*Windows {
	t := b.tables
	b.bySet = make([][]window, len(t.ProbeSets))
	lists := map[format.ModuleID][]window{}
	for i := range t.Windows {
		w := &t.Windows[i]
		if w.FromNs > w.ToNs || w.ToNs > w.OffNs || w.OffNs > maxTimeNs {
			continue
		}
		module, ok := b.moduleOf(w.Set)
		win := window{fromNs: int64(w.FromNs), toNs: int64(w.ToNs), offNs: int64(w.OffNs), work: min(w.CPUNs, maxTimeNs), costNs: min(w.CostNs, maxTimeNs), derived: w.Rough && (w.All || w.CPUNs == 0)}
		if s := b.surveys[module]; ok && s != nil && s.ByIO {
			win.work = min(w.IOCalls, maxTimeNs)
		}
		b.bySet[w.Set] = append(b.bySet[w.Set], win)
		if ok && w.All {
			lists[module] = append(lists[module], win)
		}
	}
	whole := map[format.ModuleID]*Windows{}
	for module, list := range lists {
		if b.surveys[module] != nil {
			whole[module] = b.cover(list, module)
		}
	}
	return whole
}

// moduleOf returns the module of a set's functions.
func (b *builder) moduleOf(set format.SetID) (format.ModuleID, bool) {
	for _, fn := range b.tables.ProbeSets[set].Funcs {
		if int(fn) < len(b.tables.Funcs) {
			return b.tables.Funcs[fn].Module, true
		}
	}
	return 0, false
}

// classKey is equal for functions of a module with the same windows.
type classKey struct {
	class  int
	module format.ModuleID
}

// classes divide functions by the sets that they are in. Class 0 is in none.
type classes struct {
	of   []int // by function
	list []class
}

// class is in the sets of another class, and in one more.
type class struct {
	outer int
	set   format.SetID
}

// classes divides the functions of a trace. It looks at each member of each set once.
func (b *builder) classes() *classes {
	c := &classes{of: make([]int, len(b.tables.Funcs)), list: make([]class, 1)}
	for i, windows := range b.bySet {
		if len(windows) == 0 {
			continue
		}
		set := format.SetID(i)
		inner := map[int]int{} // the class of members of the set, by their class without it
		for _, fn := range b.tables.ProbeSets[i].Funcs {
			if int(fn) >= len(c.of) || c.of[fn] != 0 && c.list[c.of[fn]].set == set { // unknown, or listed twice
				continue
			}
			at, ok := inner[c.of[fn]]
			if !ok {
				at = len(c.list)
				inner[c.of[fn]] = at
				c.list = append(c.list, class{c.of[fn], set})
			}
			c.of[fn] = at
		}
	}
	return c
}

// windows returns the windows of the sets of a class.
func (c *classes) windows(at int, bySet [][]window) (list []window) {
	for ; at != 0; at = c.list[at].outer {
		list = append(list, bySet[c.list[at].set]...)
	}
	return list
}

// measured marks windows whose size was derived or is unknown, if there are others.
func measured(list []window) []window {
	if !slices.ContainsFunc(list, func(w window) bool { return !w.derived && w.work > 0 }) {
		return list
	}
	for i := range list {
		if list[i].derived {
			list[i].unmeasured, list[i].work = true, 0
		}
	}
	return list
}

// cover makes the windows of functions of a module.
func (b *builder) cover(list []window, module format.ModuleID) *Windows {
	list = slices.SortedFunc(slices.Values(list), func(a, b window) int {
		return cmp.Or(cmp.Compare(a.fromNs, b.fromNs), cmp.Compare(b.offNs, a.offNs))
	})
	w := &Windows{}
	for _, next := range list {
		if n := len(w.list); n > 0 && next.fromNs < w.list[n-1].offNs {
			w.list[n-1].offNs = max(w.list[n-1].offNs, next.offNs)
			continue
		}
		w.list = append(w.list, next)
	}
	end := int64(-1) // where the next window begins, if that is without a break
	for i, next := range slices.Backward(w.list) {
		w.list[i].endNs = next.offNs
		if next.offNs == end {
			w.list[i].endNs = w.list[i+1].endNs
		}
		end = next.fromNs
	}
	b.measure(w, module)
	return w
}

// measure measures windows of a module: by its work, or by time if that is unknown or a part of the
// time is selected.
func (b *builder) measure(w *Windows, module format.ModuleID) {
	workSize, timeSize, probed := 0.0, 0.0, 0.0
	for i := range w.list {
		win := &w.list[i]
		workSize += float64(win.work)
		if !win.unmeasured {
			timeSize += float64(win.toNs - win.fromNs)
		}
		probed += b.inside(win.fromNs, win.offNs)
	}
	w.Share = min(1, probed/float64(max(1, b.selectedNs)))
	grew := b.grew[module]
	work := grew.at(b.durationNs)
	noBreak := len(w.list) > 0 && w.list[0].endNs == w.list[len(w.list)-1].endNs
	w.exact = noBreak && (workSize > 0 && workSize >= minExact*work || workSize == 0 && timeSize >= minExact*float64(b.durationNs))
	if workSize == 0 || b.byTime {
		size := func(win *window) float64 {
			if win.unmeasured {
				return 0
			}
			return b.inside(win.fromNs, win.toNs)
		}
		b.divide(w, func(ns int64) float64 { return b.inside(b.fromNs, ns) }, size, 1, float64(b.selectedNs))
	} else {
		s := b.surveys[module]
		together := 1
		if s != nil && s.ByIO {
			together = windowsTogether(w.list, workSize)
		}
		b.divide(w, grew.at, func(win *window) float64 { return float64(win.work) }, together, work)
		if s != nil && !s.ByIO {
			w.SizeErrors = b.sizeErrors(w)
		}
	}
}

// Sizes of strata that are counted in IO calls. A stratum's calls are divided by these: if they are
// few, the ratio is too large on average (https://en.wikipedia.org/wiki/Ratio_estimator). With
// windows of four IO calls it was so by 17%.
const (
	leastIO     = 50
	leastStrata = 8 // if a recording has few IO calls, so many strata are more important
)

// windowsTogether is how many windows make strata of enough IO calls. It is the same for all strata:
// one that went on until it had enough would be longer where there are few, and figures too large.
func windowsTogether(list []window, ioCalls float64) int {
	measured := 0.0
	for i := range list {
		if !list[i].unmeasured {
			measured++
		}
	}
	return int(math.Ceil(measured * min(leastIO/ioCalls, 1.0/leastStrata)))
}

// leastCostError is the least part of the cost of hits that may be wrong. The recorder assumes as
// much.
const leastCostError = 0.2

// sizeErrors returns how wrong the processor time in the windows may be: by a part of the cost of
// the probes, which was subtracted.
func (b *builder) sizeErrors(w *Windows) []float64 {
	errors := make([]float64, len(w.Sizes))
	for i := range w.list {
		win := &w.list[i]
		if size := w.Sizes[win.stratum]; size > 0 && !win.unmeasured {
			errors[win.stratum] += b.costError * float64(win.costNs) / size
		}
	}
	return errors
}

// stratify numbers the strata of windows, and returns how many there are. A stratum ends once it has
// a number of windows, together, and half of the mean size of a window: a ratio of two small numbers
// would be too rough.
func stratify(list []window, size func(*window) float64, together int) (n int) {
	least := 0.0
	for i := range list {
		least += size(&list[i]) / (2 * float64(min(len(list), NumStrata/2)))
	}
	sum, measured := 0.0, 0 // of the current stratum
	for i := range list {
		list[i].stratum = uint8(min(n, NumStrata-1))
		if !list[i].unmeasured {
			measured++
		}
		if sum += size(&list[i]); sum >= least && sum > 0 && measured >= together {
			sum, measured, n = 0, 0, min(n+1, NumStrata)
		}
	}
	if n == 0 {
		return min(1, len(list))
	}
	for i := len(list) - 1; int(list[i].stratum) == n; i-- { // what is left joins the last one
		list[i].stratum--
	}
	return n
}

// divide divides windows into strata, in order of time. Each stands for its own size, and half of
// the gaps before and after it. together is how many windows a stratum has at least, at the size of
// the recording up to a time, all that of the whole.
func (b *builder) divide(w *Windows, at func(ns int64) float64, size func(*window) float64, together int, all float64) {
	n := stratify(w.list, size, together)
	w.Sizes, w.Spans = make([]float64, n), make([]float64, n)
	from, to := make([]float64, n), make([]float64, n)
	for i := range w.list {
		win := &w.list[i]
		s := win.stratum
		if x := size(win); x > 0 {
			if w.Sizes[s] == 0 {
				from[s] = at(win.fromNs)
			}
			w.Sizes[s] += x
			to[s] = at(win.toNs)
		}
	}
	gaps, last, end := 0.0, -1, 0.0
	for s := range n {
		if w.Sizes[s] == 0 {
			continue
		}
		w.Size += w.Sizes[s]
		gap := max(0, from[s]-end)
		if last < 0 {
			w.Spans[s] += gap
		} else {
			w.Spans[s] += gap / 2
			w.Spans[last] += gap / 2
		}
		inner := max(0, to[s]-from[s]-w.Sizes[s])
		w.Spans[s] += inner
		gaps += gap + inner
		last, end = s, max(end, to[s])
	}
	w.All = max(all, w.Size)
	if last < 0 {
		return
	}
	gap := max(0, all-end)
	w.Spans[last] += gap
	gaps += gap
	for s := range n { // so that all strata together stand for all
		if gaps > 0 {
			w.Spans[s] *= (w.All - w.Size) / gaps
		}
		w.Spans[s] += w.Sizes[s]
	}
}

// inside is how much of a time is selected.
func (b *builder) inside(fromNs, toNs int64) float64 {
	return float64(max(0, min(toNs, b.fromNs+b.selectedNs)-max(fromNs, b.fromNs)))
}

// follow gives functions of an interpreter, which have no address, the windows of the static probe
// that names them.
func (c *Coverage) follow(t *format.Tables) {
	type probe struct {
		module format.ModuleID
		name   string
	}
	probes := map[probe]*Windows{}
	for fn := range t.Funcs {
		if f := &t.Funcs[fn]; f.USDT != "" && f.Addr != 0 {
			probes[probe{f.Module, f.USDT}] = c.funcs[fn]
		}
	}
	for fn := range t.Funcs {
		if f := &t.Funcs[fn]; f.USDT != "" && f.Addr == 0 && c.funcs[fn] == nil {
			c.funcs[fn] = probes[probe{f.Module, f.USDT}]
		}
	}
}
