package browser

import (
	"strings"

	"utrace/analyze"
	"utrace/analyze/render"
	"utrace/analyze/render/terminal"
)

// functions is the table of the report. Enter shows the distribution of a function.
type functions struct {
	result *analyze.Result
	sort   analyze.SortKey
	width  int // of lines
	lines  [][]terminal.Span
}

// sortKeys are the keys of the table, in the order in which they are offered.
func sortKeys() []analyze.SortKey {
	return []analyze.SortKey{"total", "self", "calls", "avg", "p50", "p90", "p99", "max", "errors", "name"}
}

// fit renders the table for a width.
func (f *functions) fit(width int) {
	if f.lines == nil || f.width != width {
		f.width = width
		f.lines = render.ReportLines(f.result, render.Style{Screen: terminal.Screen{Width: width}, Sort: f.sort})
	}
}

func (f *functions) head(width int) []string {
	f.fit(width)
	return []string{plain(f.lines[0]), plain(f.lines[1])}
}

func (f *functions) length() int { return len(f.result.Rows) }

func (f *functions) line(i, width int) string { return plain(f.spans(i, width)) }

func (f *functions) spans(i, width int) []terminal.Span {
	f.fit(width)
	return f.lines[2+i]
}

// plain is a line without its colours.
func plain(spans []terminal.Span) string {
	var b strings.Builder
	for _, span := range spans {
		b.WriteString(span.Text)
	}
	return b.String()
}

// next sorts by the next key.
func (f *functions) next() (key analyze.SortKey) {
	keys := sortKeys()
	f.sort = keys[(indexOf(keys, f.sort)+1)%len(keys)]
	f.result.Sort(f.sort)
	f.lines = nil
	return f.sort
}

func indexOf(keys []analyze.SortKey, key analyze.SortKey) int {
	for i := range keys {
		if keys[i] == key {
			return i
		}
	}
	return -1
}

func (f *functions) enter(line int) document {
	var out strings.Builder
	row := f.result.Rows[line : line+1]
	if err := render.Hist(&out, row, f.result.By); err != nil || row[0].Durations.Count() == 0 {
		return newText("", row[0].Label+": no complete call of known duration")
	}
	return newText("", out.String())
}
