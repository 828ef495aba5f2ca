package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"utrace/analyze"
	"utrace/analyze/render/terminal"
)

// Style says how a report is shown. The zero value is for a pipe.
type Style struct {
	Screen terminal.Screen
	Sparks bool            // with a column that draws each function's distribution
	Sort   analyze.SortKey // the column that is left out last
}

// figureTable has a column for each kind of figure. The first line is the titles.
type figureTable struct {
	lines  [][]terminal.Span
	labels []label
}

// label is what a line is about.
type label struct {
	mark  string // ahead of the name
	name  string
	notes []string // columns behind the name
}

func table(w io.Writer, r *analyze.Result, named bool, style Style) {
	t := newFigureTable(r, named)
	scale := ""
	if style.Sparks {
		var list []string
		list, scale = sparklines(r.Rows)
		t.lines[0] = append(t.lines[0], terminal.Span{Text: fmt.Sprintf("%-*s", sparkWidth, distributionTitle)})
		for i, line := range list {
			t.lines[i+1] = append(t.lines[i+1], terminal.Span{Text: line})
		}
	}
	dropped := t.fit(style)
	t.write(w, style.Screen)
	if scale != "" && !slices.Contains(dropped, distributionTitle) {
		fmt.Fprintf(w, "\ndistribution: %s\n", scale)
	}
	leftOut(w, dropped)
}

// leftOut writes which columns have no room, if any.
func leftOut(w io.Writer, titles []string) {
	if len(titles) > 0 {
		fmt.Fprintf(w, "\nleft out to fit the width (--wide shows all): %s\n", strings.Join(titles, ", "))
	}
}

const distributionTitle = "Distribution"

// ReportLines returns the lines of the report's table: two of titles, and one for each row. It
// leaves out sparklines.
func ReportLines(r *analyze.Result, style Style) [][]terminal.Span {
	t := newFigureTable(r, severalPrograms(r.Trace.Processes))
	t.fit(style)
	return t.spans(style.Screen)
}

// ranked are the columns of the report, those first that a reader needs most.
func ranked() []string {
	return []string{"Total time", "Calls", "±", "P99", "Self time", "P50", "Errors", "Max", "Avg", "Blocked", "On CPU", "Covered",
		"Runnable", "P90", distributionTitle, "P99.9", "Not known"}
}

// titleOf is the column of a sort key.
func titleOf(key analyze.SortKey) string {
	return map[analyze.SortKey]string{
		"self": "Self time", "avg": "Avg", "p50": "P50", "p90": "P90", "p99": "P99", "max": "Max", "errors": "Errors",
		"cpu": "On CPU", "runnable": "Runnable", "blocked": "Blocked",
	}[key]
}

// fit leaves out columns until there is room for the names, or at least for terminal.MinName
// columns of them. Then it shortens names. It returns the titles of the columns that are left out.
func (t *figureTable) fit(style Style) (dropped []string) {
	room := style.Screen.Width
	if room == 0 {
		return nil
	}
	room -= 2
	names := 0
	for _, l := range t.labels {
		names = max(names, terminal.Width(l.mark+l.name))
	}
	notes := t.noteWidth()
	widths := t.widths()
	list := make([]terminal.Column, len(widths))
	for i, title := range t.lines[0] {
		list[i] = terminal.Column{Width: widths[i] + 2, Rank: 1 + slices.Index(ranked(), strings.TrimSpace(title.Text))}
		if strings.TrimSpace(title.Text) == titleOf(style.Sort) {
			list[i].Rank = 0
		}
	}
	keep := terminal.Fit(list, room-min(names, terminal.MinName)-notes)
	for i, title := range t.lines[0] {
		if keep[i] {
			room -= list[i].Width
		} else {
			dropped = append(dropped, strings.TrimSpace(title.Text))
		}
	}
	for i, line := range t.lines {
		var kept []terminal.Span
		for c, cell := range line {
			if keep[c] {
				kept = append(kept, cell)
			}
		}
		t.lines[i] = kept
		l := &t.labels[i]
		l.name = terminal.Shorten(l.name, max(1, room-notes-terminal.Width(l.mark)))
		for n, note := range l.notes {
			l.notes[n] = terminal.Shorten(note, maxNote)
		}
	}
	return dropped
}

// maxNote is the widest value or process if the width is limited.
const maxNote = 24

// noteWidth is the width of the columns behind the names, at most maxNote each.
func (t *figureTable) noteWidth() (sum int) {
	for n := range t.labels[0].notes {
		width := 0
		for _, l := range t.labels {
			width = max(width, min(maxNote, terminal.Width(l.notes[n])))
		}
		sum += width + 2
	}
	return sum
}

// widths are those of the columns of figures.
func (t *figureTable) widths() []int {
	widths := make([]int, len(t.lines[0]))
	for _, cells := range t.lines {
		for i, cell := range cells {
			widths[i] = max(widths[i], terminal.Width(cell.Text), 10)
		}
	}
	return widths
}

func (t *figureTable) write(w io.Writer, screen terminal.Screen) {
	for _, line := range t.spans(screen) {
		for _, span := range line {
			fmt.Fprint(w, screen.Paint(span.Text, span.Color))
		}
		fmt.Fprintln(w)
	}
}

// spans are the lines of the table: titles, a line below them, and rows.
func (t *figureTable) spans(screen terminal.Screen) [][]terminal.Span {
	widths, labels := t.widths(), t.alignedLabels()
	var lines [][]terminal.Span
	for i, cells := range t.lines {
		before := "  "
		var line []terminal.Span
		for c, cell := range cells {
			before += strings.Repeat(" ", widths[c]-terminal.Width(cell.Text))
			line = append(line, terminal.Span{Text: before}, cell)
			before = "  "
		}
		mark := t.labels[i].mark
		line = append(line, terminal.Span{Text: before}, terminal.Span{Text: mark, Color: terminal.Caution},
			terminal.Span{Text: strings.TrimPrefix(labels[i], mark)})
		lines = append(lines, line)
		if i == 0 {
			below := "  "
			for _, width := range widths {
				below += strings.Repeat("=", width) + "  "
			}
			lines = append(lines, []terminal.Span{{Text: below + strings.Repeat("=", labelLine(labels, screen))}})
		}
	}
	return lines
}

// labelLine is the length of the line below the title of the names.
func labelLine(labels []string, screen terminal.Screen) int {
	const length = 20
	if screen.Width == 0 {
		return length
	}
	longest := 0
	for _, label := range labels {
		longest = max(longest, terminal.Width(label))
	}
	return min(length, longest)
}

// maxLabel is the longest label, in columns, that a following column makes room for.
const maxLabel = 60

// alignedLabels are the labels as text, with their notes in columns.
func (t *figureTable) alignedLabels() []string {
	texts := make([]string, len(t.labels))
	for i, l := range t.labels {
		texts[i] = l.mark + l.name
	}
	for n := range t.labels[0].notes {
		width := 0
		for _, text := range texts {
			if w := terminal.Width(text); w <= maxLabel {
				width = max(width, w)
			}
		}
		for i, l := range t.labels {
			texts[i] = terminal.PadRight(texts[i], width) + "  " + l.notes[n]
		}
	}
	return texts
}
