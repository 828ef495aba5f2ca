package render

import (
	"strings"
	"testing"
)

// Lines keep their order while the queue grows and its places are used again.
func TestHeldLines(t *testing.T) {
	var h heldLines
	var want []string
	for i := range 200 {
		text := strings.Repeat("x", i*7%1000)
		line := h.push()
		if len(line.text) > 0 || line.waiting || line.step.Args != "" {
			t.Fatalf("a new line has %q", line.text)
		}
		line.text, line.waiting, line.step.Args = append(line.text, text...), true, text
		want = append(want, text)
		if i%3 == 0 {
			h.pop()
			want = want[1:]
		}
		if h.count != len(want) {
			t.Fatalf("%d lines, want %d", h.count, len(want))
		}
		for j := range want {
			if got := string(h.at(j).text); got != want[j] {
				t.Fatalf("line %d has %d bytes, want %d", j, len(got), len(want[j]))
			}
		}
	}
	for h.count > 0 {
		h.pop()
	}
	for i := range h.lines {
		if cap(h.lines[i].text) > maxSpareText {
			t.Errorf("an empty queue keeps %d bytes", cap(h.lines[i].text))
		}
	}
}
