package page

import (
	"io"
	"path/filepath"
	"strings"

	"utrace/analyze"
	"utrace/analyze/compare"
	"utrace/analyze/render"
)

// DiffInput is what a page of a comparison shows.
type DiffInput struct {
	Comparison *compare.Comparison
	Old, New   *analyze.Tree // of all functions
	Words      render.Words
	Version    string // of utrace
}

// WriteDiff writes a page of at most MaxBytes.
func WriteDiff(w io.Writer, in *DiffInput) error {
	return writePage(w, mostData(len(in.Comparison.Changes)), func(lim limits) (*data, error) { return newDiffData(in, lim) })
}

// diff is what a page of a comparison holds besides the changes in JSON.
type diff struct {
	OldHistogram []histogram `json:"old_histogram"` // by row
	NewHistogram []histogram `json:"new_histogram"`
	OldTree      *tree       `json:"old_tree"`
	NewTree      *tree       `json:"new_tree"`
	OldEdges     edges       `json:"old_edges"` // who calls whom
	NewEdges     edges       `json:"new_edges"`
	OldTraces    int         `json:"old_traces"`
	NewTraces    int         `json:"new_traces"`
}

// newDiffData collects what a page shows of a comparison within limits. Functions that were matched
// have one name, that of the new side.
func newDiffData(in *DiffInput, lim limits) (*data, error) {
	c := in.Comparison
	n := newNames()
	d := &data{
		Kind: "diff", Title: fileNames(&c.Old) + " → " + fileNames(&c.New), Version: in.Version,
		Warnings: in.Words.Warnings(c.Warnings), Trace: render.JSONTrace(&c.New, in.Words),
		Diff: &diff{OldTraces: len(c.Old.Files), NewTraces: len(c.New.Files)},
	}
	for _, f := range render.DiffFacts(c) {
		d.Facts = append(d.Facts, [2]string{f.Name, f.Value})
		if f.Name == "result" {
			d.Sentences = append(d.Sentences, f.Value+".")
		}
	}
	shown := c.Changes[:min(len(c.Changes), lim.rows)]
	var err error
	if d.Functions, err = newColumns(render.JSONChanges(shown)); err != nil {
		return nil, err
	}
	for i := range c.Changes {
		ch := &c.Changes[i]
		n.of(&ch.Function)
		if ch.Old != nil {
			n.same(&ch.Old.Function, &ch.Function)
		}
	}
	for i := range shown {
		ch := &shown[i]
		d.Rows.add(&analyze.Row{Function: ch.Function, Label: ch.Label, BelowResolution: ch.BelowResolution()}, n, histogram{}, -1)
		var before, after histogram
		if ch.Old != nil && i < lim.histograms {
			before = newHistogram(&ch.Old.Durations)
		}
		if ch.New != nil && i < lim.histograms {
			after = newHistogram(&ch.New.Durations)
		}
		d.Diff.OldHistogram, d.Diff.NewHistogram = append(d.Diff.OldHistogram, before), append(d.Diff.NewHistogram, after)
	}
	d.Diff.OldTree, d.Diff.NewTree = newTree(rootsOf(in.Old), n, lim.nodes/2), newTree(rootsOf(in.New), n, lim.nodes/2)
	for _, side := range []struct {
		edges *edges
		tree  *analyze.Tree
	}{{&d.Diff.OldEdges, in.Old}, {&d.Diff.NewEdges, in.New}} {
		pairs := analyze.Edges(rootsOf(side.tree))
		side.edges.add(pairs, n, lim.edges/2)
		d.leaveOutEdges(len(pairs), lim.edges/2)
	}
	d.setNames(n)
	d.leaveOut(len(c.Changes), lim, d.Diff.OldTree, d.Diff.NewTree)
	return d, nil
}

// fileNames are the names of traces without their directories.
func fileNames(t *analyze.Trace) string {
	names := make([]string, len(t.Files))
	for i, file := range t.Files {
		names[i] = filepath.Base(file)
	}
	return strings.Join(names, ", ")
}

// rootsOf are the roots of a tree of all threads together.
func rootsOf(t *analyze.Tree) (roots []*analyze.Node) {
	for i := range t.Threads {
		roots = append(roots, t.Threads[i].Roots...)
	}
	return roots
}
