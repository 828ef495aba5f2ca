package analyze

import (
	"fmt"
	"time"

	"utrace/format"
)

// droppedCalls are the calls of a trace that are in it as numbers only, since they did not meet a condition that was decided
// when they returned.
type droppedCalls []format.Dropped

// newDropped returns those of the selected processes. Of parts of processes, or of the time, nothing is known.
func newDropped(list []format.Dropped, opts *Options) (selected droppedCalls, known bool) {
	type key struct {
		fn  format.FuncID
		pid int
	}
	last := map[key]int{}
	for i := range list {
		last[key{list[i].Func, list[i].PID}] = i
	}
	for i, d := range list {
		if last[key{d.Func, d.PID}] == i && opts.thread(format.Thread{PID: d.PID}) {
			selected = append(selected, d)
		}
	}
	return selected, len(opts.TIDs) == 0 && opts.From == 0 && opts.To == 0
}

// addDropped adds the calls of a trace that were dropped to its rows.
func (s *summary) addDropped(path string, src *source, opts *Options, values *valueTable, row func(fn format.FuncID, value uint32) *Row) {
	list, known := newDropped(src.tables.Dropped, opts)
	if len(list) == 0 || opts.Min > 0 { // how long each was is not known
		return
	}
	if !known {
		s.warn(path, "calls that a condition dropped are not counted: of them it is not known in which thread they were, and when")
		return
	}
	for i := range list {
		d := &list[i]
		if int(d.Func) >= len(src.tables.Funcs) || !opts.Function.function(&src.tables.Funcs[d.Func]) {
			continue
		}
		value := uint32(noValue) // of a call that was dropped no value is known, only the process
		if opts.By == "pid" {
			value = values.add(threadValue(&format.Thread{PID: d.PID}, opts.By))
		}
		r := row(d.Func, value)
		r.drop(d)
		r.PIDs = append(r.PIDs, d.PID)
		s.trace.Dropped += d.Complete
	}
}

// Kept says of what calls the distributions are, "" if of all.
func (t *Trace) Kept() string {
	if t.Dropped == 0 {
		return ""
	}
	which := "that met their condition"
	if t.SlowerThan > 0 {
		which = "of at least " + FormatDuration(t.SlowerThan)
	}
	return fmt.Sprintf("calls %s: percentiles and maximum are of these; calls, times and average of all, %s more", which, plural(t.Dropped, "call", "calls"))
}

// slowerThan is the least duration of the calls that a trace has kept.
func slowerThan(meta *format.Meta) time.Duration {
	return time.Duration(min(max(meta.SlowerThanNs, 0), maxTimeNs))
}
