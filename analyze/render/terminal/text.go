package terminal

import (
	"strings"

	"github.com/rivo/uniseg"
)

// Width is the number of columns that a text takes.
func Width[T string | []byte](text T) int {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return uniseg.StringWidth(string(text))
		}
	}
	return len(text)
}

// PadLeft adds spaces ahead of a text, up to a width.
func PadLeft(text string, width int) string {
	return strings.Repeat(" ", max(0, width-Width(text))) + text
}

// PadRight adds spaces behind a text, up to a width.
func PadRight(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-Width(text)))
}

// Shorten replaces the middle of a text by … if it is wider than width. Names of functions differ
// most at their ends.
func Shorten(text string, width int) string {
	const gap = "…"
	if Width(text) <= width {
		return text
	}
	if width < 1 {
		return ""
	}
	room := width - Width(gap)
	tail := (room + 1) / 2
	return head(text, room-tail) + gap + last(text, tail)
}

// Cut is the beginning of a text, in at most that many columns.
func Cut(text string, width int) string {
	if Width(text) <= width {
		return text
	}
	return head(text, width)
}

// head is the beginning of a text, without a part of a character.
func head(text string, width int) string {
	end := 0
	for g := uniseg.NewGraphemes(text); g.Next(); {
		if width -= g.Width(); width < 0 {
			break
		}
		_, end = g.Positions()
	}
	return text[:end]
}

// last is the end of a text, without a part of a character.
func last(text string, width int) string {
	start, skip := 0, Width(text)-width
	for g := uniseg.NewGraphemes(text); skip > 0 && g.Next(); {
		skip -= g.Width()
		_, start = g.Positions()
	}
	return text[start:]
}
