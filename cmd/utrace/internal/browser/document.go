package browser

import (
	"regexp"
	"strings"

	"utrace/analyze/render/terminal"
)

// document is what a tab shows, line by line.
type document interface {
	// head returns the lines that stay above the others.
	head(width int) []string
	length() int
	// line returns a line, for a screen of a width. Its text is fit for a terminal.
	line(i, width int) string
}

// painter is a document whose lines have colours.
type painter interface {
	spans(i, width int) []terminal.Span
}

// finder is a document that searches by itself, after a line in steps of 1 or -1. found gets the
// line, -1 if there is none, and may be called later.
type finder interface {
	find(pattern *regexp.Regexp, after, step int, found func(line int))
}

// enterer is a document that does something on Enter: it returns a document to lay on top, or nil.
type enterer interface {
	enter(line int) document
}

// text is a document of lines that do not change.
type text struct {
	title string
	lines []string
}

// newText makes a document of a text.
func newText(title, content string) *text {
	return &text{title, strings.Split(strings.Trim(content, "\n"), "\n")}
}

func (t *text) head(int) []string {
	if t.title == "" {
		return nil
	}
	return []string{t.title}
}
func (t *text) length() int          { return len(t.lines) }
func (t *text) line(i, _ int) string { return t.lines[i] }

// findLine returns the next line that matches, after a line in steps of 1 or -1, -1 if there is
// none.
func findLine(d document, pattern *regexp.Regexp, after, step, width int) int {
	for i := after + step; i >= 0 && i < d.length(); i += step {
		if pattern.MatchString(d.line(i, width)) {
			return i
		}
	}
	return -1
}
