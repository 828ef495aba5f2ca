package browser

// tab is a view of the trace, and the documents that are laid on it.
type tab struct {
	name   string
	layers []*layer // the last is shown; empty until the tab is first opened
}

// layer is a document, with a cursor and the part of it that is visible.
type layer struct {
	doc         document
	cursor, top int  // lines
	left        int  // columns that are scrolled out
	toEnd       bool // the cursor goes to the end once that is known
}

func (t *tab) layer() *layer { return t.layers[len(t.layers)-1] }

// show replaces what a tab shows.
func (t *tab) show(d document) { t.layers = []*layer{{doc: d}} }

// move moves the cursor to a line, or to the nearest one.
func (l *layer) move(line int) {
	l.toEnd = false
	l.cursor = max(0, min(line, l.doc.length()-1))
}

// end moves the cursor to the last line, which may not be known yet.
func (l *layer) end() {
	if f, ok := l.doc.(*flow); ok && !f.counted {
		l.toEnd = true
		return
	}
	l.move(l.doc.length() - 1)
}

// settle moves to the end if the user has asked for it, and it is known by now.
func (l *layer) settle() {
	if l.toEnd {
		l.end()
	}
}

// scroll makes the cursor visible on that many lines.
func (l *layer) scroll(height int) {
	height = max(1, height)
	l.cursor = max(0, min(l.cursor, l.doc.length()-1))
	l.top = max(l.cursor-height+1, min(l.top, l.cursor))
	l.top = max(0, min(l.top, l.doc.length()-height))
}
