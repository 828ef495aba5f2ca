package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/analyze"
	"utrace/analyze/render"
)

// figure is a row of the table on a page: the exact figures by key, and the texts.
type figure struct {
	Name  string            `json:"name"`
	Exact map[string]string `json:"exact"`
	Text  map[string]string `json:"text"`
}

// figures reads the table of functions.
func figures(p *tab) []figure {
	p.t.Helper()
	return eval[[]figure](p, `(() => {
		for (let more; (more = document.querySelector("button.more")) && !more.hidden;) more.click();
		const keys = [...document.querySelectorAll("table.functions thead th")].map((th) => th.querySelector("button")?.dataset.sort ?? th.textContent);
		return [...document.querySelectorAll("table.functions tbody tr")].map((tr) => {
			const row = {name: tr.querySelector("th a").textContent, exact: {}, text: {}};
			[...tr.children].forEach((td, i) => { row.text[keys[i]] = td.textContent; row.exact[keys[i]] = td.dataset.ns ?? td.textContent; });
			return row;
		});
	})()`)
}

// TestFigures compares the tables, distributions, heatmaps, flame graphs and slowest calls of all
// traces with what the other views of the same traces have.
func TestFigures(t *testing.T) {
	b := newBrowser(t)
	paths := fixtures(t)
	for _, path := range append(paths, strings.Join(paths[:3], " ")) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			files := strings.Fields(path)
			d := digestOf(t, analyze.Options{}, files...)
			var report bytes.Buffer
			if err := render.JSON(&report, d.Result, render.Words{}); err != nil {
				t.Fatal(err)
			}
			var want struct {
				Functions []map[string]any `json:"functions"`
			}
			dec := json.NewDecoder(&report)
			dec.UseNumber()
			if err := dec.Decode(&want); err != nil {
				t.Fatal(err)
			}
			p := b.open(t, write(t, &Input{Digest: d}), "view=functions")
			rows := figures(p)
			if len(rows) != len(want.Functions) {
				t.Fatalf("%d rows, want %d", len(rows), len(want.Functions))
			}
			for i := range rows {
				checkFigures(t, &rows[i], &d.Rows[i], want.Functions[i])
			}
			for i := range d.Rows[:min(3, len(d.Rows))] {
				checkFunction(t, p, d, i, files)
			}
			checkFlame(t, p, d)
			p.load("view=timeline")
			p.load("view=summary")
			if n := len(p.list(".facts dt")); n < 10 {
				t.Errorf("%d facts", n)
			}
			p.quiet()
		})
	}
}

// checkFigures compares a row of the table with its row of --json.
func checkFigures(t *testing.T, got *figure, row *analyze.Row, want map[string]any) {
	t.Helper()
	if name := strings.TrimPrefix(got.Name, "~"); name != row.Label {
		t.Errorf("row %q, want %q", name, row.Label)
	}
	for key, exact := range got.Exact {
		value, ok := want[key]
		switch {
		case !ok && key != "name" && key != "Distribution" && key != "Process":
			t.Errorf("%s: no %s in --json", row.Label, key)
		case !ok || key == "name" || key == "calls_error" || key == "covered":
		case strings.HasSuffix(key, "_ns"):
			if exact != fmt.Sprint(value) {
				t.Errorf("%s: %s is %s, want %v", row.Label, key, exact, value)
			}
			if text, want := got.Text[key], shown(row, key, value); text != want {
				t.Errorf("%s: %s is %q, want %q", row.Label, key, text, want)
			}
		case strings.ReplaceAll(exact, ",", "") != fmt.Sprint(value):
			t.Errorf("%s: %s is %s, want %v", row.Label, key, exact, value)
		}
	}
}

