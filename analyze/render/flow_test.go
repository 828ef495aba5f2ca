package render

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"utrace/analyze"
	"utrace/format"
)

// The bytes of lines that wait for a call have a limit, however long the values are.
func TestFlowHoldsBytes(t *testing.T) {
	f := newBraces(bufio.NewWriter(io.Discard), DefaultFields())
	fn, thread := &format.Func{Name: "f"}, &format.Thread{}
	step := func(s analyze.Step) {
		s.Func, s.Thread = fn, thread
		if err := f.step(&s); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.Repeat("x", maxHeldBytes/8)
	step(analyze.Step{Kind: analyze.Enter, ThreadID: 1, Args: text})
	for range 6 {
		step(analyze.Step{Kind: analyze.Hit, ThreadID: 2, Args: text})
	}
	if f.held.count != 7 {
		t.Errorf("%d lines are held", f.held.count)
	}
	for range 3 {
		step(analyze.Step{Kind: analyze.Enter, ThreadID: 2, Args: text})
		step(analyze.Step{Kind: analyze.Leave, ThreadID: 2, Results: text})
		held := 0
		for i := range f.held.count {
			held += f.held.at(i).bytes()
		}
		if held != f.bytes || held > maxHeldBytes {
			t.Fatalf("%d bytes are held, %d counted", held, f.bytes)
		}
	}
	if err := f.flush(); err != nil || f.bytes != 0 || f.held.count != 0 {
		t.Errorf("%v: %d bytes, %d lines are left", err, f.bytes, f.held.count)
	}
}
