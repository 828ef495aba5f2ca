package why

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"utrace/analyze"
	"utrace/analyze/why/internal/contrast"
)

// Limits of the paths of an Explanation.
const (
	minPathShare = 0.02
	minStep      = 0.7 // part of a place's share that one callee has, if the callee is the place
	maxWakers    = 3   // of a path
	maxPaths     = 200
)

// PathShare is a path of calls from the explained function down, with its part of the difference.
type PathShare struct {
	Path []*analyze.Function
	// Scattered, of Explanation.Where: the last function of Path was called on several paths, which
	// count together.
	Scattered bool
	Share     Share // of the path's self time or, of Explanation.Where, with all that was called there
	// CPU, Runnable, Blocked and Unknown are the states of the thread in Share.
	CPU, Runnable, Blocked, Unknown float64
	// MoreCalls is the part of Share that comes from more calls, LongerCalls from longer ones.
	MoreCalls, LongerCalls float64
	// SlowCalls and TypicalCalls are the calls on the path for each slow or typical call.
	SlowCalls, TypicalCalls float64
	SlowTime, TypicalTime   time.Duration // on the path, for each slow or typical call
	Wakers                  []WakerShare  // who ended what is in Blocked, largest part first
}

// WakerShare is the part of the difference in which a thread was blocked until somebody woke it.
type WakerShare struct {
	Waker analyze.Waker
	Name  string // of the thread that woke it and its ID; "" if it is not in the trace
	Part  float64
}

// String says who it is: "writer 4711", "thread 4711", "a timer or device" or "the idle loop".
func (w *WakerShare) String() string {
	switch {
	case w.Waker.Interrupt:
		return "an interrupt"
	case w.Name != "":
		return w.Name
	}
	return fmt.Sprintf("thread %d", w.Waker.TID)
}

// perCall is the figures of a path for each call of a class.
type perCall struct{ calls, time, runnable, blocked, unknown float64 }

func (e *explainer) perCall(s *analyze.PathSum, of analyze.Class) perCall {
	n := float64(max(1, e.Sums.Calls[of]))
	return perCall{
		float64(s.Calls) / n, float64(s.Self) / n, float64(s.Waits.Runnable) / n, float64(s.Waits.Blocked) / n, float64(s.Waits.Unknown) / n,
	}
}

// setPaths completes Where and Paths.
func (e *explainer) setPaths() {
	x := e.x
	x.SlowCompared, x.TypicalCompared = e.Sums.Calls[analyze.SlowClass], e.Sums.Calls[analyze.TypicalClass]
	if x.SlowCompared == 0 || x.TypicalCompared == 0 {
		return
	}
	difference := float64(e.Sums.Total[analyze.SlowClass])/float64(x.SlowCompared) - float64(e.Sums.Total[analyze.TypicalClass])/float64(x.TypicalCompared)
	if difference <= 0 {
		return
	}
	inside := make([][analyze.Classes]analyze.PathSum, len(e.Sums.Nodes)) // with callees
	for i := len(inside) - 1; i >= 0; i-- {
		n := &e.Sums.Nodes[i]
		for of := range n.Of {
			inside[i][of].Add(&n.Of[of])
			inside[i][of].Calls = n.Of[of].Calls
			if i > 0 {
				callees := inside[i][of]
				callees.Calls = 0
				inside[n.Parent][of].Add(&callees)
			}
		}
	}
	var own []PathShare
	var nodes []uint32
	wakers := e.wakers(difference, func(node uint32) (uint32, bool) { return node, true })
	shares := make([]float64, len(inside))
	for i := range inside {
		shares[i] = e.pathShare(&inside[i], difference).Share.Part
		p := e.pathShare(&e.Sums.Nodes[i].Of, difference)
		if p.Share.Part >= minPathShare && len(own) < maxPaths {
			p.Path, p.Wakers = e.path(uint32(i)), wakers[uint32(i)]
			own, nodes = append(own, p), append(nodes, uint32(i))
		}
	}
	places := map[uint32]uint32{}
	for i, at := range nodes {
		places[at] = uint32(i)
	}
	e.setIntervals(own, places, false)
	x.Paths = slices.DeleteFunc(own, func(p PathShare) bool { return p.Share.Low <= 0 && !x.Change })
	slices.SortStableFunc(x.Paths, func(a, b PathShare) int {
		return cmp.Or(cmp.Compare(b.Share.Part, a.Share.Part), comparePaths(a.Path, b.Path))
	})
	x.Where = e.where(inside, shares, difference)
}

