package timeline

import (
	"cmp"
	"slices"
	"time"

	"utrace/format"
)

// maxPeriods is how many periods are kept.
const maxPeriods = 1 << 16

// Periods are the times of calls: of the longest ones, if there are too many.
type Periods struct {
	minNs int64
	List  []Period
}

// Period is the time of a call, in nanoseconds since the start of its trace.
type Period struct {
	Func     format.FuncID
	From, To int64
}

// NewPeriods returns periods that leave out those shorter than least.
func NewPeriods(least time.Duration) Periods { return Periods{minNs: max(1, int64(least))} }

// Add adds a period.
func (p *Periods) Add(of Period) {
	if of.To-of.From < p.minNs {
		return
	}
	p.List = append(p.List, of)
	p.cut()
}

// cut doubles the least length until few enough remain. So parts of a trace that are merged give the
// same as the whole.
func (p *Periods) cut() {
	for len(p.List) > maxPeriods {
		p.minNs *= 2
		p.List = slices.DeleteFunc(p.List, func(of Period) bool { return of.To-of.From < p.minNs })
	}
}

// Merge adds the periods of another part of the trace.
func (p *Periods) Merge(part *Periods) {
	p.minNs = max(p.minNs, part.minNs)
	p.List = slices.DeleteFunc(append(p.List, part.List...), func(of Period) bool { return of.To-of.From < p.minNs })
	p.cut()
}

// Cover is the time that periods cover together.
type Cover struct {
	at     []int64   // when it begins or ends to be covered
	number []float64 // 1 from then on if it is covered
	before []float64 // covered time up to then
}

// CoverOf returns the cover of periods.
func CoverOf(list []Period) *Cover {
	type edge struct {
		at   int64
		step int
	}
	edges := make([]edge, 0, 2*len(list))
	for _, of := range list {
		edges = append(edges, edge{of.From, 1}, edge{of.To, -1})
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.step, b.step)) })
	l := &Cover{}
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
func (l *Cover) until(ns int64) float64 {
	i, _ := slices.BinarySearch(l.at, ns+1)
	if i == 0 {
		return 0
	}
	return l.before[i-1] + l.number[i-1]*float64(ns-l.at[i-1])
}

// During is the covered part of a time.
func (l *Cover) During(from, to int64) float64 { return l.until(to) - l.until(from) }
