package analyze

import "utrace/format"

// Limits of AwaitsProbes. A wait takes a switch to another thread and back, so it is not shorter
// than minAwaitNs.
const (
	minAwaitNs      = 10_000
	minExposedShare = 0.05
)

// exposureRows is about how many rows of a run are looked at to know what its hits cost.
const exposureRows = 64

// exposure knows how much of the time of each thread the other threads spent in probes, whether it
// waited for them or not. It sees the batches before they are divided by thread. It is exact to the
// time of a batch: within that, hits count as evenly spread.
type exposure struct {
	costs    costs
	totalNs  int64   // cost of the hits of all threads so far
	endNs    int64   // of the latest batch
	passedNs []int64 // by thread: totalNs without the hits of others since its last row
	own      []int64 // by run of the batch: cost of its hits
}

// others is the cost of hits of other threads, for a run.
type others struct {
	share    float64 // of the time since beginNs, at most 1
	beginNs  int64   // of the batch
	beforeNs int64   // from the last row of the thread up to beginNs
}

// batch sets the others of all runs of a batch. nowNs is the time of its last row, clocks are by
// thread.
func (e *exposure) batch(b *batch, d *definitions, clocks []int64, nowNs int64) {
	e.costs.define(d.funcs)
	e.costs.calibrate(d.costs)
	e.passedNs = append(e.passedNs, make([]int64, len(clocks)-len(e.passedNs))...)
	e.own = e.own[:0]
	all := int64(0)
	for i := range b.runs {
		ns := e.cost(b, &b.runs[i])
		e.own = append(e.own, ns)
		all += ns
	}
	span := float64(max(1, nowNs-e.endNs))
	for i := range b.runs {
		r := &b.runs[i]
		share := min(1, float64(all-e.own[i])/span)
		r.others = others{share, e.endNs, e.totalNs - e.passedNs[r.thread]}
		e.passedNs[r.thread] = e.totalNs + all - int64(share*float64(nowNs-clocks[r.thread]))
	}
	e.totalNs, e.endNs = min(e.totalNs+all, maxTimeNs), nowNs
}

// cost is what the hits of a run cost, by a sample of its rows.
func (e *exposure) cost(b *batch, r *run) int64 {
	if !r.active {
		return 0
	}
	step := (r.to-r.from)/exposureRows | 1 // odd, since entries and returns often alternate
	sum := int64(0)
	for row := r.from; row < r.to; row += step {
		sum += e.costs.row(format.Kind(b.Kind[row]), format.FuncID(b.Func[row]))
	}
	return sum * int64(step)
}

// expose adds the others' cost during the time before the current row, if the thread may have
// waited in that.
func (t *thread) expose(ns int64) {
	if ns < minAwaitNs {
		return
	}
	o := &t.others
	cost := int64(o.share * float64(max(0, min(ns, t.nowNs-o.beginNs))))
	if t.nowNs-ns < o.beginNs {
		cost += o.beforeNs
		o.beforeNs = 0
	}
	t.exposedNs += min(cost, ns)
}

// awaitsProbes reports whether figures of a function may contain a relevant time of other threads'
// probes.
func (s *Stats) awaitsProbes() bool {
	return s.Exposed > 0 && float64(s.Exposed) >= minExposedShare*float64(s.Durations.Sum())
}

// AwaitingProbes returns how many functions are AwaitsProbes.
func (r *Result) AwaitingProbes() (n int) {
	for i := range r.Rows {
		if r.Rows[i].AwaitsProbes {
			n++
		}
	}
	return n
}
