package page

import (
	"slices"

	"utrace/analyze"
)

// tree is the nodes of call paths, callers before their callees.
type tree struct {
	Function []int    `json:"function"`
	Depth    []int    `json:"depth"` // 0: an outermost call
	Calls    []uint64 `json:"calls"`
	Total    []int64  `json:"total"`
	Self     []int64  `json:"self"`
	Blocked  []int64  `json:"blocked"` // in self, as are the next two; 0 if the scheduler was not recorded
	Runnable []int64  `json:"runnable"`
	Unknown  []int64  `json:"unknown"`
	LeftOut  int      `json:"left_out"` // nodes
	MinNs    int64    `json:"min_ns"`   // those left out took less
}

// newTree takes the nodes that took longest, or have most calls, about room of each.
func newTree(roots []*analyze.Node, n *names, room int) *tree {
	t := &tree{}
	var times []int64
	var calls []uint64
	count(roots, &times, &calls)
	minCalls := uint64(0)
	if len(times) > room {
		slices.Sort(times)
		slices.Sort(calls)
		t.MinNs, minCalls = times[len(times)-room]+1, calls[len(calls)-room]+1
	}
	t.add(roots, n, 0, minCalls)
	t.LeftOut = len(times) - len(t.Function)
	return t
}

func count(nodes []*analyze.Node, times *[]int64, calls *[]uint64) {
	for _, node := range nodes {
		*times, *calls = append(*times, int64(node.Total)), append(*calls, node.Calls)
		count(node.Children, times, calls)
	}
}

// add adds nodes with all below them that are large enough.
func (t *tree) add(nodes []*analyze.Node, n *names, depth int, minCalls uint64) (large bool) {
	for _, node := range nodes {
		at := len(t.Function)
		w := &node.SelfWaits
		t.Function, t.Depth, t.Calls = append(t.Function, n.of(node.Function)), append(t.Depth, depth), append(t.Calls, node.Calls)
		t.Total, t.Self = append(t.Total, int64(node.Total)), append(t.Self, int64(node.Self))
		t.Blocked, t.Runnable, t.Unknown = append(t.Blocked, int64(w.Blocked)), append(t.Runnable, int64(w.Runnable)), append(t.Unknown, int64(w.Unknown))
		if t.add(node.Children, n, depth+1, minCalls) || int64(node.Total) >= t.MinNs || node.Calls >= minCalls && minCalls > 0 {
			large = true
		} else {
			t.cut(at)
		}
	}
	return large
}

// cut removes the nodes from an index on.
func (t *tree) cut(at int) {
	t.Function, t.Depth, t.Calls, t.Total, t.Self = t.Function[:at], t.Depth[:at], t.Calls[:at], t.Total[:at], t.Self[:at]
	t.Blocked, t.Runnable, t.Unknown = t.Blocked[:at], t.Runnable[:at], t.Unknown[:at]
}
