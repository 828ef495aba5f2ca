package analyze

import (
	"cmp"
	"math"
	"slices"
	"time"

	"utrace/format"
)

// Limits of call trees. Neither loses a call: see callPaths.child.
const (
	maxPath  = 512     // calls from a root down
	maxNodes = 1 << 20 // of a tree
)

// Names of the nodes for calls beyond the limits.
const (
	truncatedName = "[truncated]" // the outer calls of paths that are too long
	leftOutName   = "[left out]"  // the outer calls of paths that are too many
)

// Tree is the calls of traces summed up by call path. The same traces give the same Tree.
type Tree struct {
	Threads  []ThreadTree
	Trace    Trace
	By       string // the nodes are grouped by this, see Options
	Warnings []Warning
}

// ThreadTree is the part of a Tree for one thread, or for all.
type ThreadTree struct {
	Label Label
	Roots []*Node
}

// Label identifies a thread. The zero Label is all threads.
type Label struct {
	PID, TID        int
	Process, Thread string // names
}

// Node is a function reached by one path of calls, with the figures of its calls on that path.
// Children are sorted by total time, longest first. A function that was not traced, but was on the
// stack of a call, has no calls: its total is the sum of its children's.
type Node struct {
	Function   *Function
	Value      Value // of all its calls, if the tree is grouped
	Calls      uint64
	Incomplete uint64
	Total      time.Duration // of the complete calls
	Self       time.Duration
	SelfWaits  Waits // in Self; see Trace.Sched
	Children   []*Node
}

// CallTree sums up traces by call path, all threads together.
func CallTree(paths []string, opts Options) (*Tree, error) {
	return buildTree(paths, &opts, false)
}

// buildTree sums up traces by call path, with byThread for each thread. In a trace with stacks, the
// paths also have functions that were not traced. These are all functions around an outermost call,
// and those between a call and the traced one around it.
func buildTree(paths []string, opts *Options, byThread bool) (*Tree, error) {
	sum := newSummary(paths)
	values := newValueTable(opts.By)
	b := newTreeBuilder(opts, byThread, maxNodes, newFunctions())
	for _, path := range paths {
		src, err := openSource(path, opts)
		if err != nil {
			return nil, err
		}
		parts := make([]*callPaths, opts.views())
		views := make([]view, len(parts))
		for i := range parts {
			parts[i] = b.part(src, newGrouping(values))
			views[i] = parts[i]
		}
		columns := opts.columns()
		columns.Value = src.meta.Stacks
		t, err := src.pair(opts, columns, views)
		src.close()
		if err != nil {
			return nil, err
		}
		sum.add(path, src, t, opts)
		sum.warnDropped(path, src, opts)
		sum.warnCallers(path, src)
		b.add(src, parts)
	}
	threads := b.result(sum, values)
	values.warn(sum)
	if len(threads) == 0 {
		sum.warnNothing(opts)
	}
	return &Tree{Threads: threads, Trace: sum.result(), By: opts.By, Warnings: sum.warnings}, nil
}

// treeBuilder makes one tree of the call paths of several traces.
type treeBuilder struct {
	opts     *Options
	byThread bool
	fns      *functions
	room     int // for nodes
	all      *callPaths
	list     []rowKey // the numbers of all are those in list
	index    map[rowKey]uint32
}

// newTreeBuilder returns a builder of a tree of at most room nodes.
func newTreeBuilder(opts *Options, byThread bool, room int, fns *functions) *treeBuilder {
	b := &treeBuilder{opts: opts, byThread: byThread, room: room, fns: fns, all: newCallPaths(opts, byThread, nil), index: map[rowKey]uint32{}}
	b.all.room = room
	return b
}

// part returns a view for some threads of a trace.
func (b *treeBuilder) part(src *source, groups *grouping) *callPaths {
	part := newCallPaths(b.opts, b.byThread, groups)
	part.stacks, part.room = src.meta.Stacks, b.room
	return part
}

// number returns the number of a function of a trace with a value.
func (b *treeBuilder) number(src *source, fn format.FuncID, value uint32) uint32 {
	key := rowKey{b.fns.add(&src.tables.Funcs[fn], src.tables.Modules), value}
	n, ok := b.index[key]
	if !ok {
		n = uint32(len(b.list))
		b.index[key] = n
		b.list = append(b.list, key)
	}
	return n
}

