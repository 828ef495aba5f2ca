package terminal

import "strings"

// Figures is a table: columns of figures, aligned to the right, and a last column of text. The
// first line has the titles.
type Figures struct {
	Lines    [][]string
	Ranks    []int // of the columns of figures, as in Column
	MinWidth int   // of a column of figures
	MinText  int   // the room that the text keeps while columns can be left out instead
	Indent   int   // spaces ahead of each line
}

// gap is the space behind a column.
const gap = 2

// Fit leaves out columns until there is room for the text, or at least for MinText columns of it.
// Then it shortens the text. It returns the titles of the columns that are left out. A width of 0
// is any.
func (f *Figures) Fit(width int) (dropped []string) {
	if width == 0 {
		return nil
	}
	room, widths, text := width-f.Indent, f.widths(), 0
	for _, line := range f.Lines {
		text = max(text, Width(line[len(line)-1]))
	}
	columns := make([]Column, len(widths))
	for i, w := range widths {
		columns[i] = Column{Width: w + gap, Rank: f.Ranks[i]}
	}
	keep := Fit(columns, room-min(text, f.MinText))
	for i, c := range columns {
		if keep[i] {
			room -= c.Width
		} else {
			dropped = append(dropped, f.Lines[0][i])
		}
	}
	fitted := make([][]string, len(f.Lines))
	for i, line := range f.Lines {
		for c, cell := range line[:len(widths)] {
			if keep[c] {
				fitted[i] = append(fitted[i], cell)
			}
		}
		fitted[i] = append(fitted[i], Shorten(line[len(widths)], max(1, room)))
	}
	f.Lines = fitted
	return dropped
}

// Text returns the lines of the table.
func (f *Figures) Text() []string {
	widths := f.widths()
	text := make([]string, len(f.Lines))
	for i, line := range f.Lines {
		var b strings.Builder
		b.WriteString(strings.Repeat(" ", f.Indent))
		for c, width := range widths {
			b.WriteString(PadLeft(line[c], width) + strings.Repeat(" ", gap))
		}
		text[i] = b.String() + line[len(widths)]
	}
	return text
}

// widths are those of the columns of figures.
func (f *Figures) widths() []int {
	widths := make([]int, len(f.Lines[0])-1)
	for i := range widths {
		widths[i] = f.MinWidth
		for _, line := range f.Lines {
			widths[i] = max(widths[i], Width(line[i]))
		}
	}
	return widths
}
