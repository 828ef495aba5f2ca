package render

import (
	"strings"
	"unicode/utf8"
)

// maxLabel is the longest label, in characters, that a following column makes room for.
const maxLabel = 60

// addColumn adds a column to the labels of a table's lines. The first line is the title.
func addColumn(labels []string, title string, cell func(row int) string) {
	width := 0
	for _, label := range labels {
		if w := utf8.RuneCountInString(label); w <= maxLabel {
			width = max(width, w)
		}
	}
	for i := range labels {
		text := title
		if i > 0 {
			text = cell(i - 1)
		}
		labels[i] += strings.Repeat(" ", max(0, width-utf8.RuneCountInString(labels[i]))) + "  " + text
	}
}
