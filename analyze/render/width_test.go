package render

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/analyze"
	"utrace/analyze/compare"
	"utrace/analyze/render/terminal"
)

var escapes = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// tableOf returns the lines of a report's table.
func tableOf(t *testing.T, r *analyze.Result, style Style) []string {
	t.Helper()
	var out strings.Builder
	if err := Report(&out, r, style); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	from := slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, "  Function") })
	end := from + slices.Index(lines[from:], "")
	return lines[from:end]
}

// TestReportFits: no line of the table is wider than the terminal, whatever the names are, and
// colours take no room. The names' column is always there, and a width that is enough changes
// nothing.
func TestReportFits(t *testing.T) {
	for _, name := range traces() {
		r := report(t, trace(t, name))
		if len(r.Rows) == 0 {
			continue
		}
		r.Rows[0].Label = strings.Repeat("漢字e\u0301", 40)
		full := tableOf(t, r, Style{Sparks: true})
		for width := 30; width < 400; width++ {
			for _, color := range []bool{false, true} {
				lines := tableOf(t, r, Style{Sparks: true, Screen: terminal.Screen{Width: width, Color: color}})
				for i, line := range lines {
					if w := terminal.Width(escapes.ReplaceAllString(line, "")); w > width && i != 1 {
						t.Fatalf("%s: %d columns of %d: %q", name, w, width, line)
					}
				}
				if !strings.Contains(lines[0], "Function") || len(lines) != len(full) {
					t.Fatalf("%s: width %d:\n%s", name, width, strings.Join(lines, "\n"))
				}
			}
		}
		wide := tableOf(t, r, Style{Sparks: true, Screen: terminal.Screen{Width: 10000}})
		if !slices.Equal(wide[2:], full[2:]) {
			t.Errorf("%s: much room:\n%s\nwant:\n%s", name, strings.Join(wide, "\n"), strings.Join(full, "\n"))
		}
	}
}

// TestReportLeavesOut: columns go by rank, the one that the table is sorted by stays, and the
// report says which are missing.
func TestReportLeavesOut(t *testing.T) {
	r := report(t, trace(t, "nesting"))
	for _, c := range []struct {
		width int
		sort  analyze.SortKey
		want  string
		left  string
	}{
		{200, "", "Total time Self time Calls Avg P50 P90 P99 P99.9 Max Function", ""},
		{82, "", "Total time Self time Calls P50 P99 Max Function", "Avg, P90, P99.9"},
		{46, "", "Total time Calls P99 Function", "Self time, Avg, P50, P90, P99.9, Max"},
		{46, "p90", "Total time Calls P90 Function", "Self time, Avg, P50, P99, P99.9, Max"},
	} {
		var out strings.Builder
		if err := Report(&out, r, Style{Screen: terminal.Screen{Width: c.width}, Sort: c.sort}); err != nil {
			t.Fatal(err)
		}
		head := ""
		for line := range strings.Lines(out.String()) {
			if strings.Contains(line, "  Function") {
				head = strings.Join(strings.Fields(line), " ")
			}
		}
		if head != c.want {
			t.Errorf("width %d, sorted by %q: %q, want %q", c.width, c.sort, head, c.want)
		}
		note := "left out to fit the width (--wide shows all): " + c.left + "\n"
		if strings.Contains(out.String(), "left out to fit") != (c.left != "") || c.left != "" && !strings.Contains(out.String(), note) {
			t.Errorf("width %d: no %q in\n%s", c.width, note, out.String())
		}
	}
}

// TestReportColors: errors, the largest parts of self time and marks are coloured, and nothing
// else.
func TestReportColors(t *testing.T) {
	row := func(name string, self time.Duration, errors uint64) analyze.Row {
		row := analyze.Row{Label: name, Covered: 1}
		row.Calls, row.Self, row.Total, row.Uncertain, row.Errors = 1, self, self, 1, errors
		return row
	}
	r := &analyze.Result{Rows: []analyze.Row{row("most", 800, 0), row("much", 190, 2), row("little", 10, 0)}}
	r.Rows[2].BelowResolution = true
	text := strings.Join(tableOf(t, r, Style{Screen: terminal.Screen{Color: true}}), "\n")
	var got []string
	for _, m := range regexp.MustCompile(`\x1b\[(\d+)m(.*?)\x1b\[0m`).FindAllStringSubmatch(text, -1) {
		got = append(got, m[1]+" "+m[2])
	}
	if want := []string{"31 0.800 us", "33 0.190 us", "31 2", "33 ~"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	plain := tableOf(t, r, Style{})
	if got := strings.Split(escapes.ReplaceAllString(text, ""), "\n"); !slices.Equal(got, plain) {
		t.Errorf("colours change the text:\n%s", strings.Join(got, "\n"))
	}
}

// TestDiffFits: the table of a comparison leaves out metrics without a significant change first.
func TestDiffFits(t *testing.T) {
	change := compare.Change{Label: strings.Repeat("name_", 30), Old: &analyze.Row{}, New: &analyze.Row{}}
	change.Deltas[compare.Self] = compare.Delta{Old: 10, New: 20, Significant: true}
	change.Old.Uncertain, change.New.Uncertain = 1, 1
	c := &compare.Comparison{Changes: []compare.Change{change}}
	for width := 60; width < 250; width++ {
		var out strings.Builder
		if err := Diff(&out, c, 1, terminal.Screen{Width: width, Color: true}); err != nil {
			t.Fatal(err)
		}
		_, table, _ := strings.Cut(out.String(), "\n\n")
		table, left, _ := strings.Cut(table, "\n\n")
		for line := range strings.Lines(table) {
			if w := terminal.Width(strings.TrimRight(escapes.ReplaceAllString(line, ""), "\n")); w > width {
				t.Fatalf("%d columns of %d: %q", w, width, line)
			}
		}
		if !strings.Contains(table, "Self time") || !strings.Contains(table, "\x1b[31m+100.0%*\x1b[0m") {
			t.Fatalf("width %d: the significant change is missing:\n%s", width, table)
		}
		if missing := !strings.Contains(table, "Calls"); missing != strings.Contains(left, "Calls") {
			t.Errorf("width %d: %q", width, left)
		}
	}
}