// shown is the text of a figure.
func shown(row *analyze.Row, key string, value any) string {
	ns, _ := value.(json.Number).Int64()
	d, cut := &row.Durations, row.Censored.Count()
	calls, mark := d.Count()+cut, ""
	quantile := map[string]uint64{"p50_ns": 500, "p90_ns": 900, "p99_ns": 990, "p999_ns": 999}[key]
	switch {
	case key == "max_ns" && d.Count() == 0, quantile > 0 && calls == 0, key == "avg_ns" && calls+row.Dropped == 0, calls+row.Uncertain+row.Dropped == 0:
		return "-"
	case (key == "cpu_ns" || key == "runnable_ns" || key == "blocked_ns") && row.Waits.Unknown > 0 && row.Waits.Unknown >= row.Total:
		return "-"
	case key == "self_ns" && row.SelfAtMost && row.MeanAtLeast():
		return "-"
	case (key == "total_ns" || key == "self_ns" || key == "avg_ns") && row.MeanAtLeast(), quantile > 0 && row.QuantileAtLeast(quantile):
		mark = ">"
	case key == "self_ns" && row.SelfAtMost:
		mark = "<"
	}
	return mark + analyze.FormatDuration(time.Duration(ns))
}

// checkFunction compares the view of a function with its distribution, heatmap and slowest calls.
func checkFunction(t *testing.T, p *tab, d *analyze.Digest, i int, files []string) {
	t.Helper()
	row := &d.Rows[i]
	p.load(fmt.Sprintf("view=function&row=%d", i))
	if got := p.text("h2"); got != row.Label {
		t.Errorf("the function is %q, want %q", got, row.Label)
	}
	if got := sum(p.attributes(".histogram [data-calls]", "data-calls")); got != row.Durations.Count() {
		t.Errorf("%s: %d calls in the distribution, want %d", row.Label, got, row.Durations.Count())
	}
	opts := analyze.Options{}
	var err error
	if opts.Function, err = analyze.ParsePattern("/^" + regexp.QuoteMeta(row.Name) + "$/"); err != nil {
		t.Fatal(err)
	}
	maps, _, err := analyze.Heatmaps(files, opts)
	if err != nil {
		t.Fatal(err)
	}
	for j := range maps {
		if maps[j].Function == row.Function {
			if got := sum(p.attributes(".heatmap [data-calls]", "data-calls")); got != maps[j].Calls {
				t.Errorf("%s: %d calls in the heatmap, want %d", row.Label, got, maps[j].Calls)
			}
		}
	}
	slow, err := analyze.Slowest(files, 10, opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Select(opts.Function)) > 1 { // other functions have the same name
		return
	}
	var want []string
	for j := range slow.Calls {
		want = append(want, fmt.Sprint(int64(slow.Calls[j].Duration)))
	}
	if got := p.attributes(".slowest tbody [data-ns]", "data-ns"); !slices.Equal(got, want) {
		t.Errorf("%s: slowest calls %v, want %v", row.Label, got, want)
	}
}

// checkFlame compares the frames of outermost calls with the call tree.
func checkFlame(t *testing.T, p *tab, d *analyze.Digest) {
	t.Helper()
	for mode, of := range map[string]func(*analyze.Node) int64{
		"time":  func(n *analyze.Node) int64 { return widthOf(n) },
		"calls": func(n *analyze.Node) int64 { return callsOf(n) },
	} {
		p.load("view=flame&mode=" + mode)
		want := int64(0)
		for _, n := range d.Roots {
			want += of(n)
		}
		got := p.attributes(".frame.all", "data-value")
		if want > 0 && (len(got) != 1 || got[0] != fmt.Sprint(want)) {
			t.Errorf("flame graph by %s: %v, want %d", mode, got, want)
		}
	}
}

func widthOf(n *analyze.Node) int64 {
	inside := int64(n.Self)
	for _, child := range n.Children {
		inside += widthOf(child)
	}
	return max(inside, int64(n.Total))
}

func callsOf(n *analyze.Node) int64 {
	calls := int64(n.Calls)
	for _, child := range n.Children {
		calls += callsOf(child)
	}
	return calls
}
