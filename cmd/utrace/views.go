package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"utrace/analyze"
	"utrace/analyze/render"
	"utrace/analyze/render/page"
	"utrace/analyze/why"
)

// view is one way to show traces. write returns warnings about the traces.
type view struct {
	flag  string
	shown bool   // on standard output, instead of the report
	file  string // or in this file; "-" is standard output
	write func(io.Writer) ([]analyze.Warning, error)
}

// results are what several views share. Each is computed once, by a pass over the traces, when a
// view first asks for it.
type results struct {
	report func() (*analyze.Result, error) // sorted
	digest func() (*analyze.Digest, error) // with the same report
	why    func() (*why.Explanation, error)
	tree   func() (*analyze.Tree, error)
	maps   func() ([]analyze.Heatmap, []analyze.Warning, error)
}

// newResults makes a digest, if one is needed, in the same pass as the report.
func newResults(paths []string, opts analyze.Options, key analyze.SortKey, heatmap *analyze.Pattern, f *analyzeFlags) *results {
	type heatmaps struct {
		maps     []analyze.Heatmap
		warnings []analyze.Warning
	}
	maps := sync.OnceValues(func() (heatmaps, error) {
		of := opts
		of.Function = heatmap
		m, w, err := analyze.Heatmaps(paths, of)
		return heatmaps{m, w}, err
	})
	digest := sync.OnceValues(func() (*analyze.Digest, error) {
		d, err := analyze.MakeDigest(paths, opts)
		if err == nil {
			d.Sort(key)
		}
		return d, err
	})
	return &results{
		report: sync.OnceValues(func() (*analyze.Result, error) {
			if f.html != "" {
				d, err := digest()
				if err != nil {
					return nil, err
				}
				return d.Result, nil
			}
			r, err := analyze.Report(paths, opts)
			if err == nil {
				r.Sort(key)
			}
			return r, err
		}),
		digest: digest,
		why:    sync.OnceValues(func() (*why.Explanation, error) { return f.explain(paths, opts) }),
		tree:   sync.OnceValues(func() (*analyze.Tree, error) { return analyze.CallTree(paths, opts) }),
		maps: func() ([]analyze.Heatmap, []analyze.Warning, error) {
			m, err := maps()
			return m.maps, m.warnings, err
		},
	}
}

// views lists all views in the order in which they are written. The report as text comes last; it
// is left out if another view goes to standard output.
func (f *analyzeFlags) views(paths []string, opts analyze.Options, key analyze.SortKey, res *results) []view {
	report := func(render func(io.Writer, *analyze.Result) error) func(io.Writer) ([]analyze.Warning, error) {
		return func(w io.Writer) ([]analyze.Warning, error) {
			r, err := res.report()
			if err != nil {
				return nil, err
			}
			cut := *r
			cut.Rows = f.first(r.Rows)
			return r.Warnings, render(w, &cut)
		}
	}
	tree := func(render func(io.Writer, *analyze.Tree) error) func(io.Writer) ([]analyze.Warning, error) {
		return func(w io.Writer) ([]analyze.Warning, error) {
			t, err := res.tree()
			if err != nil {
				return nil, err
			}
			return t.Warnings, render(w, t)
		}
	}
	heatmap := func(render func(io.Writer, []analyze.Heatmap) error) func(io.Writer) ([]analyze.Warning, error) {
		return func(w io.Writer) ([]analyze.Warning, error) {
			maps, warnings, err := res.maps()
			switch {
			case err != nil:
				return nil, err
			case len(maps) == 0 && f.heatmap != everyFunction:
				return warnings, fmt.Errorf("--heatmap %s: no function with a complete call matches", f.heatmap)
			}
			return warnings, render(w, maps)
		}
	}
	explanation := func(render func(io.Writer, *why.Explanation) error) func(io.Writer) ([]analyze.Warning, error) {
		return func(w io.Writer) ([]analyze.Warning, error) {
			x, err := res.why()
			switch {
			case x == nil:
				return nil, err
			case err != nil:
				return x.Warnings, err
			}
			return x.Warnings, render(w, x)
		}
	}
	asJSON := report(func(w io.Writer, r *analyze.Result) error { return render.JSON(w, r, words()) })
	if f.why != "" {
		asJSON = explanation(func(w io.Writer, x *why.Explanation) error { return render.WhyJSON(w, x, words()) })
	}
	list := []view{
		{flag: "flow", shown: f.flow != "", write: func(w io.Writer) ([]analyze.Warning, error) {
			if f.flow == "arrows" {
				return render.FlowArrows(w, paths, opts)
			}
			return render.Flow(w, paths, opts, f.fields.fields)
		}},
		{flag: "tree", shown: f.tree, write: tree(render.Tree)},
		{flag: "hist", shown: f.hist != "", write: func(w io.Writer) ([]analyze.Warning, error) { return f.writeHist(w, res) }},
		{flag: "slowest", shown: f.slowest > 0, write: func(w io.Writer) ([]analyze.Warning, error) { return f.writeSlowest(w, paths, opts) }},
		{flag: "why", shown: f.why != "" && !f.json, write: explanation(func(w io.Writer, x *why.Explanation) error {
			return render.Why(w, x, words(), f.screen.screen(w))
		})},
		{flag: "heatmap", shown: f.heatmap != "", write: heatmap(render.Heatmap)},
		{flag: "heatmap-svg", file: f.heatmapSVG, write: heatmap(render.HeatmapSVG)},
		{flag: "html", file: f.html, write: func(w io.Writer) ([]analyze.Warning, error) { return f.writePage(w, res) }},
		{flag: "pprof", file: f.pprof, write: func(w io.Writer) ([]analyze.Warning, error) {
			p, warnings, err := analyze.Profile(paths, opts)
			if err != nil {
				return nil, err
			}
			return warnings, p.Write(w)
		}},
		{flag: "folded", file: f.folded, write: tree(render.Folded)},
		{flag: "flame", file: f.flame, write: tree(render.Flame)},
		{flag: "trace-event", file: f.traceEvent, write: func(w io.Writer) ([]analyze.Warning, error) { return f.writeTraceEvent(w, paths, opts, res) }},
		{flag: "json", shown: f.json, write: asJSON},
		{flag: "csv", shown: f.csv, write: report(render.CSV)},
		{flag: "info", shown: f.info, write: report(func(w io.Writer, r *analyze.Result) error { return render.Info(w, &r.Trace) })},
	}
	for i := range list {
		if list[i].shown || list[i].file == "-" {
			return list
		}
	}
	return append(list, view{shown: true, write: report(func(w io.Writer, r *analyze.Result) error {
		sparks := f.spark || !f.sparkSet && isTerminal(w)
		return render.Report(w, r, render.Style{Screen: f.screen.screen(w), Sparks: sparks, Sort: key})
	})})
}

