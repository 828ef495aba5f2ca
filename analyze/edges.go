package analyze

import (
	"cmp"
	"slices"
	"time"
)

// Edge is the calls of one function by another.
type Edge struct {
	Caller, Callee *Function // Caller is nil for calls whose caller is not in the traces
	Calls          uint64
	Total          time.Duration // of the complete calls
}

// Edges sums up the calls below nodes by caller and callee, longest total time first.
func Edges(roots []*Node) []Edge {
	e := edges{index: map[[2]*Function]int{}}
	e.add(nil, roots)
	slices.SortFunc(e.list, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(b.Calls, a.Calls), a.Callee.Compare(b.Callee), a.compareCallers(&b))
	})
	return e.list
}

func (e *Edge) compareCallers(other *Edge) int {
	var none Function
	a, b := cmp.Or(e.Caller, &none), cmp.Or(other.Caller, &none)
	return a.Compare(b)
}

type edges struct {
	list  []Edge
	index map[[2]*Function]int
}

func (e *edges) add(caller *Function, nodes []*Node) {
	for _, n := range nodes {
		key := [2]*Function{caller, n.Function}
		i, ok := e.index[key]
		if !ok {
			i = len(e.list)
			e.index[key] = i
			e.list = append(e.list, Edge{Caller: caller, Callee: n.Function})
		}
		e.list[i].Calls += n.Calls
		e.list[i].Total += n.Total
		e.add(n.Function, n.Children)
	}
}
