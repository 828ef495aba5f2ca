package analyze

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"utrace/analyze/internal/estimate"
	"utrace/analyze/internal/windows"
	"utrace/format"
)

// droppedCalls are the calls of a trace that did not meet a condition decided at their return. The
// trace has only their number and times.
type droppedCalls []format.Dropped

// newDropped returns those of the selected processes. The last one of a function and process has
// its sums.
func newDropped(list []format.Dropped, opts *Options) (selected droppedCalls) {
	type key struct {
		fn  format.FuncID
		pid int
	}
	last := map[key]int{}
	for i := range list {
		last[key{list[i].Func, list[i].PID}] = i
	}
	for i, d := range list {
		if last[key{d.Func, d.PID}] == i && opts.process(d.PID) {
			selected = append(selected, d)
		}
	}
	return selected
}

// countsDropped reports whether dropped calls can be counted among the selected ones. It is not
// known which threads made them and when, nor how long each took.
func (o *Options) countsDropped() bool {
	return !o.someThreads() && o.From == 0 && o.To == 0 && o.Min == 0
}

// warnDropped warns that a view has only the calls that were kept.
func (s *summary) warnDropped(path string, src *source, opts *Options) {
	var calls uint64
	for _, d := range newDropped(src.tables.Dropped, opts) {
		if int(d.Func) < len(src.tables.Funcs) && opts.Function.function(&src.tables.Funcs[d.Func]) {
			calls += d.Complete + d.Incomplete
		}
	}
	minKept := slowerThan(&src.meta)
	if calls == 0 || minKept > 0 && minKept <= opts.Min && len(conditions(&src.meta)) == 0 {
		return
	}
	text := Plural(calls, "call was", "calls were") + " dropped while recording and not in this view: their time is in their callers' self time"
	s.addWarning(path, Warning{Text: text, Hint: RecordAllCalls})
}

// addDropped adds the dropped calls of a trace to its rows.
func (s *summary) addDropped(path string, src *source, opts *Options, values *valueTable, row func(fn format.FuncID, value uint32) *Row) {
	list := newDropped(src.tables.Dropped, opts)
	s.addDroppedCost(src, opts, list)
	if !opts.countsDropped() {
		s.warnDropped(path, src, opts)
		return
	}
	inside := false
	for i := range list {
		d := &list[i]
		if opts.By != "" && !isProcessKey(opts.By) && d.InsideNs > 0 { // the calls around them are unknown
			inside, d.InsideNs = true, 0
		}
		if *d == (format.Dropped{Func: d.Func, PID: d.PID}) {
			continue
		}
		if int(d.Func) >= len(src.tables.Funcs) || !opts.Function.function(&src.tables.Funcs[d.Func]) {
			continue
		}
		value := uint32(noValue) // only the process of a dropped call is known
		if isProcessKey(opts.By) {
			value = values.of(&format.Thread{PID: d.PID}, src.process(d.PID))
		}
		r := row(d.Func, value)
		if cover := src.cover.Of(d.Func); cover != nil {
			*d = r.estimateDropped(d, cover)
		}
		r.drop(d)
		r.dropped = append(r.dropped, Program{d.PID, src.process(d.PID).Comm})
		s.trace.Dropped += d.Complete
		s.trace.DroppedIncomplete += d.Incomplete
	}
	if inside {
		s.warn(path, "the time of dropped calls is in the self time of the calls around them: by %s it cannot be divided", opts.By)
	}
}

// estimateDropped returns the dropped calls of a whole recording, from those of windows, and adds
// their errors.
func (s *Stats) estimateDropped(d *format.Dropped, w *windows.Windows) format.Dropped {
	calls := float64(d.Complete + d.Incomplete)
	y, x, span := []float64{calls}, []float64{w.Size}, []float64{w.All}
	_, margin := estimate.Sum(y, x, span, estimate.CountVariance(calls))
	margin = math.Hypot(margin, estimate.SizeError(y, x, span, []float64{w.SizeError()}))
	s.CallsError = whole(math.Ceil(math.Hypot(float64(s.CallsError), margin)))
	s.TotalError = nanoseconds(math.Hypot(float64(s.TotalError), margin/max(1, calls)*float64(min(d.TotalNs, maxTimeNs))))
	all := func(v uint64) uint64 { return whole(w.Scale() * float64(v)) }
	return format.Dropped{
		Func: d.Func, PID: d.PID, Complete: all(d.Complete), Incomplete: all(d.Incomplete),
		SumNs: all(d.SumNs), TotalNs: all(d.TotalNs), SelfNs: all(d.SelfNs), InsideNs: all(d.InsideNs),
	}
}

