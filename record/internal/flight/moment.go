//go:build linux

package flight

import (
	"fmt"
	"time"

	"utrace/format"
	"utrace/record/internal/calls"
)

// Moment is when a rule was met.
type Moment struct {
	TimeNs  uint64 // since the start of the recording
	BeginNs uint64 // of the call that met the rule; TimeNs for anything else
	Text    string // for people: what happened
}

// moments decides which moments get a trace. Those while one is awaited, or too soon after the last
// one, are only counted.
type moments struct {
	waitNs, everyNs uint64
	pending         *Moment
	lastNs          uint64 // of the last moment with a trace
	any             bool   // there was one
	count           uint64
}

func (m *moments) add(ns, beginNs uint64, text string) {
	m.count++
	if m.pending != nil || m.any && ns < m.lastNs+m.everyNs {
		return
	}
	m.pending, m.lastNs, m.any = &Moment{ns, beginNs, text}, ns, true
}

// Moments returns how often a rule was met.
func (m *Memory) Moments() uint64 { return m.moments.count }

// Happened notes a moment that is no call.
func (m *Memory) Happened(ns uint64, text string) { m.moments.add(ns, ns, text) }

// Due returns the moment whose trace is to be written now: the time after it has been read, or now
// is set. It returns nil if there is none.
func (m *Memory) Due(now bool) *Moment {
	p := m.moments.pending
	if p == nil || !now && m.nowNs < p.TimeNs+m.moments.waitNs {
		return nil
	}
	m.moments.pending = nil
	return p
}

// entered decides the rules that an entry or a hit can meet.
func (m *Memory) entered(e *format.Event, args string) {
	t := m.threads[e.Thread]
	t.open = t.open || e.Kind != format.Hit
	for i := range m.bound[e.Func] {
		b := &m.bound[e.Func][i]
		if !b.atReturn && b.met(&callValues{thread: &t.Thread, args: args}) {
			m.moments.add(e.TimeNs, e.TimeNs, fmt.Sprintf("%s in %s", m.funcs[e.Func].Name, describe(&t.Thread)))
		}
	}
}

// returned decides the rules that a complete call can meet.
func (m *Memory) returned(c *calls.Call) {
	t := m.threads[c.Thread]
	t.open = len(m.follower.Open(c.Thread)) > 0
	if c.Dropped || c.Marked {
		return
	}
	for i := range m.bound[c.Func] {
		b := &m.bound[c.Func][i]
		if !b.atReturn || !b.met(&callValues{thread: &t.Thread, args: c.Args, results: c.Results, value: c.Value, durationNs: c.DurationNs()}) {
			continue
		}
		what := "took"
		if b.rule.failed {
			what = "failed after"
		}
		text := fmt.Sprintf("%s %s %s in %s", m.funcs[c.Func].Name, what, rounded(c.DurationNs()), describe(&t.Thread))
		if m.lossNs > c.EntryNs {
			text += "; events were lost meanwhile"
		}
		m.moments.add(c.ReturnNs, c.EntryNs, text+m.beginning(c.EntryNs))
		return
	}
}

// findOverdue finds open calls that are longer than a rule allows, and whose beginning is about to
// leave memory.
func (m *Memory) findOverdue() {
	oldestNs := m.nowNs - min(m.nowNs, uint64(m.cfg.Last-m.cfg.Last/8))
	if m.Size() > m.cfg.Bytes-m.cfg.Bytes/8 && len(m.segments) > 1 {
		oldestNs = max(oldestNs, m.segments[1].fromNs)
	}
	for id := range m.follower.Threads() {
		frames := m.follower.Open(id)
		for i := range frames {
			f := &frames[i]
			if f.Marked || f.EntryNs >= oldestNs || m.lossNs > f.EntryNs {
				continue
			}
			lasted := m.nowNs - min(f.EntryNs, m.nowNs)
			for j := range m.bound[f.Func] {
				if limit := m.bound[f.Func][j].rule.longerThan; limit > 0 && lasted > uint64(limit) {
					f.Marked = true
					text := fmt.Sprintf("%s has not returned for %s in %s", m.funcs[f.Func].Name, rounded(lasted), describe(&m.threads[id].Thread))
					m.moments.add(m.nowNs, f.EntryNs, text+m.beginning(f.EntryNs))
					break
				}
			}
		}
	}
}

// beginning says if the beginning of a call has left the memory.
func (m *Memory) beginning(entryNs uint64) string {
	if m.segments[0].fromNs <= entryNs {
		return ""
	}
	return "; its beginning has left the memory: use a larger --last"
}

func describe(t *format.Thread) string {
	text := fmt.Sprintf("process %d (%s)", t.PID, t.Comm)
	switch {
	case t.Goroutine != 0:
		text += fmt.Sprintf(", goroutine %d", t.Goroutine)
	case t.TID != t.PID:
		text += fmt.Sprintf(", thread %d", t.TID)
	}
	return text
}

// rounded writes a time with about four digits.
func rounded(ns uint64) string {
	d := time.Duration(ns)
	for unit := time.Second; unit >= time.Microsecond; unit /= 1000 {
		if d >= 10*unit {
			return d.Round(unit / 100).String()
		}
	}
	return d.String()
}
