package render

import "utrace/analyze"

// heldLine is a line of a flow that is not written yet.
type heldLine struct {
	step    analyze.Step // for a waiting line
	text    []byte
	waiting bool
}

func (l *heldLine) bytes() int { return len(l.text) + len(l.step.Args) }

// maxSpareText limits the memory of a written line that is kept for another one.
const maxSpareText = 512

// heldLines is a queue of lines. It keeps the memory of lines that it gives up for later ones. The
// zero value is empty and ready.
type heldLines struct {
	lines []heldLine // a ring; a power of two of them
	first int
	count int
}

// at returns the line after i others.
func (h *heldLines) at(i int) *heldLine { return &h.lines[(h.first+i)&(len(h.lines)-1)] }

// push appends a line without text. It makes earlier pointers to lines invalid.
func (h *heldLines) push() *heldLine {
	if h.count == len(h.lines) {
		lines := make([]heldLine, max(16, 2*h.count))
		for i := range h.count {
			lines[i] = *h.at(i)
		}
		h.lines, h.first = lines, 0
	}
	h.count++
	return h.at(h.count - 1)
}

// pop removes the first line.
func (h *heldLines) pop() {
	line := h.at(0)
	line.step.Args, line.waiting = "", false
	if line.text = line.text[:0]; cap(line.text) > maxSpareText {
		line.text = nil
	}
	h.first = (h.first + 1) & (len(h.lines) - 1)
	h.count--
}
