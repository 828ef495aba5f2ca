package analyze

import (
	"slices"
	"time"

	"utrace/format"
)

// Report analyzes traces into one report, sorted by total time. Functions of different traces are
// the same if build ID (or path), address and name are equal. It analyzes a
// damaged trace up to the damage, with a warning. It fails for a file that is not a trace, and with
// ErrUnreadable.
func Report(paths []string, opts Options) (*Result, error) {
	r, _, err := report(paths, opts)
	if err != nil {
		return nil, err
	}
	r.Sort("total")
	return r, nil
}

// part is what a report knows about one of its traces.
type part struct {
	rows   []int32 // by function: its row, none if it was not called
	lastNs int64   // time of the last event
}

// report is Report without the sorting. It also returns the parts, by trace.
func report(paths []string, opts Options) (*Result, []part, error) {
	b := newReportBuilder(paths, &opts)
	for _, path := range paths {
		if err := b.read(path); err != nil {
			return nil, nil, err
		}
	}
	return b.result(), b.parts, nil
}

// reportBuilder makes a report of traces, one after the other.
type reportBuilder struct {
	opts    *Options
	sum     *summary
	fns     *functions
	values  *valueTable
	rows    []*Row
	spans   []float64      // by row: duration of the traces with calls of it
	index   map[rowKey]int // in rows
	parts   []part
	applied []bool         // by error rule: it applies to a function
	tooDeep uint64         // see latency
	digest  *digestBuilder // nil for the report alone
}

func newReportBuilder(paths []string, opts *Options) *reportBuilder {
	return &reportBuilder{
		opts: opts, sum: newSummary(paths), fns: newFunctions(), values: newValueTable(opts.By),
		index: map[rowKey]int{}, applied: make([]bool, len(opts.Errors)),
	}
}

// rowKey chooses the row of a figure: the function's number among those of all traces, and the
// value's.
type rowKey struct {
	fn    int
	value uint32
}

// row returns the number of the row of a function of a trace, which it adds if there is none.
func (b *reportBuilder) row(src *source, fn format.FuncID, value uint32) int {
	key := rowKey{b.fns.add(&src.tables.Funcs[fn], src.tables.Modules), value}
	i, ok := b.index[key]
	if !ok {
		i = len(b.rows)
		b.index[key] = i
		b.spans = append(b.spans, 0)
		b.rows = append(b.rows, &Row{Function: b.fns.list[key.fn], Value: b.values.list[value], Covered: 1})
	}
	return i
}

// read adds a trace:
//
//  1. It pairs the events of all threads, with one view for each shard of them.
//  2. It adds the figures of the views to the rows.
//  3. It adds calls that the file has no events of: lost ones, and dropped ones.
func (b *reportBuilder) read(path string) error {
	src, err := openSource(path, b.opts)
	if err != nil {
		return err
	}
	columns := format.Columns{Args: true, Value: needsValue(b.opts.Errors)}
	parts := make([]*latency, b.opts.views())
	views := make([]view, len(parts))
	for i := range parts {
		parts[i] = &latency{opts: b.opts, groups: newGrouping(b.values)}
		views[i] = parts[i]
		if b.digest != nil {
			views[i] = b.digest.view(src, parts[i])
			columns.Value = columns.Value || src.meta.Stacks
		}
	}
	t, err := src.pair(b.opts, columns, views)
	src.close()
	if err != nil {
		return err
	}
	b.sum.add(path, src, t, b.opts)
	b.checkRules(path, src)

	p := part{slices.Repeat([]int32{none}, len(src.tables.Funcs)), t.lastNs}
	b.addStats(src, parts, &p)
	b.parts = append(b.parts, p)
	if b.digest != nil {
		if err := b.digest.add(path, src, b.sum); err != nil {
			return err
		}
	}

	row := func(fn format.FuncID, value uint32) *Row { return b.rows[b.row(src, fn, value)] }
	for _, l := range lostCalls(&src.tables) {
		if b.opts.all() && b.opts.Function.function(&src.tables.Funcs[l.Func]) {
			row(l.Func, noValue).Lost += l.Entries
		}
	}
	b.sum.addDropped(path, src, b.opts, b.values, row)
	return nil
}