// add adds a trace, which was read to its end.
func (b *treeBuilder) add(src *source, parts []*callPaths) {
	for _, part := range parts {
		numbers := make([]uint32, part.groups.count(len(src.tables.Funcs)))
		weights := make([]float64, len(numbers))
		for i := range numbers {
			g := part.groups.of(i)
			numbers[i], weights[i] = b.number(src, g.fn, g.value), src.cover.Weight(g.fn)
		}
		callers := func(parent, stack uint32) uint32 {
			value := uint32(noValue)
			if around := b.all.nodes[parent].fn; int(around) < len(b.list) {
				value = b.list[around].value
			}
			return b.all.callers(parent, stack, src.tables.Stacks, func(fn format.FuncID) uint32 { return b.number(src, fn, value) })
		}
		b.all.merge(part, numbers, weights, callers, src.meta.Sched)
	}
}

// result returns the tree.
func (b *treeBuilder) result(sum *summary, values *valueTable) []ThreadTree {
	if b.all.crowded {
		sum.warn("", "more than %d call paths: the calls of further ones are shown below %s", b.all.room, leftOutName)
	}
	return b.all.build(b.fns.list, b.list, values.list)
}

// Numbers of nodes that are not functions.
const (
	fnTruncated = math.MaxUint32 - iota
	fnLeftOut
	fnRoot
	// fnStack and above are stacks, within one part of a trace. The stacks are known at its end:
	// merge turns them into functions.
	fnStack uint32 = 1 << 31
)

// callPaths is the view that sums up calls by path.
type callPaths struct {
	selection
	groups    *grouping
	byThread  bool
	stacks    bool       // entries have stacks
	nodes     []pathNode // parents before their children; the first is not used
	index     map[pathKey]uint32
	roots     map[Label]uint32
	crowded   bool     // room was reached
	room      int      // for nodes
	leftOut   uint32   // the node for calls beyond that; 0 for none
	leftOutOf []uint32 // by function: the node directly below leftOut; 0 for none
}

// pathNode has the figures of one path. They are whole numbers up to the end of a trace. Then each
// call of a function with windows counts for those that it stands for.
type pathNode struct {
	pathKey
	depth           uint32
	last            uint32 // the node of the latest call from it; 0 for none
	next            uint32 // the node of the call that followed, from the same parent; 0 for none
	calls           float64
	incomplete      float64
	totalNs, selfNs float64
	selfWaits       Waits
}

// pathKey is equal for calls on the same node: the node of their caller, and their function.
type pathKey struct {
	parent uint32
	fn     uint32 // or the number of its group
}

func newCallPaths(opts *Options, byThread bool, groups *grouping) *callPaths {
	return &callPaths{
		selection: selection{opts: opts}, byThread: byThread, groups: groups, room: maxNodes,
		nodes: make([]pathNode, 1), index: map[pathKey]uint32{}, roots: map[Label]uint32{},
	}
}

// root returns the node around the outermost calls of a thread. It is not a call itself.
func (c *callPaths) root(l Label) uint32 {
	if !c.byThread {
		l = Label{}
	}
	at, ok := c.roots[l]
	if !ok {
		at = uint32(len(c.nodes))
		c.nodes = append(c.nodes, pathNode{pathKey: pathKey{fn: fnRoot}})
		c.roots[l] = at
	}
	return at
}

// child returns the node of fn called from parent.
//
// A path that would become too long loses its outer half: the rest is below a node "[truncated]".
// When there are too many nodes, or paths to them, it makes new ones only for functions directly
// below a node "[left out]". So the figures of each function still add up.
//
// A function mostly calls what it has called before, in the same order. So it tries the latest child,
// and the one that followed it the last time, before it looks into the index.
func (c *callPaths) child(parent, fn uint32) uint32 {
	last := c.nodes[parent].last
	if last != 0 {
		if c.nodes[last].fn == fn {
			return last
		}
		if next := c.nodes[last].next; next != 0 && c.nodes[next].pathKey == (pathKey{parent, fn}) {
			c.nodes[parent].last = next
			return next
		}
	}
	at := c.find(parent, fn)
	c.nodes[parent].last = at
	if last != 0 && c.nodes[last].parent == parent {
		c.nodes[last].next = at
	}
	return at
}

