package page

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"utrace/analyze"
	"utrace/analyze/render"
)

// data is what a page holds, see src/data.ts. Times are in nanoseconds.
type data struct {
	Kind      string       `json:"kind"` // analyze or diff
	Title     string       `json:"title"`
	Version   string       `json:"version"` // of utrace
	Facts     [][2]string  `json:"facts"`
	Sentences []string     `json:"sentences"`
	Notes     []string     `json:"notes"`
	Warnings  []string     `json:"warnings"`
	LeftOut   []string     `json:"left_out"` // of the page, to keep it small
	Why       *explanation `json:"why"`

	Trace     any      `json:"trace"` // as in --json
	By        string   `json:"by"`    // the rows are grouped by this
	Names     []string `json:"names"` // of functions: other parts of the data have their numbers
	Modules   []string `json:"modules"`
	ModuleOf  []int    `json:"module_of"`  // by function
	Functions columns  `json:"functions"`  // the rows of the report, as in --json
	Rows      rows     `json:"rows"`       // more about each of them
	Details   []detail `json:"details"`    // see rows.Detail
	Edges     edges    `json:"edges"`      // who calls whom
	Tree      *tree    `json:"tree"`       // call paths
	Diff      *diff    `json:"comparison"` // of a diff
}

// rows are what the page shows of rows of a report, besides the figures in JSON.
type rows struct {
	Function  []int       `json:"function"` // number of its name
	Label     []string    `json:"label"`
	Value     []string    `json:"value"` // "" for none
	Programs  []string    `json:"programs"`
	Mark      []bool      `json:"mark"` // with ~
	Known     known       `json:"known"`
	Histogram []histogram `json:"histogram"` // empty if it is left out
	Detail    []int       `json:"detail"`    // index in details, -1 for none
}

// known says which figures of each row are known: the others are shown as -.
type known struct {
	Total     []bool `json:"total"` // and self time
	Mean      []bool `json:"mean"`
	Quantiles []bool `json:"quantiles"`
	Max       []bool `json:"max"`
	Waits     []bool `json:"waits"`
}

func (k *known) add(is render.Known) {
	k.Total, k.Mean, k.Quantiles = append(k.Total, is.Total), append(k.Mean, is.Mean), append(k.Quantiles, is.Quantiles)
	k.Max, k.Waits = append(k.Max, is.Max), append(k.Waits, is.Waits)
}

// histogram is a distribution of durations: the lower bounds of buckets, and how many calls each has.
type histogram struct {
	Low   []int64  `json:"low"`
	High  []int64  `json:"high"`
	Calls []uint64 `json:"calls"`
}

func newHistogram(h *analyze.Histogram) (out histogram) {
	for _, b := range h.Buckets() {
		out.Low, out.High, out.Calls = append(out.Low, int64(b.Low)), append(out.High, int64(b.High)), append(out.Calls, b.Calls)
	}
	return out
}

// detail is what the page shows of one function when it is selected.
type detail struct {
	Heatmap heatmap  `json:"heatmap"`
	Covered []int    `json:"covered"` // thousandths of each slice in which the function was probed; null: all the time
	Slowest []call   `json:"slowest"`
	Values  []values `json:"values"` // of the arguments
	// Arguments are their names, as in call.Arguments.
	Arguments []string `json:"arguments"`
}

// values are the complete calls by the value of an argument.
type values struct {
	Name   string   `json:"name"`
	Text   []string `json:"text"` // of the values
	Calls  []uint64 `json:"calls"`
	P50    []int64  `json:"p50"`
	P99    []int64  `json:"p99"`
	Max    []int64  `json:"max"`
	Others uint64   `json:"others"` // calls with further values
}

func newValues(of *analyze.ArgumentValues) values {
	out := values{Name: of.Name, Others: of.Others}
	for i := range of.Values {
		d := &of.Values[i].Durations
		out.Text, out.Calls = append(out.Text, of.Values[i].Text), append(out.Calls, d.Count())
		out.P50, out.P99, out.Max = append(out.P50, int64(d.Quantile(500))), append(out.P99, int64(d.Quantile(990))), append(out.Max, int64(d.Max()))
	}
	return out
}

type heatmap struct {
	From      int64    `json:"from"`
	Slice     int64    `json:"slice"`
	Slices    int      `json:"slices"`
	Uncertain uint64   `json:"uncertain"`
	Sampled   bool     `json:"sampled"`
	Low       []int64  `json:"low"`   // of the rows
	High      []int64  `json:"high"`  // of the rows
	Calls     []uint64 `json:"calls"` // by row and slice
}

func newHeatmap(m *analyze.Heatmap) heatmap {
	out := heatmap{From: int64(m.From), Slice: int64(m.Slice), Slices: m.Slices, Uncertain: m.Uncertain, Sampled: m.Sampled}
	for i := range m.Rows {
		r := &m.Rows[i]
		out.Low, out.High = append(out.Low, int64(r.Low)), append(out.High, int64(r.High))
		out.Calls = append(out.Calls, r.Calls[:m.Slices]...)
	}
	return out
}