// addDroppedCost adds the cost of the probes of dropped calls. As for other hits, it makes no
// difference which functions and times are selected.
func (s *summary) addDroppedCost(src *source, opts *Options, list droppedCalls) {
	if opts.someThreads() { // their threads are unknown
		return
	}
	costs := newHitCosts(src.tables.Calibrations)
	for i := range list {
		if d := &list[i]; int(d.Func) < len(src.tables.Funcs) {
			s.trace.Probes.addDropped(d, &src.tables.Funcs[d.Func], costs)
		}
	}
}

// warnDroppedCost warns of the cost of the probes of dropped calls, in all traces, if it is worth a
// word.
func (s *summary) warnDroppedCost(t *Trace) {
	if took, all := t.Probes.Dropped, t.Recorded(); took > 0 && all > 0 && took >= all/100 {
		s.warn("", "the probes of calls that were dropped took %s, %s while recording, which is not subtracted: calls around them are shown too long",
			FormatDuration(took), t.DroppedShare())
	}
}

// DroppedShare says which share of a processor the probes of dropped calls took. The number of
// threads that made these calls is unknown.
func (t *Trace) DroppedShare() string {
	if share := 100 * float64(t.Probes.Dropped) / float64(max(1, t.Recorded())); share < 100 {
		return fmt.Sprintf("%.1f%% of one processor", share)
	}
	return "nearly all the time of one processor or more"
}

// addKept adds the conditions of the last of Files.
func (t *Trace) addKept(meta *format.Meta) {
	minKept, others := slowerThan(meta), conditions(meta)
	if minKept > 0 {
		t.Conditions = append(t.Conditions, Condition{SlowerThan: minKept})
	}
	for _, probe := range others {
		t.Conditions = append(t.Conditions, Condition{Probe: probe})
	}
	if len(others) > 0 || len(t.Files) > 1 && minKept != t.SlowerThan {
		minKept = 0
	}
	t.SlowerThan = minKept
	slices.SortFunc(t.Conditions, func(a, b Condition) int {
		return cmp.Or(cmp.Compare(b.SlowerThan, a.SlowerThan), cmp.Compare(a.Probe, b.Probe))
	})
	t.Conditions = slices.Compact(t.Conditions)
}

// Condition is a condition under which calls were kept while recording.
type Condition struct {
	SlowerThan time.Duration // of a condition on all calls: they took at least that long
	Probe      string        // otherwise: the probe with its condition, as the recorder was given it
}

// Kept says which calls the distributions are of; "" if of all.
func (t *Trace) Kept() string {
	dropped := t.Dropped + t.DroppedIncomplete
	if dropped == 0 {
		return ""
	}
	which := "that met their condition"
	if t.SlowerThan > 0 {
		which = "of at least " + FormatDuration(t.SlowerThan)
	}
	text := fmt.Sprintf("calls %s: percentiles, maximum and errors are of these; calls, times and average cover all calls, including %d that were not kept", which, dropped)
	if t.DroppedIncomplete > 0 {
		text += fmt.Sprintf(" (%d incomplete)", t.DroppedIncomplete)
	}
	return text
}

// String says what the condition asks for.
func (c Condition) String() string {
	if c.Probe != "" {
		return c.Probe
	}
	return "calls of at least " + FormatDuration(c.SlowerThan)
}

// slowerThan is the minimum duration of the calls that a trace has kept.
func slowerThan(meta *format.Meta) time.Duration {
	return time.Duration(min(max(meta.SlowerThanNs, 0), maxTimeNs))
}

// conditions are the probes of a trace that have a condition of their own.
func conditions(meta *format.Meta) []string {
	return slices.DeleteFunc(slices.Clone(meta.Probes), func(probe string) bool { return !strings.Contains(probe, " if ") })
}