// checkRules notes which error rules apply to functions of a trace, and warns of comparisons that
// are always false.
func (b *reportBuilder) checkRules(path string, src *source) {
	for i, rule := range b.opts.Errors {
		b.applied[i] = b.applied[i] || rule.appliesTo(src.tables.Funcs)
		if misfit := rule.misfit(src.tables.Funcs); misfit != "" {
			b.sum.addWarning(path, rule.warning(misfit))
		}
	}
}

// addStats adds the figures of the views of a trace to the rows, and notes in p which rows these
// are.
func (b *reportBuilder) addStats(src *source, views []*latency, p *part) {
	uncertainty := unresolved(src.tables.Calibrations)
	parts := newTraceStats()
	for _, l := range views {
		b.tooDeep += l.tooDeep
		for n, s := range l.stats {
			if s == nil {
				continue
			}
			g := l.groups.of(n)
			f := &src.tables.Funcs[g.fn]
			if !b.opts.Function.function(f) {
				continue
			}
			if !src.meta.Sched {
				s.Waits, s.SelfWaits = Waits{Unknown: s.Total}, Waits{Unknown: s.Self}
			}
			s.settle()
			i := b.row(src, g.fn, g.value)
			p.rows[g.fn] = int32(i)
			parts.add(i, g.fn, s)
		}
	}
	duration := float64(max(1, b.sum.trace.Durations[len(b.sum.trace.Durations)-1]))
	for _, key := range parts.order {
		s, f, cover := parts.of[key], &src.tables.Funcs[key.fn], src.cover.Of(key.fn)
		s.estimate(cover)
		share := 1.0
		if cover != nil {
			share = cover.Share
		}
		r, span := b.rows[key.row], b.spans[key.row]
		r.Covered = (r.Covered*span + share*duration) / (span + duration)
		b.spans[key.row] += duration
		r.addStats(s, max(uncertainty[costClass{f.EntryClass, f.ReturnClass}], minUnresolved))
	}
}

// addStats adds the figures of one trace. uncertainty is the part of the subtracted cost that may be
// wrong.
func (r *Row) addStats(s *callStats, uncertainty float64) {
	r.Stats.Merge(&s.Stats)
	r.Unresolved += time.Duration(uncertainty * float64(s.Subtracted))
	for program := range s.programs {
		r.Programs = append(r.Programs, *program)
	}
}

// result completes the report: warnings about all traces, and figures that need all of them.
func (b *reportBuilder) result() *Result {
	if b.tooDeep > 0 {
		b.sum.warn("", "%s more than %d traced calls deep: the Linux kernel handles no more nested return probes in one thread",
			Plural(b.tooDeep, "incomplete call was", "incomplete calls were"), maxReturnProbes)
	}
	if len(b.rows) == 0 {
		b.sum.warnNothing(b.opts)
	}
	b.values.warn(b.sum)
	trace := b.sum.result()
	b.sum.warnDroppedCost(&trace)
	for i, rule := range b.opts.Errors {
		if !b.applied[i] {
			b.sum.addWarning("", rule.warning("no function of the trace that matches has such arguments or results"))
		}
	}

	r := &Result{Trace: trace, By: b.opts.By, Warnings: b.sum.warnings}
	for _, row := range b.rows {
		if n := row.Durations.Count(); n > 0 { // by the median: a few interrupted calls say nothing about the others
			row.AwaitsProbes = row.awaitsProbes()
			row.BelowResolution = row.Quantile(500) < row.Unresolved/time.Duration(n)
		}
		row.setPrograms()
		if !r.Trace.Sched {
			row.Waits, row.SelfWaits = Waits{}, Waits{}
		}
		r.Rows = append(r.Rows, *row)
	}
	r.setLabels()
	return r
}