// where describes the place of most of the difference: a path or, if that has several with much of
// it, a function that is called on many.
func (e *explainer) where(inside [][analyze.Classes]analyze.PathSum, shares []float64, difference float64) *PathShare {
	at := e.place(shares, func(at uint32) float64 { return e.pathShare(&inside[at], difference).MoreCalls })
	nodes, scattered := []uint32{at}, false
	if list := e.scattered(at, shares); list != nil {
		nodes, scattered = list, true
	}
	var sum [analyze.Classes]analyze.PathSum
	places := map[uint32]uint32{}
	for _, n := range nodes {
		places[n] = 0
		for of := range sum {
			sum[of].Add(&inside[n][of])
		}
	}
	where := []PathShare{e.pathShare(&sum, difference)}
	w := &where[0]
	if w.Path, w.Scattered = e.path(nodes[0]), scattered; scattered {
		w.Path = []*analyze.Function{w.Path[0], w.Path[len(w.Path)-1]}
	}
	w.Wakers = e.wakers(difference, func(node uint32) (uint32, bool) {
		for {
			if _, ok := places[node]; ok || node == 0 {
				return 0, ok
			}
			node = e.Sums.Nodes[node].Parent
		}
	})[0]
	e.setIntervals(where, places, true)
	return w
}

// scattered returns the nodes of the function that has most of what at has, if it is called on
// several paths below at; nil if there is none. Of nested calls it returns the outermost.
func (e *explainer) scattered(at uint32, shares []float64) (best []uint32) {
	nodes, sums := map[uint32][]uint32{}, map[uint32]float64{}
	for i := range e.Sums.Nodes {
		n := uint32(i)
		if fn := e.Sums.Nodes[n].Func; n != 0 && e.outermost(n, at) {
			nodes[fn] = append(nodes[fn], n)
			sums[fn] += shares[n]
		}
	}
	most := minStep * shares[at]
	for fn := range uint32(len(e.Functions)) {
		if len(nodes[fn]) > 1 && sums[fn] > most {
			best, most = nodes[fn], sums[fn]
		}
	}
	return best
}

// outermost reports whether a node is below at, and none between them is of its function.
func (e *explainer) outermost(node, at uint32) bool {
	fn := e.Sums.Nodes[node].Func
	for node != 0 {
		if node = e.Sums.Nodes[node].Parent; node == at {
			return true
		}
		if e.Sums.Nodes[node].Func == fn {
			return false
		}
	}
	return false
}

// pathShare is the part of a path in the difference. The effects of more and of longer calls are
// those of a product of two factors, with the means of both sides as weights.
func (e *explainer) pathShare(of *[analyze.Classes]analyze.PathSum, difference float64) PathShare {
	s, t := e.perCall(&of[analyze.SlowClass], analyze.SlowClass), e.perCall(&of[analyze.TypicalClass], analyze.TypicalClass)
	p := PathShare{
		Share: Share{Part: (s.time - t.time) / difference}, SlowCalls: s.calls, TypicalCalls: t.calls,
		SlowTime: nanoseconds(s.time), TypicalTime: nanoseconds(t.time),
		Runnable: (s.runnable - t.runnable) / difference, Blocked: (s.blocked - t.blocked) / difference,
		Unknown: (s.unknown - t.unknown) / difference,
	}
	p.CPU = p.Share.Part - p.Runnable - p.Blocked - p.Unknown
	switch {
	case s.calls == 0 || t.calls == 0:
		p.MoreCalls = p.Share.Part
	default:
		p.MoreCalls = (s.calls - t.calls) * (s.time/s.calls + t.time/t.calls) / 2 / difference
		p.LongerCalls = p.Share.Part - p.MoreCalls
	}
	return p
}

