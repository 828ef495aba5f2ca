package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// textBlock is a part of a help text: a heading, a paragraph, a list of terms or literal lines.
type textBlock struct {
	heading   string
	paragraph string
	terms     []listItem
	literal   []string
	attached  bool // no blank line above: the list or lines belong to the text above
}

// listItem is an entry of a list: "name   what it is".
type listItem struct{ name, text string }

// maxTermWidth is the longest name in a list that has its text on the same line.
const maxTermWidth = 24

// maxHeading is the longest heading, with its colon.
const maxHeading = 40

// termLine matches the first line of a list item whose text begins on that line.
var termLine = regexp.MustCompile(`^  (\S.*?)\s{2,}(\S.*)$`)

// parseText splits a help text into blocks. Blank lines separate paragraphs. A paragraph of one
// line, of at most maxHeading columns and with a colon at its end, is a heading. Lines that are
// indented by two spaces are a list of terms if one of them has a gap, and literal otherwise.
func parseText(text string) []textBlock {
	var blocks []textBlock
	for chunk := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		var prose, indented []string
		for line := range strings.SplitSeq(strings.Trim(chunk, "\n"), "\n") {
			if strings.HasPrefix(line, "  ") {
				indented = append(indented, line)
			} else {
				prose = append(prose, line)
			}
		}
		paragraph := strings.Join(prose, " ")
		switch {
		case len(prose) == 1 && strings.HasSuffix(paragraph, ":") && len(paragraph) <= maxHeading:
			blocks = append(blocks, textBlock{heading: strings.TrimSuffix(paragraph, ":")})
		case paragraph != "":
			blocks = append(blocks, textBlock{paragraph: paragraph})
		}
		if len(indented) > 0 {
			block := parseIndented(indented)
			block.attached = len(prose) > 0
			blocks = append(blocks, block)
		}
	}
	return blocks
}

func parseIndented(lines []string) textBlock {
	var terms []listItem
	gap := false
	for _, line := range lines {
		switch m := termLine.FindStringSubmatch(line); {
		case m != nil:
			gap = true
			terms = append(terms, listItem{m[1], m[2]})
		case line[2] != ' ' || len(terms) == 0:
			terms = append(terms, listItem{name: strings.TrimSpace(line)})
		default:
			last := &terms[len(terms)-1]
			last.text = strings.TrimSpace(last.text + " " + strings.TrimSpace(line))
			gap = true
		}
	}
	if gap {
		return textBlock{terms: terms}
	}
	literal := make([]string, len(lines))
	for i, line := range lines {
		literal[i] = strings.TrimPrefix(line, "  ")
	}
	return textBlock{literal: literal}
}

// printText writes a help text, wrapped to the width of helps.
func printText(w io.Writer, text string) {
	blocks := parseText(text)
	for i, b := range blocks {
		if i > 0 && !b.attached {
			fmt.Fprintln(w)
		}
		switch {
		case b.heading != "":
			fmt.Fprintf(w, "%s:\n", b.heading)
		case b.paragraph != "":
			for _, line := range wrap(b.paragraph, helpWidth) {
				fmt.Fprintln(w, line)
			}
		case b.literal != nil:
			fmt.Fprintf(w, "  %s\n", strings.Join(b.literal, "\n  "))
		default:
			printTerms(w, b.terms)
		}
	}
}

func printTerms(w io.Writer, terms []listItem) {
	width := 0
	for _, t := range terms {
		if n := utf8.RuneCountInString(t.name); n <= maxTermWidth {
			width = max(width, n)
		}
	}
	column := 2 + width + 3
	for _, t := range terms {
		name := "  " + t.name
		if utf8.RuneCountInString(t.name) > maxTermWidth {
			fmt.Fprintln(w, name)
			name = ""
		}
		for _, line := range wrap(t.text, helpWidth-column) {
			fmt.Fprintf(w, "%-*s%s\n", column, name, line)
			name = ""
		}
	}
}
