package analyze

import (
	"cmp"
	"slices"
	"time"

	"utrace/format"
)

// maxPeriods is how many periods are kept.
const maxPeriods = 1 << 16

// periodPart: calls are noted that take at least this part of what makes a call slow.
const periodPart = 8

// periods are the times of calls that may explain why others are slow: the longest ones, if there
// are too many.
type periods struct {
	minNs int64
	list  []period
}

// period is the time of a call.
type period struct {
	fn       format.FuncID
	from, to int64
}

func newPeriods(least time.Duration) periods { return periods{minNs: max(1, int64(least))} }

func (p *periods) add(of period) {
	if of.to-of.from < p.minNs {
		return
	}
	p.list = append(p.list, of)
	p.cut()
}

// cut doubles the least length until few enough remain. So parts of a trace that are merged give the
// same as the whole.
func (p *periods) cut() {
	for len(p.list) > maxPeriods {
		p.minNs *= 2
		p.list = slices.DeleteFunc(p.list, func(of period) bool { return of.to-of.from < p.minNs })
	}
}

func (p *periods) merge(part *periods) {
	p.minNs = max(p.minNs, part.minNs)
	p.list = slices.DeleteFunc(append(p.list, part.list...), func(of period) bool { return of.to-of.from < p.minNs })
	p.cut()
}

// cover is the time that periods cover together.
type cover struct {
	at     []int64   // when it begins or ends to be covered
	number []float64 // 1 from then on if it is covered
	before []float64 // covered time up to then
}

func coverOf(list []period) *cover {
	type edge struct {
		at   int64
		step int
	}
	edges := make([]edge, 0, 2*len(list))
	for _, of := range list {
		edges = append(edges, edge{of.from, 1}, edge{of.to, -1})
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.step, b.step)) })
	l := &cover{}
	open, integral, number := 0, 0.0, 0.0
	for i, e := range edges {
		if i > 0 {
			integral += number * float64(e.at-edges[i-1].at)
		}
		open += e.step
		number = float64(min(1, open))
		l.at, l.number, l.before = append(l.at, e.at), append(l.number, number), append(l.before, integral)
	}
	return l
}

// until is the covered time up to a time.
func (l *cover) until(ns int64) float64 {
	i, _ := slices.BinarySearch(l.at, ns+1)
	if i == 0 {
		return 0
	}
	return l.before[i-1] + l.number[i-1]*float64(ns-l.at[i-1])
}

// during is the covered part of a time.
func (l *cover) during(from, to int64) float64 { return l.until(to) - l.until(from) }