// find is child without the shortcut.
func (c *callPaths) find(parent, fn uint32) uint32 {
	if c.leftOut != 0 && c.nodes[parent].parent == c.leftOut {
		return c.findLeftOut(fn) // nodes below it have no children
	}
	key := pathKey{parent, fn}
	if at, ok := c.index[key]; ok {
		return at
	}
	var at uint32
	switch p := &c.nodes[parent]; {
	case max(len(c.nodes), len(c.index)) >= c.room && p.fn != fnLeftOut && fn != fnLeftOut:
		c.crowded = true
		c.leftOut = c.find(c.root(Label{}), fnLeftOut)
		return c.findLeftOut(fn) // not in the index, which must not grow
	case p.depth >= maxPath:
		at = c.child(c.truncated(parent), fn)
	default:
		at = uint32(len(c.nodes))
		c.nodes = append(c.nodes, pathNode{pathKey: key, depth: p.depth + 1})
	}
	c.index[key] = at
	return at
}

// findLeftOut returns the node of fn among those for calls beyond the limit.
func (c *callPaths) findLeftOut(fn uint32) uint32 {
	if int(fn) < len(c.leftOutOf) && c.leftOutOf[fn] != 0 {
		return c.leftOutOf[fn]
	}
	at := c.find(c.leftOut, fn)
	if fn < maxDefinitions {
		c.leftOutOf = append(c.leftOutOf, make([]uint32, max(0, int(fn)+1-len(c.leftOutOf)))...)
		c.leftOutOf[fn] = at
	}
	return at
}

// truncated returns the node of the inner half of a path.
func (c *callPaths) truncated(at uint32) uint32 {
	var inner []uint32
	for ; c.nodes[at].fn != fnRoot; at = c.nodes[at].parent {
		if len(inner) < maxPath/2 {
			inner = append(inner, c.nodes[at].fn)
		}
	}
	at = c.child(at, fnTruncated)
	for _, fn := range slices.Backward(inner) {
		at = c.child(at, fn)
	}
	return at
}

func (c *callPaths) define(funcs []format.Func) {
	c.selection.define(funcs)
	c.groups.define(funcs)
}

func (c *callPaths) enter(t *thread, f, parent *frame) {
	c.selection.enter(f, parent)
	c.groups.enter(t, f, parent)
	if parent != nil {
		f.path = parent.path
	} else {
		if t.root == 0 {
			t.root = c.root(Label{PID: t.info.PID, TID: t.info.TID, Process: t.process.Comm, Thread: t.info.Comm})
		}
		f.path = t.root
	}
	if !f.hidden {
		if c.stacks && len(c.nodes) < c.room {
			if stack := t.stack(); stack != 0 && stack < maxDefinitions {
				f.path = c.child(f.path, fnStack+uint32(stack))
			}
		}
		c.groups.decide(t, f)
		f.path = c.child(f.path, f.group)
	}
}

func (c *callPaths) leave(t *thread, f *frame, state State) {
	if !f.hidden && state != Dropped && f.callerKnown() && !c.opts.short(t, f, state) {
		c.count(t, f, state)
	}
	c.groups.leave(f)
}

func (c *callPaths) count(t *thread, f *frame, state State) {
	if before := f.group; state == Complete {
		if c.groups.result(t, f); f.group != before {
			// The calls inside it ended before its result was known: they stay where they are.
			f.path = c.child(c.nodes[f.path].parent, f.group)
		}
	}
	n := &c.nodes[f.path]
	n.calls++
	if state != Complete {
		n.incomplete++
	}
	if state == Complete || state == Cut {
		n.totalNs += float64(f.durationNs(t))
		n.selfNs += float64(f.estimatedSelfNs(t))
	}
	if state == Complete && t.sched != nil {
		_, self := t.sched.waits()
		n.selfWaits.Add(self.within(time.Duration(f.selfNs(t))))
	}
}

func (c *callPaths) hit(t *thread, f *frame) {
	if c.opts.Min > 0 {
		return
	}
	if c.enter(t, f, t.top()); !f.hidden && f.callerKnown() {
		c.nodes[f.path].calls++
	}
	c.groups.leave(f)
}

