package otlp

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
	"time"

	"utrace/analyze"
	"utrace/format"
)

// maxHeldBytes limits the arguments and results of the calls that are kept.
const maxHeldBytes = 64 << 20

// Spans keeps the slowest calls. Use NewSpans.
type Spans struct {
	maxCount  int
	min       time.Duration
	calls     slowest
	held      int // bytes of arguments and results in calls
	leftOut   uint64
	uncertain uint64 // calls of unknown duration, during which events were lost
	valueless uint64 // calls without arguments and results, for which there was no room
}

// NewSpans makes an empty Spans for at most maxCount calls of at least min.
func NewSpans(maxCount int, min time.Duration) *Spans { return &Spans{maxCount: maxCount, min: min} }

// slowCall is a call that is kept, with a copy of its thread.
type slowCall struct {
	analyze.Call
	thread format.Thread
}

// compareSlowness orders calls from the slowest one. Of equal calls, those around others come first.
func compareSlowness(a, b *slowCall) int {
	return cmp.Or(cmp.Compare(b.Duration, a.Duration), strings.Compare(a.Trace, b.Trace), cmp.Compare(a.Start, b.Start),
		cmp.Compare(a.Depth, b.Depth), compareThreads(&a.thread, &b.thread))
}

func compareThreads(a, b *format.Thread) int {
	return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.TID, b.TID), cmp.Compare(a.Goroutine, b.Goroutine), cmp.Compare(a.Track, b.Track))
}

// slowest is a heap with the fastest call on top.
type slowest []*slowCall

func (s slowest) Len() int           { return len(s) }
func (s slowest) Less(i, k int) bool { return compareSlowness(s[i], s[k]) > 0 }
func (s slowest) Swap(i, k int)      { s[i], s[k] = s[k], s[i] }
func (s *slowest) Push(x any) {
	if c, ok := x.(*slowCall); ok {
		*s = append(*s, c)
	}
}
func (s *slowest) Pop() any {
	last := len(*s) - 1
	c := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	return c
}

// Add adds a call, for analyze.EachCall. It ignores calls without a duration.
func (s *Spans) Add(c *analyze.Call) error {
	switch {
	case c.Hit || c.State != analyze.Complete || c.Duration < s.min:
		return nil
	case c.Uncertain:
		s.uncertain++
		return nil
	}
	if len(s.calls) == s.maxCount {
		s.leftOut++
		if c.Duration < s.calls[0].Duration {
			return nil
		}
	}
	slow := &slowCall{*c, *c.Thread}
	if s.held+slow.valueBytes() > maxHeldBytes {
		slow.Arguments, slow.Results = "", ""
		s.valueless++
	}
	s.held += slow.valueBytes()
	heap.Push(&s.calls, slow)
	if len(s.calls) > s.maxCount {
		s.held -= s.calls[0].valueBytes()
		heap.Pop(&s.calls)
	}
	return nil
}

func (c *slowCall) valueBytes() int { return len(c.Arguments) + len(c.Results) }

// Len returns the number of calls that are kept.
func (s *Spans) Len() int { return len(s.calls) }

// placed is a call with its place among the others.
type placed struct {
	*slowCall
	root, parent *slowCall // parent is nil for a root
}

// places returns the calls by process, and by thread and time within it, with their parents.
func (s *Spans) places() []placed {
	calls := slices.Clone(s.calls)
	slices.SortFunc(calls, func(a, b *slowCall) int {
		return cmp.Or(compareProcesses(a, b), compareThreads(&a.thread, &b.thread), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Depth, b.Depth))
	})
	list := make([]placed, len(calls))
	var around []*slowCall // the calls around the next one, outermost first
	for i, c := range calls {
		if i > 0 && (compareProcesses(calls[i-1], c) != 0 || compareThreads(&calls[i-1].thread, &c.thread) != 0) {
			around = around[:0]
		}
		for len(around) > 0 && !around[len(around)-1].contains(c) {
			around = around[:len(around)-1]
		}
		list[i] = placed{c, c, nil}
		if len(around) > 0 {
			list[i].root, list[i].parent = around[0], around[len(around)-1]
		}
		around = append(around, c)
	}
	return list
}

// contains reports whether a call lies inside another of its thread that began before.
func (c *slowCall) contains(inner *slowCall) bool {
	return inner.Depth > c.Depth && inner.Start+inner.Elapsed <= c.Start+c.Elapsed
}

func compareProcesses(a, b *slowCall) int {
	return cmp.Or(strings.Compare(a.Recording, b.Recording), cmp.Compare(a.thread.PID, b.thread.PID), strings.Compare(a.Process.Comm, b.Process.Comm))
}