// edges are callers and callees, with the numbers of their names. The caller is -1 for a call whose
// caller is not in the traces.
type edges struct {
	Caller []int    `json:"caller"`
	Callee []int    `json:"callee"`
	Calls  []uint64 `json:"calls"`
	Total  []int64  `json:"total"`
}

// newData collects what a page shows of a digest within limits.
func newData(in *Input, lim limits) (*data, error) {
	r := in.Digest.Result
	n := newNames()
	d := &data{
		Kind: "analyze", Title: title(&r.Trace), Version: in.Version, Sentences: render.Sentences(r), Notes: render.Notes(r),
		Warnings: in.Words.Warnings(r.Warnings), Trace: render.JSONTrace(&r.Trace, in.Words), By: r.By, Why: newWhy(in),
	}
	for _, f := range render.Facts(r) {
		d.Facts = append(d.Facts, [2]string{f.Name, f.Value})
	}
	shown := r.Rows[:min(len(r.Rows), lim.rows)]
	var err error
	if d.Functions, err = newColumns(render.JSONFunctions(r, shown)); err != nil {
		return nil, err
	}
	several := len(r.Trace.Files) > 1
	for i := range shown {
		n.of(&shown[i].Function)
	}
	flow := &flowNames{names: n, of: map[flowKey]int{}}
	flow.learn(shown)
	detailOf := map[analyze.Function]int{}
	for i := range shown {
		row := &shown[i]
		at := -1
		if known, ok := detailOf[row.Function]; ok {
			at = known
		} else if of := in.Digest.Details[row.Function]; of != nil && len(d.Details) < lim.details {
			at = len(d.Details)
			detailOf[row.Function] = at
			d.Details = append(d.Details, newDetail(of, flow, several, lim))
		}
		var h histogram
		if i < lim.histograms {
			h = newHistogram(&row.Durations)
		}
		d.Rows.add(row, n, h, at)
	}
	d.Tree = newTree(in.Digest.Roots, n, lim.nodes)
	pairs := analyze.Edges(in.Digest.Roots)
	d.Edges.add(pairs, n, lim.edges)
	d.leaveOutEdges(len(pairs), lim.edges)
	d.setNames(n)
	if len(d.Details) == lim.details && lim.details < min(len(in.Digest.Details), len(shown)) {
		d.LeftOut = append(d.LeftOut, fmt.Sprintf("heatmaps and slowest calls of functions after the first %d", lim.details))
	}
	d.leaveOut(len(r.Rows), lim, d.Tree)
	return d, nil
}

func (d *data) setNames(n *names) { d.Names, d.Modules, d.ModuleOf = n.names, n.modules, n.moduleOf }

// title says what was recorded.
func title(t *analyze.Trace) string {
	switch {
	case len(t.Commands) > 0:
		return strings.Join(t.Commands, "; ")
	case len(t.Processes) > 0:
		return cmp.Or(t.Processes[0].Command, t.Processes[0].Name, strings.Join(t.Files, ", "))
	}
	return strings.Join(t.Files, ", ")
}

func (r *rows) add(row *analyze.Row, n *names, h histogram, detail int) {
	r.Function = append(r.Function, n.of(&row.Function))
	r.Label = append(r.Label, row.Label)
	r.Value = append(r.Value, row.Value.Text)
	r.Programs = append(r.Programs, render.Programs(row.Programs))
	r.Mark = append(r.Mark, row.BelowResolution || row.AwaitsProbes)
	r.Known.add(render.KnownFigures(&row.Stats))
	r.Histogram = append(r.Histogram, h)
	r.Detail = append(r.Detail, detail)
}

func (e *edges) add(list []analyze.Edge, n *names, room int) {
	for i := range list[:min(len(list), room)] {
		e.Caller, e.Callee = append(e.Caller, n.of(list[i].Caller)), append(e.Callee, n.of(list[i].Callee))
		e.Calls, e.Total = append(e.Calls, list[i].Calls), append(e.Total, int64(list[i].Total))
	}
}

func newDetail(of *analyze.Detail, flow *flowNames, several bool, lim limits) detail {
	d := detail{Heatmap: newHeatmap(&of.Heatmap)}
	for i := range of.Arguments {
		d.Values = append(d.Values, newValues(&of.Arguments[i]))
	}
	for _, part := range of.Covered {
		d.Covered = append(d.Covered, int(math.Round(1000*part)))
	}
	for i := range of.Slowest[:min(len(of.Slowest), lim.slowest)] {
		d.Slowest = append(d.Slowest, newCall(&of.Slowest[i], flow, several))
	}
	if len(of.Slowest) > 0 {
		for _, a := range of.Slowest[0].Function.Args {
			d.Arguments = append(d.Arguments, analyze.Printable(a.Name))
		}
	}
	return d
}
