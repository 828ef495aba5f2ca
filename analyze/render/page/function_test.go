package page

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"utrace/analyze"
)

// TestArguments: the page of a function has its calls by the values of each argument.
func TestArguments(t *testing.T) {
	b := newBrowser(t)
	text, err := os.ReadFile("../../../testdata/traces/values.txt")
	if err != nil {
		t.Fatal(err)
	}
	d := digestOf(t, analyze.Options{}, writeText(t, filepath.Join(t.TempDir(), "values"), string(text)))
	row := slices.IndexFunc(d.Rows, func(r analyze.Row) bool { return r.Name == "serve" })
	p := b.open(t, write(t, &Input{Digest: d}), fmt.Sprintf("view=function&row=%d", row))
	of := d.Details[d.Rows[row].Function]
	if names := p.attributes("[data-argument]", "data-argument"); !slices.Equal(names, []string{"path", "flags"}) {
		t.Errorf("arguments %v", names)
	}
	var want, got []string
	for i := range of.Arguments[0].Values {
		v := &of.Arguments[0].Values[i]
		want = append(want, v.Text, fmt.Sprint(v.Durations.Count()), analyze.FormatDuration(v.Durations.Quantile(500)), analyze.FormatDuration(v.Durations.Quantile(990)), analyze.FormatDuration(v.Durations.Max()))
	}
	if got = p.list(`[data-argument="path"] tbody td`); !slices.Equal(got, want) || len(want) < 10 {
		t.Errorf("values %q, want %q", got, want)
	}
	p.quiet()
}

// TestSurveyed: a heatmap shows when the function was probed.
func TestSurveyed(t *testing.T) {
	b := newBrowser(t)
	text, err := os.ReadFile("../../../testdata/traces/survey.txt")
	if err != nil {
		t.Fatal(err)
	}
	d := digestOf(t, analyze.Options{}, writeText(t, filepath.Join(t.TempDir(), "survey"), string(text)))
	row := slices.IndexFunc(d.Rows, func(r analyze.Row) bool {
		of := d.Details[r.Function]
		return of != nil && of.Covered != nil
	})
	if row < 0 {
		t.Fatal("no function with windows has a complete call")
	}
	p := b.open(t, write(t, &Input{Digest: d}), fmt.Sprintf("view=function&row=%d", row))
	want := 0
	for _, part := range d.Details[d.Rows[row].Function].Covered {
		if part >= 0.0005 {
			want++
		}
	}
	if got := p.count(".heatmap [data-covered]"); got != want || want == 0 {
		t.Errorf("%d slices are covered, want %d", got, want)
	}
	p.quiet()
}

// TestBy: a report by value has its values, also on the page of a function.
func TestBy(t *testing.T) {
	b := newBrowser(t)
	text, err := os.ReadFile("../../../testdata/traces/values.txt")
	if err != nil {
		t.Fatal(err)
	}
	d := digestOf(t, analyze.Options{By: "path"}, writeText(t, filepath.Join(t.TempDir(), "values"), string(text)))
	p := b.open(t, write(t, &Input{Digest: d}), "view=functions")
	got := eval[[]string](p, `[...document.querySelectorAll("table.functions tbody tr")].map((tr) => tr.querySelector("th a").textContent + " " + tr.querySelector("td").textContent)`)
	var want []string
	for i := range d.Rows {
		value := d.Rows[i].Value.Text
		if value == "" {
			value = "-"
		}
		want = append(want, d.Rows[i].Label+" "+value)
	}
	if !slices.Equal(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
	p.load("view=function&row=0")
	if text := strings.Join(p.list("h3"), "\n"); !strings.Contains(text, "Calls by path") {
		t.Error("no values on the page of a function")
	}
	p.quiet()
}
