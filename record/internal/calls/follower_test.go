package calls

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"utrace/format"
)

// TestFollower: calls are paired as an analysis does, whatever order the processors' events have.
func TestFollower(t *testing.T) {
	const (
		f format.FuncID = iota
		g
		span  // between static probes
		other // not followed
	)
	at := func(ns uint64, kind format.Kind, fn format.FuncID, sp uint64) format.Event {
		return format.Event{TimeNs: ns, Kind: kind, Func: fn, SP: sp}
	}
	for _, c := range []struct {
		name   string
		events []format.Event
		want   string
	}{
		{"nested", []format.Event{at(1, format.Entry, f, 100), at(2, format.Entry, g, 90), at(3, format.Return, g, 90), at(9, format.Return, f, 100)}, "g 1, f 8"},
		{"out of order", []format.Event{at(9, format.Return, f, 100), at(1, format.Entry, f, 100)}, "f 8"},
		{"no entry", []format.Event{at(9, format.Return, f, 100)}, ""},
		{"recursion", []format.Event{at(1, format.Entry, f, 100), at(2, format.Entry, f, 90), at(4, format.Return, f, 90), at(9, format.Return, f, 100)}, "f 2, f 8"},
		{"unwound by an entry above", []format.Event{at(1, format.Entry, f, 100), at(2, format.Entry, g, 110), at(3, format.Return, f, 100), at(4, format.Return, g, 110)}, "g 2"},
		{"unwound by an entry that is not followed", []format.Event{at(1, format.Entry, f, 100), at(2, format.Entry, other, 100), at(3, format.Return, f, 100)}, ""},
		{"unwound by a return", []format.Event{at(1, format.Entry, f, 100), at(2, format.Entry, g, 90), at(5, format.Return, f, 100), at(6, format.Return, g, 90)}, "f 4"},
		{"tail call", []format.Event{at(1, format.Entry, f, 100), at(2, format.TailEntry, g, 100), at(5, format.Return, g, 100), at(6, format.Return, f, 100)}, "g 3, f 5"},
		{"span in a function", []format.Event{at(1, format.Entry, f, 100), at(2, format.Entry, span, 100), at(5, format.Return, span, 100), at(6, format.Return, f, 100)}, "span 3, f 5"},
		{"no stack pointers", []format.Event{at(1, format.Entry, f, 0), at(2, format.Entry, g, 0), at(5, format.Return, f, 0)}, "f 4"},
		{"exit", []format.Event{at(1, format.Entry, f, 100), at(2, format.Exit, 0, 0), at(5, format.Return, f, 100)}, ""},
	} {
		var got []string
		names := []string{"f", "g", "span", "other"}
		p := &Follower{
			Follows:  func(fn format.FuncID) bool { return fn != other },
			Returned: func(c *Call) { got = append(got, fmt.Sprintf("%s %d", names[c.Func], c.DurationNs())) },
		}
		for _, name := range names {
			fn := format.Func{Name: name}
			if name == "span" {
				fn.USDT = "provider:span"
			}
			p.Define(&fn)
		}
		for i := range c.events {
			p.Add(&c.events[i], "")
		}
		p.Settle()
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s: calls %q, want %q", c.name, text, c.want)
		}
	}
}

// TestOpen: open calls are known, and forgotten after lost events.
func TestOpen(t *testing.T) {
	p := &Follower{Follows: func(format.FuncID) bool { return true }, Returned: func(*Call) {}}
	p.Define(&format.Func{})
	p.Add(&format.Event{Thread: 3, TimeNs: 7, SP: 100}, `[1]`)
	p.Settle()
	if open := p.Open(3); !slices.Equal(open, []Frame{{SP: 100, EntryNs: 7, Args: `[1]`}}) {
		t.Errorf("open calls %+v", open)
	}
	p.Forget()
	if open := p.Open(3); len(open) != 0 {
		t.Errorf("open calls after losses: %+v", open)
	}
}