// merge adds the paths of a part of a trace. numbers are the numbers here of its functions and
// groups, weights says how many calls each of their calls stands for. callers returns the node of a
// stack below another node.
func (c *callPaths) merge(part *callPaths, numbers []uint32, weights []float64, callers func(parent, stack uint32) uint32, sched bool) {
	here := make([]uint32, len(part.nodes))
	for l, at := range part.roots {
		here[at] = c.root(l)
	}
	for i := 1; i < len(part.nodes); i++ {
		n := &part.nodes[i]
		if n.fn == fnRoot {
			continue
		}
		fn, weight := n.fn, 1.0
		switch {
		case int(fn) < len(numbers):
			fn, weight = numbers[fn], weights[fn]
		case fn >= fnStack && fn < fnStack+maxDefinitions:
			here[i] = callers(here[n.parent], fn-fnStack)
			continue
		}
		here[i] = c.child(here[n.parent], fn)
		if !sched {
			n.selfWaits = Waits{Unknown: time.Duration(n.selfNs)}
		}
		to := &c.nodes[here[i]]
		to.calls += weight * n.calls
		to.incomplete += weight * n.incomplete
		to.totalNs += weight * n.totalNs
		to.selfNs += weight * n.selfNs
		to.selfWaits.Add(n.selfWaits.scaled(weight))
	}
	c.crowded = c.crowded || part.crowded
}

// callers returns the node of a call's caller, below parent. It adds the functions on a stack, from
// the function of parent inwards. If that function is not on the stack, only the direct caller is
// certain to be inside it. number numbers functions with the value of the call around them.
func (c *callPaths) callers(parent, stack uint32, stacks []format.Stack, number func(format.FuncID) uint32) uint32 {
	around := c.nodes[parent].fn
	var inner []uint32
	found := around == fnRoot
	for stack != 0 && int(stack) <= len(stacks) && len(inner) < format.MaxStack {
		s := &stacks[stack-1]
		fn := number(s.Func)
		if fn == around {
			found = true
			break
		}
		if s.Addr == 0 && len(inner) == 0 && !found { // unknown code jumped to it
			return parent
		}
		inner = append(inner, fn)
		stack = uint32(s.Outer)
	}
	if !found {
		inner = inner[:min(len(inner), 1)]
	}
	for _, fn := range slices.Backward(inner) {
		parent = c.child(parent, fn)
	}
	return parent
}

// build makes the tree for users. Its order depends on nothing but the figures.
func (c *callPaths) build(fns []Function, groups []rowKey, values []Value) []ThreadTree {
	nodes := make([]Node, len(c.nodes))
	truncated, leftOut := &Function{Name: truncatedName}, &Function{Name: leftOutName}
	for i := len(c.nodes) - 1; i > 0; i-- { // children before their parents
		from, n := &c.nodes[i], &nodes[i]
		n.Calls, n.Incomplete = whole(from.calls), whole(from.incomplete)
		n.Total, n.Self, n.SelfWaits = nanoseconds(from.totalNs), nanoseconds(max(0, from.selfNs)), from.selfWaits
		slices.SortFunc(n.Children, compareNodes)
		if from.calls == 0 && len(n.Children) == 0 { // all were too short
			continue
		}
		switch from.fn {
		case fnRoot:
			continue
		case fnTruncated, fnLeftOut:
			n.Function = truncated
			if from.fn == fnLeftOut {
				n.Function = leftOut
			}
			n.Total = childrenTotal(n)
		default:
			g := groups[from.fn]
			n.Function, n.Value = &fns[g.fn], values[g.value]
			if from.calls == 0 {
				n.Total = childrenTotal(n)
			}
		}
		nodes[from.parent].Children = append(nodes[from.parent].Children, n)
	}
	var list []ThreadTree
	for l, at := range c.roots {
		if len(nodes[at].Children) > 0 {
			list = append(list, ThreadTree{l, nodes[at].Children})
		}
	}
	slices.SortFunc(list, func(a, b ThreadTree) int {
		return cmp.Or(cmp.Compare(a.Label.PID, b.Label.PID), cmp.Compare(a.Label.TID, b.Label.TID),
			cmp.Compare(a.Label.Process, b.Label.Process), cmp.Compare(a.Label.Thread, b.Label.Thread))
	})
	return list
}

func childrenTotal(n *Node) (sum time.Duration) {
	for _, child := range n.Children {
		sum += child.Total
	}
	return sum
}

func compareNodes(a, b *Node) int {
	return cmp.Or(cmp.Compare(b.Total, a.Total), a.Function.Compare(b.Function), a.Value.Compare(&b.Value))
}
