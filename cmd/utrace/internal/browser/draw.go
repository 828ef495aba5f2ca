package browser

import (
	"fmt"
	"strings"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/uniseg"

	"utrace/analyze"
	"utrace/analyze/render/terminal"
)

// draw draws everything: tabs, head and lines of the document, and the last line.
func (b *browser) draw() {
	b.screen.Clear()
	b.screen.HideCursor()
	width, height := b.screen.Size()
	if width < 1 || height < 3 {
		b.screen.Show()
		return
	}
	b.drawTabs(width)
	l := b.tabs[b.current].layer()
	head := l.doc.head(width)
	y := 1
	for _, line := range head {
		b.put(0, y, width, l.left, line, tcell.StyleDefault.Bold(true))
		y++
	}
	lines := height - 1 - y
	l.scroll(lines)
	for i := l.top; i < l.doc.length() && y < height-1; i++ {
		line := l.doc.line(i, width)
		style := tcell.StyleDefault
		if i == l.cursor {
			style = style.Reverse(true)
			b.put(0, y, width, 0, strings.Repeat(" ", width), style)
		}
		b.put(0, y, width, l.left, line, style)
		if d, ok := l.doc.(painter); ok {
			b.paint(y, width, l.left, d.spans(i, width), style)
		}
		b.drawMatches(y, width, l.left, line, style)
		y++
	}
	b.drawStatus(width, height-1, l)
	b.screen.Show()
}

// drawTabs writes the first line: the views, and the trace.
func (b *browser) drawTabs(width int) {
	bar := tcell.StyleDefault.Reverse(true)
	b.put(0, 0, width, 0, strings.Repeat(" ", width), bar)
	x := 0
	for i, t := range b.tabs {
		text := fmt.Sprintf(" %d %s ", i+1, t.name)
		style := bar
		if i == b.current {
			style = tcell.StyleDefault.Bold(true)
		}
		x = b.put(x, 0, width, 0, text, style)
	}
	name := " " + analyze.FileName(b.cfg.Path)
	if room := width - x - 1; room > 8 {
		name = terminal.Shorten(name, room)
		b.put(width-terminal.Width(name)-1, 0, width, 0, name, bar)
	}
}

// drawStatus writes the last line: a prompt, a message or the progress, and the place.
func (b *browser) drawStatus(width, y int, l *layer) {
	more := ""
	if f, ok := l.doc.(*flow); ok && !f.counted {
		more = "+"
	}
	place := fmt.Sprintf("%d/%d%s", min(l.cursor+1, l.doc.length()), l.doc.length(), more)
	room := max(0, width-len(place)-2)
	switch {
	case b.prompt != nil:
		mark := "?"
		if b.prompt.forward {
			mark = "/"
		}
		text := mark + b.prompt.text
		if w := terminal.Width(text); w > room-1 {
			text = terminal.Shorten(text, room-1)
		}
		b.screen.ShowCursor(b.put(0, y, room, 0, text, tcell.StyleDefault), y)
	case b.message != "":
		b.put(0, y, room, 0, terminal.Shorten(b.message, room), tcell.StyleDefault.Bold(true))
	case len(b.jobs) > 0:
		b.put(0, y, room, 0, terminal.Shorten(b.jobs[0].String(), room), tcell.StyleDefault)
	default:
		b.put(0, y, room, 0, terminal.Shorten("h help, / search, q quit", room), tcell.StyleDefault.Dim(true))
	}
	b.put(width-len(place), y, width, 0, place, tcell.StyleDefault)
}

// paint puts the parts of a line that have a colour over it.
func (b *browser) paint(y, width, left int, spans []terminal.Span, style tcell.Style) {
	colors := map[terminal.Color]tcell.Color{terminal.Bad: tcell.ColorMaroon, terminal.Good: tcell.ColorGreen, terminal.Caution: tcell.ColorOlive}
	x := -left
	for _, span := range spans {
		if span.Color != terminal.Plain {
			b.put(max(0, x), y, width, max(0, -x), span.Text, style.Foreground(colors[span.Color]))
		}
		x += terminal.Width(span.Text)
	}
}

// drawMatches marks what the last search matches in a line.
func (b *browser) drawMatches(y, width, left int, line string, style tcell.Style) {
	if b.pattern == nil {
		return
	}
	for _, m := range b.pattern.FindAllStringIndex(line, -1) {
		at := terminal.Width(line[:m[0]]) - left
		text := line[m[0]:m[1]]
		if at < 0 {
			continue
		}
		b.put(at, y, width, 0, text, style.Foreground(tcell.ColorYellow).Bold(true).Underline(true))
	}
}

// put writes a text from x up to the column end, without its first columns. It returns the column
// after it.
func (b *browser) put(x, y, end, skip int, text string, style tcell.Style) int {
	for g := uniseg.NewGraphemes(text); g.Next() && x < end; {
		w := g.Width()
		if skip > 0 {
			skip -= w
			continue
		}
		if w == 0 || x+w > end {
			continue
		}
		b.screen.Put(x, y, g.Str(), style)
		x += w
	}
	return x
}
