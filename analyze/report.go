package analyze

import (
	"slices"
	"time"

	"utrace/format"
)

// Report analyzes traces into one report, sorted by total time. Functions of
// different traces are the same when build ID (or path), address and name are.
// It fails for a file that is not a trace; one that is damaged is analyzed as
// far as it goes, with a warning.
func Report(paths []string, opts Options) (*Result, error) {
	r, _, err := report(paths, opts)
	if err != nil {
		return nil, err
	}
	r.Sort("total")
	return r, nil
}

// part is what a report knows of one of its traces.
type part struct {
	rows   []int32 // by function: its row, none if it was not called
	lastNs int64   // time of the last event
}

// report is Report without the sorting.
func report(paths []string, opts Options) (*Result, []part, error) {
	sum := newSummary(paths)
	var parts []part
	fns := newFunctions()
	values := newValueTable(opts.By)
	index := map[rowKey]int{}
	ruled := make([]bool, len(opts.Errors)) // which rules are about a function
	var rows []*Row
	tooDeep := uint64(0)
	for _, path := range paths {
		src, err := openSource(path)
		if err != nil {
			return nil, nil, err
		}
		views := make([]view, opts.views())
		for i := range views {
			views[i] = &latency{opts: &opts, groups: newGrouping(values)}
		}
		t, err := src.pair(&opts, format.Columns{Args: true, Value: needsValue(opts.Errors)}, views)
		src.close()
		if err != nil {
			return nil, nil, err
		}
		sum.add(path, src, t, &opts)
		for i, rule := range opts.Errors {
			ruled[i] = ruled[i] || rule.appliesTo(src.tables.Funcs)
			if misfit := rule.misfit(src.tables.Funcs); misfit != "" {
				sum.addWarning(path, rule.warning(misfit))
			}
		}
		p := part{slices.Repeat([]int32{none}, len(src.tables.Funcs)), t.lastNs}
		resolution := unresolved(src.tables.Calibrations)
		offs := newTakenOff()
		offs.add(src.tables.TakenOff, src.tables.Funcs)
		row := func(fn format.FuncID, value uint32) *Row {
			key := rowKey{fns.add(&src.tables.Funcs[fn], src.tables.Modules), value}
			i, ok := index[key]
			if !ok {
				i = len(rows)
				index[key] = i
				rows = append(rows, &Row{Function: fns.list[key.fn], Value: values.list[value]})
			}
			return rows[i]
		}
		for _, v := range views {
			l := v.(*latency)
			tooDeep += l.tooDeep
			for n, s := range l.stats {
				if s == nil {
					continue
				}
				g := l.groups.of(n)
				f := &src.tables.Funcs[g.fn]
				if !opts.Function.function(f) {
					continue
				}
				if !src.meta.Sched {
					s.Waits, s.SelfWaits = Waits{Unknown: s.Total}, Waits{Unknown: s.Self}
				}
				s.settle()
				r := row(g.fn, g.value)
				p.rows[g.fn] = int32(index[rowKey{fns.add(f, src.tables.Modules), g.value}])
				r.Stats.Merge(&s.Stats)
				part := max(resolution[costClass{f.EntryClass, f.ReturnClass}], minUnresolved)
				r.Unresolved += time.Duration(part * float64(s.Subtracted))
				for program := range s.programs {
					r.Programs = append(r.Programs, *program)
				}
				if off := offs.of(g.fn, f); off != nil && r.TakenOff == 0 {
					r.TakenOff = max(1, time.Duration(min(off.TimeNs, maxTimeNs)))
				}
			}
		}
		for _, l := range lostCalls(&src.tables) {
			if opts.all() && opts.Function.function(&src.tables.Funcs[l.Func]) {
				row(l.Func, noValue).Lost += l.Entries
			}
		}
		sum.addDropped(path, src, &opts, values, row)
		parts = append(parts, p)
	}
	if tooDeep > 0 {
		sum.warn("", "%s more than %d traced calls deep: the Linux kernel follows no more nested return probes than that in one thread",
			Plural(tooDeep, "incomplete call was", "incomplete calls were"), maxReturnProbes)
	}
	if len(rows) == 0 {
		sum.warn("", "%s", opts.nothingMatches())
	}
	values.warn(sum)
	trace := sum.result()
	sum.warnDroppedCost(&trace)
	for i, rule := range opts.Errors {
		if !ruled[i] {
			sum.addWarning("", rule.warning("no function of the trace that matches has such arguments or results"))
		}
	}
	r := &Result{Trace: trace, By: opts.By, Warnings: sum.warnings}
	for _, row := range rows {
		if n := row.Durations.Count(); n > 0 { // the median, for a few calls that were interrupted say nothing of the others
			row.BelowResolution = row.Durations.Quantile(500) < row.Unresolved/time.Duration(n)
		}
		row.setPrograms()
		if !r.Trace.Sched {
			row.Waits, row.SelfWaits = Waits{}, Waits{}
		}
		r.Rows = append(r.Rows, *row)
	}
	r.setLabels()
	return r, parts, nil
}

// rowKey is what makes figures go to the same row: the function's number among those of all traces, and the value's.
type rowKey struct {
	fn    int
	value uint32
}
