package analyze

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"utrace/format"
)

// Limits of a pathSums.
const (
	maxSums    = 1 << 16 // paths
	maxWakings = 1 << 14 // paths and wakers
)

// pathSum is the figures of calls on one path.
type pathSum struct {
	calls uint64
	self  time.Duration
	waits Waits // in self
}

func (s *pathSum) add(other *pathSum) {
	s.calls += other.calls
	s.self += other.self
	s.waits.Add(other.waits)
}

// pathSums sums up the calls inside compared calls, by class and path. The first node is the
// compared function.
type pathSums struct {
	nodes   []sumNode
	index   map[pathKey]uint32
	calls   [otherCalls]uint64        // compared calls
	total   [otherCalls]time.Duration // their durations
	wakings map[wakingKey]*[otherCalls]time.Duration
	crowded bool
}

type sumNode struct {
	pathKey
	depth int
	of    [otherCalls]pathSum
}

// wakingKey is a path that was blocked, and who ended that.
type wakingKey struct {
	node uint32
	by   Waker
	file int
}

func newPathSums() pathSums {
	return pathSums{nodes: make([]sumNode, 1), index: map[pathKey]uint32{}, wakings: map[wakingKey]*[otherCalls]time.Duration{}}
}

// child returns the node of fn called from parent, or parent beyond the limits.
func (p *pathSums) child(parent, fn uint32) uint32 {
	key := pathKey{parent, fn}
	at, ok := p.index[key]
	switch {
	case ok:
		return at
	case len(p.nodes) >= maxSums || p.nodes[parent].depth >= maxPath:
		p.crowded = true
		return parent
	}
	at = uint32(len(p.nodes))
	p.nodes = append(p.nodes, sumNode{pathKey: key, depth: p.nodes[parent].depth + 1})
	p.index[key] = at
	return at
}

// add adds a call to its class.
func (p *pathSums) add(of class, open *openCall, d time.Duration) {
	p.calls[of]++
	p.total[of] += d
	for _, at := range open.touched {
		p.nodes[p.node(open, at)].of[of].add(&open.cells[at].pathSum)
	}
	for _, w := range open.wakes {
		p.wake(of, wakingKey{p.node(open, w.cell), w.by, 0}, w.time)
	}
}

// node returns the node of a cell.
func (p *pathSums) node(open *openCall, at uint32) uint32 {
	of := &open.cells[at]
	if at != 0 && of.node == 0 {
		of.node = p.child(p.node(open, of.parent), uint32(of.fn))
	}
	return of.node
}

func (p *pathSums) wake(of class, key wakingKey, d time.Duration) {
	w := p.wakings[key]
	if w == nil {
		if len(p.wakings) >= maxWakings {
			p.crowded = true
			return
		}
		w = new([otherCalls]time.Duration)
		p.wakings[key] = w
	}
	w[of] += d
}

// merge adds the sums of a part of a trace. sched says whether the trace has rows of the scheduler,
// number numbers the functions of all traces. It returns the node here of each of part's nodes.
func (p *pathSums) merge(part *pathSums, file int, sched bool, number func(format.FuncID) uint32) []uint32 {
	here := make([]uint32, len(part.nodes))
	for i := range part.nodes {
		from := &part.nodes[i]
		if i > 0 {
			here[i] = p.child(here[from.parent], number(format.FuncID(from.fn)))
		}
		for of := range from.of {
			if !sched {
				from.of[of].waits = Waits{Unknown: from.of[of].self}
			}
			p.nodes[here[i]].of[of].add(&from.of[of])
		}
	}
	for of := range p.calls {
		p.calls[of] += part.calls[of]
		p.total[of] += part.total[of]
	}
	for _, key := range slices.SortedFunc(maps.Keys(part.wakings), compareWakings) {
		for of, d := range part.wakings[key] {
			p.wake(class(of), wakingKey{here[key.node], key.by, file}, d)
		}
	}
	p.crowded = p.crowded || part.crowded
	return here
}

func compareWakings(a, b wakingKey) int {
	known := func(w Waker) int {
		if w.Known {
			return 1
		}
		return 0
	}
	interrupt := func(w Waker) int {
		if w.Interrupt {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.node, b.node), cmp.Compare(known(a.by), known(b.by)),
		cmp.Compare(interrupt(a.by), interrupt(b.by)), cmp.Compare(a.by.TID, b.by.TID))
}
