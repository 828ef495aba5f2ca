package dwarf

import (
	"utrace/record/internal/cursor"
)

// walk reads DIEs for one question, within limits.
type walk struct {
	*Info
	spent int
	depth int // of nested calls of typeOf

	define  bool // look up the definitions of types that are only declared
	defined map[dieRef]dieRef
}

// spend uses n of the budget. It returns false when that is used up.
func (w *walk) spend(n int) bool {
	w.spent += n
	return w.spent <= maxWalk
}

// children calls fn for each child of e until it returns false. It skips the entries below the
// children. It ends early when the budget of the walk is used up.
func (w *walk) children(e die, fn func(child die) bool) {
	if !e.children {
		return
	}
	u := e.unit
	for off := e.body; off < u.end; {
		if u.section[off] == 0 { // the end of the list, as an abbreviation code of one byte
			return
		}
		child, ok := w.readDIE(dieRef{u, off})
		if !ok || !w.spend(1) || !fn(child) {
			return
		}
		if off, ok = w.after(child); !ok {
			return
		}
	}
}

// after returns the offset of the DIE that follows e and all DIEs below e.
func (w *walk) after(e die) (uint64, bool) {
	switch {
	case !e.children:
		return e.body, true
	case e.sibling > e.body && e.sibling < e.unit.end:
		return e.sibling, true
	}

	u := e.unit
	c := cursor.Cursor{Bytes: u.section[:u.end], Off: e.body}
	for depth := 1; depth > 0; {
		code := c.Uleb()
		if code == 0 {
			depth--
		} else {
			ab := u.table.find(code)
			if ab == nil || !w.spend(1) {
				return 0, false
			}
			for _, a := range ab.attrs {
				u.value(&c, a)
			}
			if ab.children {
				depth++
			}
		}
		if c.Bad {
			return 0, false
		}
	}
	return c.Off, true
}
