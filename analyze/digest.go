package analyze

import (
	"cmp"
	"slices"

	"utrace/analyze/internal/windows"
	"utrace/format"
)

// digestNodes is the number of nodes of a Digest's tree: more than can be looked at.
const digestNodes = 1 << 16

// Digest is a report with details of each function, and the tree of all calls.
type Digest struct {
	*Result
	// Roots are the calls of all threads, summed up by path. They are not grouped by value.
	Roots []*Node
	// Details are those of each function with a complete call.
	Details map[Function]*Detail
}

// Detail is what a Digest knows of one function.
type Detail struct {
	// Heatmap has four rows to an octave.
	Heatmap Heatmap
	// Covered is the part of each slice of the Heatmap in which the function was probed, 0 to 1. It is
	// nil if that was all the time.
	Covered []float64
	// Arguments are its complete calls by the values of each recorded argument.
	Arguments []ArgumentValues
	// Slowest are its slowest calls, longest first: up to 10, fewer if there are many functions.
	// Steps inside them have no values.
	Slowest []SlowCall
}

// MakeDigest analyzes traces in one pass over each. Memory grows with functions, call paths,
// threads and the depth of their stacks.
func MakeDigest(paths []string, opts Options) (*Digest, error) {
	b := newReportBuilder(paths, &opts)
	d := &digestBuilder{opts: &opts, tree: newTreeBuilder(&opts, false, digestNodes, b.fns)}
	b.digest = d
	for _, path := range paths {
		if err := b.read(path); err != nil {
			return nil, err
		}
	}
	threads := d.tree.result(b.sum, b.values)
	digest := &Digest{Result: b.result(), Details: map[Function]*Detail{}}
	for i := range threads {
		digest.Roots = append(digest.Roots, threads[i].Roots...)
	}
	for fn, of := range d.details {
		if of == nil {
			continue
		}
		f := b.fns.list[fn]
		slices.SortStableFunc(of.Slowest, func(a, b SlowCall) int { return cmp.Compare(b.Duration, a.Duration) })
		of.Slowest = of.Slowest[:min(len(of.Slowest), perFunction(len(b.fns.list)))]
		if of.grid != nil {
			of.Heatmap = of.grid.heatmap(heatParts)
			of.setCovered()
		}
		of.Heatmap.Function = f
		for i := range of.args {
			of.Arguments = append(of.Arguments, of.args[i].values())
		}
		digest.Details[f] = &of.Detail
	}
	digest.Sort("total")
	return digest, nil
}

// digestBuilder collects what a Digest has in addition to a report.
type digestBuilder struct {
	opts    *Options
	tree    *treeBuilder
	details []*detailBuilder // by number of the function among those of all traces
	parts   []*digestView    // of the current trace
	files   int
}

type detailBuilder struct {
	Detail
	grid   *heatGrid
	args   []argument
	covers []*windows.Windows // of each trace with complete calls of it; nil: it was probed all the time
	latest int                // number of the latest of these traces, from 1
}

// setCovered sets Covered, as the mean of the traces.
func (d *detailBuilder) setCovered() {
	if !d.Heatmap.Sampled {
		return
	}
	d.Covered = make([]float64, d.Heatmap.Slices)
	for _, w := range d.covers {
		for i := range d.Covered {
			part := 1.0
			if w != nil {
				from := int64(d.Heatmap.From) + int64(i)*int64(d.Heatmap.Slice)
				part = w.Within(from, from+int64(d.Heatmap.Slice))
			}
			d.Covered[i] += part / float64(len(d.covers))
		}
	}
}

// view returns a view for some threads of a trace, around that of the report.
func (b *digestBuilder) view(src *source, report *latency) view {
	v := &digestView{latency: report, paths: b.tree.part(src, nil), heat: heat{opts: b.opts}, log: newCallLog(b.opts, b.files), args: newArgValues(b.opts)}
	b.parts = append(b.parts, v)
	return v
}

// add adds a trace, which was read to its end.
func (b *digestBuilder) add(path string, src *source, sum *summary) error {
	sum.warnCallers(path, src)
	paths := make([]*callPaths, len(b.parts))
	log := newCallLog(b.opts, b.files)
	for i, part := range b.parts {
		paths[i] = part.paths
		log.merge(part.log)
	}
	b.tree.add(src, paths)
	for fn := range log.slowest {
		calls, err := log.slowCalls(src, format.FuncID(fn))
		if err != nil {
			return err
		}
		if len(calls) > 0 {
			of := b.detail(src, format.FuncID(fn))
			of.Slowest = append(of.Slowest, calls...)
		}
	}
	for _, part := range b.parts {
		for fn, grid := range part.heat.grids {
			if grid == nil {
				continue
			}
			of := b.detail(src, format.FuncID(fn))
			if of.grid == nil {
				of.grid = newHeatGrid(b.opts)
			}
			of.grid.merge(grid)
			cover := src.cover.Of(format.FuncID(fn))
			of.grid.sampled = of.grid.sampled || cover != nil
			if of.latest != b.files+1 {
				of.latest = b.files + 1
				of.covers = append(of.covers, cover)
			}
		}
	}
	for _, part := range b.parts {
		for fn, args := range part.args.of {
			if merged := mergeArguments(nil, args); len(merged) > 0 {
				of := b.detail(src, format.FuncID(fn))
				of.args = mergeArguments(of.args, merged)
			}
		}
	}
	b.parts = nil
	b.files++
	return nil
}

// detail returns the details of a function of a trace.
func (b *digestBuilder) detail(src *source, fn format.FuncID) *detailBuilder {
	n := b.tree.fns.add(&src.tables.Funcs[fn], src.tables.Modules)
	for len(b.details) <= n {
		b.details = append(b.details, nil)
	}
	if b.details[n] == nil {
		b.details[n] = &detailBuilder{}
	}
	return b.details[n]
}

// digestView is the views of a digest together.
type digestView struct {
	*latency
	paths *callPaths
	heat  heat
	log   *callLog
	args  *argValues
}

func (v *digestView) define(funcs []format.Func) {
	v.latency.define(funcs)
	v.paths.define(funcs)
	v.heat.define(funcs)
	v.log.define(funcs)
	v.args.define(funcs)
}

func (v *digestView) enter(t *thread, f, parent *frame) {
	v.log.enter(t, f, parent)
	v.paths.enter(t, f, parent)
	v.latency.enter(t, f, parent)
}

func (v *digestView) leave(t *thread, f *frame, state State) {
	v.args.leave(t, f, state, v.log.args(t))
	v.log.leave(t, f, state)
	v.heat.leave(t, f, state)
	v.paths.leave(t, f, state)
	v.latency.leave(t, f, state) // it decides the group of the call anew
}

func (v *digestView) hit(t *thread, f *frame) {
	v.log.hit(t, f)
	v.paths.hit(t, f)
	v.latency.hit(t, f)
}

func (v *digestView) waited(t *thread, w *Wait) { v.log.waited(t, w) }