// place is the innermost path that has most of the difference: from the function down, as long as
// one callee has most of what its caller has. It ends at a path with more calls, as these explain
// the calls inside. moreCalls returns the part of a path's share that comes from them.
func (e *explainer) place(shares []float64, moreCalls func(at uint32) float64) (at uint32) {
	for at == 0 || moreCalls(at) < shares[at]/2 {
		next := at
		for i := int(at) + 1; i < len(shares); i++ {
			if e.Sums.Nodes[i].Parent == at && shares[i] >= minStep*shares[at] && (next == at || shares[i] > shares[next]) {
				next = uint32(i)
			}
		}
		if next == at {
			break
		}
		at = next
	}
	return at
}

// path is the functions of a node, the explained one first.
func (e *explainer) path(at uint32) (list []*analyze.Function) {
	for ; at != 0; at = e.Sums.Nodes[at].Parent {
		list = append(list, &e.Functions[e.Sums.Nodes[at].Func])
	}
	list = append(list, &e.Function)
	slices.Reverse(list)
	return list
}

func comparePaths(a, b []*analyze.Function) int {
	return slices.CompareFunc(a, b, func(a, b *analyze.Function) int { return a.Compare(b) })
}

// setIntervals sets the intervals of shares, by places of nodes. With inside, a node's time has that
// of its callees.
func (e *explainer) setIntervals(paths []PathShare, places map[uint32]uint32, inside bool) {
	shares := make([]float64, len(paths))
	for i := range paths {
		shares[i] = paths[i].Share.Part
	}
	parts := func(calls []analyze.SampledCall) (known []analyze.SampledCall, list [][]contrast.Part) {
		for i := range calls {
			if !calls[i].CalleesKnown {
				continue
			}
			var of []contrast.Part
			for _, p := range calls[i].Parts {
				for at := p.Node; ; at = e.Sums.Nodes[at].Parent {
					if n, ok := places[at]; ok {
						of = append(of, contrast.Part{Place: n, Ns: float64(p.Self)})
					}
					if at == 0 || !inside {
						break
					}
				}
			}
			known, list = append(known, calls[i]), append(list, of)
		}
		return known, list
	}
	slow, slowParts := parts(e.Samples[analyze.SlowClass])
	typical, typicalParts := parts(e.Samples[analyze.TypicalClass])
	for i, s := range contrastOf(slow, typical, 1).Places(shares, slowParts, typicalParts) {
		paths[i].Share = Share{s.Part, s.Low, s.High}
	}
}

// wakers returns the wakers by the place of the node, if it has one. Interrupts of all threads are
// one.
func (e *explainer) wakers(difference float64, place func(node uint32) (uint32, bool)) map[uint32][]WakerShare {
	type key struct {
		node uint32
		by   analyze.Waker
		name string
	}
	sums := map[key]*[analyze.Classes]time.Duration{}
	for k, d := range e.Sums.Wakings {
		at, ok := place(k.Node)
		if !k.By.Known || !ok {
			continue
		}
		by := key{at, k.By, e.Traces[k.File].Threads[k.By.TID]}
		if k.By.Interrupt {
			by = key{by.node, analyze.Waker{Known: true, Interrupt: true}, ""}
		}
		if sums[by] == nil {
			sums[by] = new([analyze.Classes]time.Duration)
		}
		for of := range d {
			sums[by][of] += d[of]
		}
	}
	list := map[uint32][]WakerShare{}
	for k, d := range sums {
		more := float64(d[analyze.SlowClass])/float64(e.Sums.Calls[analyze.SlowClass]) - float64(d[analyze.TypicalClass])/float64(e.Sums.Calls[analyze.TypicalClass])
		if part := more / difference; part >= minPathShare {
			list[k.node] = append(list[k.node], WakerShare{k.by, k.name, part})
		}
	}
	for at := range list {
		slices.SortFunc(list[at], func(a, b WakerShare) int {
			return cmp.Or(cmp.Compare(b.Part, a.Part), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Waker.TID, b.Waker.TID))
		})
		list[at] = list[at][:min(maxWakers, len(list[at]))]
	}
	return list
}
