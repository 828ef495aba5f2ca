package browser

import (
	"fmt"
	"unicode"

	"github.com/gdamore/tcell/v2"
)

// help is what h shows.
const help = `Keys

Views
  1 R            functions: Enter shows the distribution of one
  2 t            tree of calls: Enter folds and unfolds
  3              flow of calls in the order of time
  4              slowest calls: Enter shows what was below one
  5 i I          facts about the recording, and warnings
  Tab Shift-Tab  next and previous view
  Esc q          back; in a view q quits
  Ctrl-C Q       quit
  h F1           this help

Move
  j k Down Up Ctrl-N Ctrl-P  a line
  Space f PgDn   b PgUp      a screen
  d Ctrl-D       u Ctrl-U    half a screen
  g < Home       G > End     to the first and the last line
  Left Right                 sideways
  z                          put the line in the middle

Search
  /TEXT ?TEXT    forward, backward, for a regular expression
  n N            next and previous match

Functions
  s              sort by the next column

Tree
  e c            unfold and fold a node
  E C            and all nodes below it
  u              to the caller
  n p            to the next and previous call with the same caller, if nothing is searched
  l              to the longest call below
`

// key handles a key outside of a prompt.
func (b *browser) key(e *tcell.EventKey) {
	l := b.tabs[b.current].layer()
	page := max(1, b.lines()-1)
	switch e.Key() {
	case tcell.KeyCtrlC:
		b.quit = true
	case tcell.KeyCtrlZ:
		b.suspend()
	case tcell.KeyCtrlL:
		b.screen.Sync()
	case tcell.KeyTab:
		b.open((b.current + 1) % len(b.tabs))
	case tcell.KeyBacktab:
		b.open((b.current + len(b.tabs) - 1) % len(b.tabs))
	case tcell.KeyEscape:
		b.back()
	case tcell.KeyEnter:
		b.enter(l)
	case tcell.KeyF1:
		b.lay(newText("", help))
	case tcell.KeyUp, tcell.KeyCtrlP:
		l.move(l.cursor - 1)
	case tcell.KeyDown, tcell.KeyCtrlN:
		l.move(l.cursor + 1)
	case tcell.KeyPgUp, tcell.KeyCtrlB:
		l.move(l.cursor - page)
	case tcell.KeyPgDn, tcell.KeyCtrlF:
		l.move(l.cursor + page)
	case tcell.KeyCtrlU:
		l.move(l.cursor - page/2)
	case tcell.KeyCtrlD:
		l.move(l.cursor + page/2)
	case tcell.KeyHome:
		l.move(0)
	case tcell.KeyEnd:
		l.end()
	case tcell.KeyLeft:
		l.left = max(0, l.left-sidestep)
	case tcell.KeyRight:
		l.left += sidestep
	case tcell.KeyRune:
		b.letter(e.Rune(), l, page)
	}
}

// sidestep is how many columns a key scrolls.
const sidestep = 16

func (b *browser) letter(r rune, l *layer, page int) {
	if t, ok := l.doc.(*tree); ok && t.letter(r, l, b.pattern != nil) {
		return
	}
	switch r {
	case '1', 'R':
		b.open(tabFunctions)
	case '2', 't':
		b.open(tabTree)
	case '3':
		b.open(tabFlow)
	case '4':
		b.open(tabSlowest)
	case '5', 'i', 'I':
		b.open(tabFacts)
	case 'q':
		if !b.back() {
			b.quit = true
		}
	case 'Q':
		b.quit = true
	case 'h':
		b.lay(newText("", help))
	case 'j':
		l.move(l.cursor + 1)
	case 'k':
		l.move(l.cursor - 1)
	case ' ', 'f':
		l.move(l.cursor + page)
	case 'b':
		l.move(l.cursor - page)
	case 'd':
		l.move(l.cursor + page/2)
	case 'u':
		l.move(l.cursor - page/2)
	case 'g', '<':
		l.move(0)
	case 'G', '>':
		l.end()
	case 'z':
		l.top = l.cursor - b.lines()/2
	case 's':
		if f, ok := l.doc.(*functions); ok {
			b.message = fmt.Sprintf("sorted by %s", f.next())
			l.move(0)
		}
	case '/':
		b.prompt = &prompt{forward: true}
	case '?':
		b.prompt = &prompt{}
	case 'n':
		b.search(b.forward)
	case 'N':
		b.search(!b.forward)
	}
}

// letter handles a key of the tree, and reports whether it is one.
func (t *tree) letter(r rune, l *layer, searching bool) bool {
	switch r {
	case 'e', 'E':
		t.fold(l.cursor, true, r == 'E')
	case 'c', 'C':
		t.fold(l.cursor, false, r == 'C')
	case 'u':
		l.move(t.parent(l.cursor))
	case 'l':
		if len(t.visible[l.cursor].node.Children) > 0 { // sorted by time
			t.fold(l.cursor, true, false)
			l.move(l.cursor + 1)
		}
	case 'p':
		l.move(t.sibling(l.cursor, -1))
	case 'n':
		if searching {
			return false
		}
		l.move(t.sibling(l.cursor, 1))
	default:
		return false
	}
	return true
}

// enter does what Enter does on a line.
func (b *browser) enter(l *layer) {
	if d, ok := l.doc.(enterer); ok {
		if doc := d.enter(l.cursor); doc != nil {
			b.lay(doc)
		}
	}
}

// lay puts a document on the current tab.
func (b *browser) lay(d document) {
	t := b.tabs[b.current]
	t.layers = append(t.layers, &layer{doc: d})
}

// back removes the last document from the tab, unless it is the only one.
func (b *browser) back() bool {
	t := b.tabs[b.current]
	if len(t.layers) < 2 {
		return false
	}
	t.layers = t.layers[:len(t.layers)-1]
	return true
}

// suspend gives the terminal back to the shell until utrace is continued.
func (b *browser) suspend() {
	if b.cfg.Suspend == nil || b.screen.Suspend() != nil {
		return
	}
	b.cfg.Suspend()
	if err := b.screen.Resume(); err != nil {
		b.quit = true
	}
}

// edit handles a key in a prompt.
func (b *browser) edit(e *tcell.EventKey) {
	p := b.prompt
	switch e.Key() {
	case tcell.KeyEscape, tcell.KeyCtrlC:
		b.prompt = nil
	case tcell.KeyEnter:
		b.prompt = nil
		b.find(p.text, p.forward)
	case tcell.KeyBackspace, tcell.KeyBackspace2:
		if p.text == "" {
			b.prompt = nil
			return
		}
		runes := []rune(p.text)
		p.text = string(runes[:len(runes)-1])
	case tcell.KeyCtrlU:
		p.text = ""
	case tcell.KeyRune:
		if unicode.IsPrint(e.Rune()) {
			p.text += string(e.Rune())
		}
	}
}