// first returns the rows that --top keeps.
func (f *analyzeFlags) first(rows []analyze.Row) []analyze.Row {
	if f.top > 0 {
		return rows[:min(f.top, len(rows))]
	}
	return rows
}

// writeHist writes the distributions of the functions that --hist names, or of all functions in the
// report.
func (f *analyzeFlags) writeHist(w io.Writer, res *results) ([]analyze.Warning, error) {
	r, err := res.report()
	if err != nil {
		return nil, err
	}
	if f.hist == everyFunction {
		return r.Warnings, render.Hist(w, f.first(r.Rows), r.By)
	}
	pattern, err := analyze.ParsePattern(f.hist)
	if err != nil {
		return nil, usageError{fmt.Errorf("--hist: %w", err)}
	}
	rows := r.Select(pattern)
	switch {
	case len(rows) == 0:
		return r.Warnings, fmt.Errorf("--hist %s: no such file, and no called function matches", f.hist)
	case !slices.ContainsFunc(rows, func(row analyze.Row) bool { return row.Durations.Count()+row.Uncertain > 0 }):
		return r.Warnings, fmt.Errorf("--hist %s: no function with a complete call matches", f.hist)
	}
	return r.Warnings, render.Hist(w, rows, r.By)
}

func (f *analyzeFlags) writeSlowest(w io.Writer, paths []string, opts analyze.Options) ([]analyze.Warning, error) {
	slow, err := analyze.Slowest(paths, f.slowest, opts)
	if err != nil {
		return nil, err
	}
	return slow.Warnings, render.Slowest(w, slow)
}

// explain explains the slow calls of the function that --why names.
func (f *analyzeFlags) explain(paths []string, opts analyze.Options) (*why.Explanation, error) {
	function, err := analyze.ParsePattern(f.why)
	if err != nil {
		return nil, usageError{fmt.Errorf("--why: %w", err)}
	}
	than, err := why.ParseThan(f.than)
	if err != nil {
		return nil, usageError{fmt.Errorf("--than: %w", err)}
	}
	x, err := why.Explain(paths, function, than, opts)
	if err == nil && x.Calls == 0 {
		err = fmt.Errorf("--why %s: no function with a complete call matches", f.why)
	}
	return x, err
}

// writePage writes a page with the rows that --top keeps.
func (f *analyzeFlags) writePage(w io.Writer, res *results) ([]analyze.Warning, error) {
	d, err := res.digest()
	if err != nil {
		return nil, err
	}
	in := page.Input{Digest: d, Words: words(), Version: version()}
	if f.why != "" {
		if in.Why, err = res.why(); err != nil {
			return d.Warnings, err
		}
	}
	cut, report := *d, *d.Result
	report.Rows = f.first(report.Rows)
	cut.Result, in.Digest = &report, &cut
	return d.Warnings, page.Write(w, &in)
}

func (f *analyzeFlags) writeTraceEvent(w io.Writer, paths []string, opts analyze.Options, res *results) ([]analyze.Warning, error) {
	r, err := res.report()
	if err != nil {
		return nil, err
	}
	var only []analyze.Row
	if f.top > 0 {
		only = f.first(r.Rows)
	}
	return render.TraceEvent(w, paths, opts, only, &r.Trace)
}

// show writes a view to standard output or its file. It returns the warnings about the traces.
func (v *view) show(out io.Writer) (warnings []analyze.Warning, err error) {
	if v.shown || v.file == "-" {
		return v.write(out)
	}
	if v.file == "" {
		return nil, nil
	}
	err = intoFile(v.flag, v.file, func(w io.Writer) error {
		warnings, err = v.write(w)
		return err
	})
	return warnings, err
}

// intoFile writes the file that a flag names, in a directory that must exist.
func intoFile(flag, path string, write func(io.Writer) error) error {
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return fmt.Errorf("--%s %s: there is no directory %s", flag, path, dir)
	}
	return render.File(path, write)
}
