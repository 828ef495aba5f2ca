package analyze

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"utrace/format"
)

// modelCall is a call as the reference model sees it.
type modelCall struct {
	fn         uint32
	sp         uint64 // 0 unknown
	start, end int64
	state      State
	parent     *modelCall
	children   []*modelCall
}

// model pairs by the letter of the rules, keeps every call, and counts
// afterwards: slow, and with nothing in common with pairer and latency.
type model struct {
	stack   []*modelCall
	calls   []*modelCall
	hits    [modelFuncs]uint64
	orphans uint64
}

const (
	modelFuncs    = 6
	modelNoReturn = 5 // the function whose returns are not probed
)

// depth is the stack pointer that a frame counts as: its own, or that of the
// nearest frame below which has one.
func (m *model) depth(i int) uint64 {
	for ; i >= 0; i-- {
		if m.stack[i].sp != 0 {
			return m.stack[i].sp
		}
	}
	return 1<<64 - 1
}

func (m *model) pop(now int64, state State) {
	c := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	c.end, c.state = now, state
}

func (m *model) entry(now int64, fn uint32, sp uint64, tail bool) {
	for sp != 0 && len(m.stack) > 0 {
		top := m.depth(len(m.stack) - 1)
		if top > sp || top == sp && tail {
			break
		}
		m.pop(now, Unwound)
	}
	c := &modelCall{fn: fn, sp: sp, start: now}
	if n := len(m.stack); n > 0 {
		c.parent = m.stack[n-1]
		c.parent.children = append(c.parent.children, c)
	}
	m.stack = append(m.stack, c)
	m.calls = append(m.calls, c)
}

func (m *model) ret(now int64, fn uint32, sp uint64) {
	for sp != 0 && len(m.stack) > 0 && m.depth(len(m.stack)-1) < sp {
		m.pop(now, Unwound)
	}
	for i := len(m.stack) - 1; i >= 0 && fn != modelNoReturn; i-- {
		if sp != 0 && m.depth(i) != sp {
			break
		}
		if m.stack[i].fn == fn {
			for len(m.stack)-1 > i {
				m.pop(now, Unwound)
			}
			m.pop(now, Complete)
			return
		}
	}
	m.orphans++
}

// inside is the time that a call takes from its parent's self time.
func (c *modelCall) inside() int64 {
	if c.state == Complete {
		return c.end - c.start
	}
	sum := int64(0)
	for _, child := range c.children {
		sum += child.inside()
	}
	return sum
}

func (c *modelCall) outermost() bool {
	for p := c.parent; p != nil; p = p.parent {
		if p.fn == c.fn && p.state == Complete {
			return false
		}
	}
	return true
}

func (m *model) stats() []Stats {
	stats := make([]Stats, modelFuncs)
	for fn, n := range m.hits {
		stats[fn].Calls += n
	}
	for _, c := range m.calls {
		s := &stats[c.fn]
		s.Calls++
		if c.state != Complete {
			s.Incomplete++
			continue
		}
		d := c.end - c.start
		s.Durations.Add(time.Duration(d))
		if c.outermost() {
			s.Total += time.Duration(d)
		}
		s.Self += time.Duration(d)
		for _, child := range c.children {
			s.Self -= time.Duration(child.inside())
		}
	}
	return stats
}

// FuzzPairing compares the pairer with the model on sequences of events, two
// bytes each.
func FuzzPairing(f *testing.F) {
	f.Add([]byte{0x00, 0x11, 0x01, 0x12, 0x20, 0x12, 0x20, 0x11})
	f.Add([]byte{0x00, 0x01, 0x03, 0x02, 0x01, 0x83, 0x10, 0x04, 0x21, 0x90, 0x05, 0x06, 0x07})
	f.Add([]byte("any text makes some sequence of calls, and so does another one: {}[]()!?<>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		funcs := make([]format.Func, modelFuncs)
		funcs[modelNoReturn].NoReturn = true
		l := &latency{opts: &Options{}}
		p := newPairer(l)
		p.define(funcs)
		th := &thread{}
		var m model
		var b format.Batch
		now := int64(0)
		for i := 0; i+1 < len(data); i += 2 {
			fn := uint32(data[i]) % modelFuncs
			depth := uint32(data[i+1]) % 8
			delta := uint32(data[i+1]) / 8
			kind := []format.Kind{format.Entry, format.Return, format.TailEntry, format.Hit, format.Return, format.Entry, format.Pause}[data[i]/modelFuncs%7]
			now += int64(delta)
			sp := uint64(0)
			if depth != 0 {
				sp = -uint64(depth)
			}
			switch kind {
			case format.Entry, format.TailEntry:
				m.entry(now, fn, sp, kind == format.TailEntry)
			case format.Return:
				m.ret(now, fn, sp)
			case format.Hit:
				m.hits[fn]++
			}
			b.DeltaNs, b.Kind = append(b.DeltaNs, delta), append(b.Kind, uint8(kind))
			b.Func, b.StackBytes = append(b.Func, fn), append(b.StackBytes, depth)
		}
		for len(m.stack) > 0 {
			m.pop(now, Open)
		}
		half := len(b.Kind) / 2
		p.process(th, &b, 0, half)
		p.process(th, &b, half, len(b.Kind))
		p.finish(th)
		for fn, want := range m.stats() {
			got := *l.of(new(thread), uint32(fn))
			if !reflect.DeepEqual(got, want) {
				t.Errorf("function %d: got %s, want %s", fn, figures(&got), figures(&want))
			}
		}
		if p.orphans != m.orphans {
			t.Errorf("%d orphans, want %d", p.orphans, m.orphans)
		}
	})
}

func figures(s *Stats) string {
	return fmt.Sprintf("calls %d incomplete %d total %d self %d complete %d sum %d", s.Calls, s.Incomplete, s.Total, s.Self, s.Durations.Count(), s.Durations.Sum())
}

// Recursion deeper than the limit must be counted in full, with no duration
// invented where the frames are not kept.
func TestTooDeep(t *testing.T) {
	for _, known := range []bool{true, false} {
		l := &latency{opts: &Options{}}
		p := newPairer(l)
		p.room = 1000
		p.define(make([]format.Func, 1))
		th := &thread{}
		const n = 5000
		var b format.Batch
		for i := range 2 * n {
			kind, depth := format.Entry, i+1
			if i >= n {
				kind, depth = format.Return, 2*n-i
			}
			if !known {
				depth = 0
			}
			b.DeltaNs, b.Kind = append(b.DeltaNs, 1), append(b.Kind, uint8(kind))
			b.Func, b.StackBytes = append(b.Func, 0), append(b.StackBytes, uint32(depth))
		}
		p.process(th, &b, 0, 2*n)
		p.finish(th)
		s := l.of(new(thread), 0)
		kept := s.Durations.Count()
		if s.Calls != n || s.Calls-s.Incomplete != kept || p.skipped != n-kept || kept == 0 || kept > 1000 {
			t.Errorf("known %v: calls %d, incomplete %d, kept %d, skipped %d", known, s.Calls, s.Incomplete, kept, p.skipped)
		}
		if s.Durations.Max() != 2*n-1 || s.Durations.Min() != time.Duration(2*(n-int(kept))+1) {
			t.Errorf("known %v: from %d to %d", known, s.Durations.Min(), s.Durations.Max())
		}
	}
}
