package browser

import "regexp"

// find searches for a regular expression, or for a text that is none as it is. Without a text it
// repeats the last search.
func (b *browser) find(text string, forward bool) {
	if text != "" {
		pattern, err := regexp.Compile(text)
		if err != nil {
			pattern = regexp.MustCompile(regexp.QuoteMeta(text))
		}
		b.pattern = pattern
	}
	b.forward = forward
	b.search(forward)
}

// search goes to the next line that matches.
func (b *browser) search(forward bool) {
	if b.pattern == nil {
		b.message = "nothing was searched for: / searches"
		return
	}
	l := b.tabs[b.current].layer()
	step := 1
	if !forward {
		step = -1
	}
	found := func(line int) {
		if line < 0 {
			b.message = "not found: " + b.pattern.String()
			return
		}
		l.move(line)
	}
	if d, ok := l.doc.(finder); ok {
		d.find(b.pattern, l.cursor, step, found)
		return
	}
	width, _ := b.screen.Size()
	found(findLine(l.doc, b.pattern, l.cursor, step, width))
}
