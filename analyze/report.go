package analyze

import (
	"maps"
	"slices"
	"time"

	"utrace/format"
)

// Report analyzes traces into one report, sorted by total time. Functions of
// different traces are the same when build ID (or path), address and name are.
// It fails for a file that is not a trace; one that is damaged is analyzed as
// far as it goes, with a warning.
func Report(paths []string, opts Options) (*Result, error) {
	sum := newSummary(paths)
	fns := newFunctions()
	var rows []*Row
	tooDeep := uint64(0)
	for _, path := range paths {
		src, err := openSource(path)
		if err != nil {
			return nil, err
		}
		views := make([]view, shards())
		for i := range views {
			views[i] = &latency{opts: &opts}
		}
		t, err := src.pair(&opts, format.Columns{}, views)
		src.close()
		if err != nil {
			return nil, err
		}
		sum.add(path, src, t)
		offs := newTakenOff(src.tables.TakenOff, src.tables.Funcs)
		for _, v := range views {
			l := v.(*latency)
			tooDeep += l.tooDeep
			for fn, s := range l.stats {
				if s == nil || !opts.Function.function(&src.tables.Funcs[fn]) {
					continue
				}
				f := &src.tables.Funcs[fn]
				i := fns.add(f, src.tables.Modules)
				for len(rows) <= i {
					rows = append(rows, new(Row))
				}
				rows[i].Stats.Merge(&s.Stats)
				rows[i].PIDs = slices.AppendSeq(rows[i].PIDs, maps.Keys(s.pids))
				if off := offs.of(format.FuncID(fn), f); off != nil && rows[i].TakenOff == 0 {
					rows[i].TakenOff = max(1, time.Duration(min(off.TimeNs, maxTimeNs)))
				}
			}
		}
	}
	if tooDeep > 0 {
		sum.warn("", "%s more than %d traced calls deep: the Linux kernel follows no more nested return probes than that in one thread",
			plural(tooDeep, "incomplete call was", "incomplete calls were"), maxReturnProbes)
	}
	r := &Result{Trace: sum.result(), Warnings: sum.warnings}
	for i, row := range rows {
		row.Function = fns.list[i]
		slices.Sort(row.PIDs)
		row.PIDs = slices.Compact(row.PIDs)
		r.Rows = append(r.Rows, *row)
	}
	r.setLabels()
	r.Sort("total")
	return r, nil
}
