package analyze

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"utrace/format"
)

// Limits of a PathSums.
const (
	maxSums    = 1 << 16 // paths
	maxWakings = 1 << 14 // paths and wakers
)

// PathSum is the figures of calls on one path.
type PathSum struct {
	Calls uint64
	Self  time.Duration
	Waits Waits // in Self
}

// Add adds the figures of other calls.
func (s *PathSum) Add(other *PathSum) {
	s.Calls += other.Calls
	s.Self += other.Self
	s.Waits.Add(other.Waits)
}

// PathSums sums up the calls inside compared calls, by class and path. The first node is the
// compared function.
type PathSums struct {
	Nodes   []PathNode             // callers before their callees
	Calls   [Classes]uint64        // compared calls
	Total   [Classes]time.Duration // their durations
	Wakings map[Waking]*[Classes]time.Duration
	index   map[pathKey]uint32
	crowded bool
}

// PathNode is a path of calls.
type PathNode struct {
	Parent, Func uint32 // the path of the caller; the number of the function
	Of           [Classes]PathSum
	depth        int
}

// Waking is a path that was blocked, and who ended that.
type Waking struct {
	Node uint32
	By   Waker
	File int
}

func newPathSums() PathSums {
	return PathSums{Nodes: make([]PathNode, 1), index: map[pathKey]uint32{}, Wakings: map[Waking]*[Classes]time.Duration{}}
}

// child returns the node of fn called from parent, or parent beyond the limits.
func (p *PathSums) child(parent, fn uint32) uint32 {
	key := pathKey{parent, fn}
	at, ok := p.index[key]
	switch {
	case ok:
		return at
	case len(p.Nodes) >= maxSums || p.Nodes[parent].depth >= maxPath:
		p.crowded = true
		return parent
	}
	at = uint32(len(p.Nodes))
	p.Nodes = append(p.Nodes, PathNode{Parent: parent, Func: fn, depth: p.Nodes[parent].depth + 1})
	p.index[key] = at
	return at
}

// add adds a call to its class.
func (p *PathSums) add(of Class, open *openCall, d time.Duration) {
	p.Calls[of]++
	p.Total[of] += d
	for _, at := range open.touched {
		p.Nodes[p.node(open, at)].Of[of].Add(&open.cells[at].PathSum)
	}
	for _, w := range open.wakes {
		p.wake(of, Waking{p.node(open, w.cell), w.by, 0}, w.time)
	}
}

// node returns the node of a cell.
func (p *PathSums) node(open *openCall, at uint32) uint32 {
	of := &open.cells[at]
	if at != 0 && of.node == 0 {
		of.node = p.child(p.node(open, of.parent), uint32(of.fn))
	}
	return of.node
}

func (p *PathSums) wake(of Class, key Waking, d time.Duration) {
	w := p.Wakings[key]
	if w == nil {
		if len(p.Wakings) >= maxWakings {
			p.crowded = true
			return
		}
		w = new([Classes]time.Duration)
		p.Wakings[key] = w
	}
	w[of] += d
}

// merge adds the sums of a part of a trace. sched says whether the trace has rows of the scheduler,
// number numbers the functions of all traces. It returns the node here of each of part's nodes.
func (p *PathSums) merge(part *PathSums, file int, sched bool, number func(format.FuncID) uint32) []uint32 {
	here := make([]uint32, len(part.Nodes))
	for i := range part.Nodes {
		from := &part.Nodes[i]
		if i > 0 {
			here[i] = p.child(here[from.Parent], number(format.FuncID(from.Func)))
		}
		for of := range from.Of {
			if !sched {
				from.Of[of].Waits = Waits{Unknown: from.Of[of].Self}
			}
			p.Nodes[here[i]].Of[of].Add(&from.Of[of])
		}
	}
	for of := range p.Calls {
		p.Calls[of] += part.Calls[of]
		p.Total[of] += part.Total[of]
	}
	for _, key := range slices.SortedFunc(maps.Keys(part.Wakings), compareWakings) {
		for of, d := range part.Wakings[key] {
			p.wake(Class(of), Waking{here[key.Node], key.By, file}, d)
		}
	}
	p.crowded = p.crowded || part.crowded
	return here
}

func compareWakings(a, b Waking) int {
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
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Node, b.Node), cmp.Compare(known(a.By), known(b.By)),
		cmp.Compare(interrupt(a.By), interrupt(b.By)), cmp.Compare(a.By.TID, b.By.TID))
}
