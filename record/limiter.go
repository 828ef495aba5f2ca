//go:build linux

package record

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/proc"
	"utrace/record/plan"
)

// Intervals at which hits are compared with the limit. Each is twice as long as the one before, up
// to maxCheck. They start over when a new process appears, so that a hot probe does not run for
// long.
const (
	minCheck = 50 * time.Millisecond
	maxCheck = time.Second
)

// minCPU is the CPU time that a process must have used before it is judged. With less, a few hits
// would decide.
const minCPU = 10 * time.Millisecond

// limiter decides which functions are removed. If all hits in a process together cost more than the
// limit, it removes the most expensive function, and so on until the rest fits.
//
// The cost of a raised semaphore is not included, because it causes no hits.
type limiter struct {
	max   float64 // share of the CPU time of a process, 1 is all of it
	costs Costs
	cpu   func(pid uint32) (time.Duration, bool) // CPU time that a process has used; false: it has ended

	windows    map[uint32]*window // by PID
	initialCPU map[uint32]time.Duration
	endedHits  map[format.FuncID]uint64 // hits in processes that have ended
	removed    map[format.FuncID]*removedFunc
	nextCheck  time.Time
	interval   time.Duration
}

// removedFunc is a function that was removed.
type removedFunc struct {
	format.Removed
	written bool // to the trace
}

// window is the CPU time and the hits of a process when it was last judged.
type window struct {
	cpu  time.Duration
	hits map[format.FuncID]bpf.Hits
}

// verdict is a function to remove, and why.
type verdict struct {
	fn    format.FuncID
	pid   uint32
	spent time.Duration // on its hits
	used  time.Duration // CPU time of the process, including all that its probes cost
}

// newLimiter returns a limiter. maxOverhead is a share of the CPU time of each process.
func newLimiter(maxOverhead float64, costs Costs) *limiter {
	return &limiter{
		max: maxOverhead, costs: costs, cpu: proc.CPUTime, windows: map[uint32]*window{}, initialCPU: map[uint32]time.Duration{},
		endedHits: map[format.FuncID]uint64{}, removed: map[format.FuncID]*removedFunc{}, interval: minCheck,
	}
}

// begin starts the first interval. Processes that already run are judged by their CPU time from now
// on.
func (l *limiter) begin() {
	l.nextCheck = time.Now().Add(minCheck)
	for _, pid := range proc.All() {
		if used, ok := proc.CPUTime(uint32(pid)); ok {
			l.initialCPU[uint32(pid)] = used
		}
	}
}

// judge examines the hits of all processes since each was last judged:
//
//  1. A process that has used too little CPU time since then waits for the next time.
//  2. The cost of its hits is summed up by function, without functions removed earlier.
//  3. While the sum is over the limit, the most expensive function is removed.
//
// gone are the processes that have ended. Processes and functions are visited in numerical order.
func (l *limiter) judge(counts map[bpf.HitsKey]bpf.Hits, fn func(format.FuncID) *plan.Func) (verdicts []verdict, gone []uint32) {
	byPID := map[uint32]map[format.FuncID]bpf.Hits{}
	for key, h := range counts {
		if byPID[key.TGID] == nil {
			byPID[key.TGID] = map[format.FuncID]bpf.Hits{}
		}
		byPID[key.TGID][key.Func] = h
	}
	chosen := map[format.FuncID]bool{}
	for _, pid := range slices.Sorted(maps.Keys(byPID)) {
		hits := byPID[pid]
		now, running := l.cpu(pid)
		if !running {
			gone = append(gone, pid)
			delete(l.windows, pid)
			continue
		}
		w := l.windows[pid]
		if w == nil {
			l.interval = minCheck
			w = &window{}
			if before := l.initialCPU[pid]; before <= now { // otherwise another process had this ID
				w.cpu = before
			}
			l.windows[pid] = w
		}
		if now < w.cpu { // another process has got its ID, and continues its hits
			w.cpu = 0
		}
		used := now - w.cpu
		if used < minCPU {
			continue
		}
		var list []verdict
		sum := time.Duration(0)
		for id, h := range hits {
			f := fn(id)
			if _, removed := l.removed[id]; removed || chosen[id] || f == nil {
				continue
			}
			entry, ret := l.costs.Hits(f)
			spent := time.Duration(h.Entries-w.hits[id].Entries)*entry + time.Duration(h.Returns-w.hits[id].Returns)*ret
			list = append(list, verdict{fn: id, pid: pid, spent: spent, used: used})
			sum += spent
		}
		slices.SortFunc(list, func(a, b verdict) int { return cmp.Or(cmp.Compare(b.spent, a.spent), cmp.Compare(a.fn, b.fn)) })
		for _, v := range list {
			if float64(sum) <= l.max*float64(used) {
				break
			}
			chosen[v.fn] = true
			verdicts = append(verdicts, v)
			sum -= v.spent
		}
		l.windows[pid] = &window{cpu: now, hits: hits}
	}
	return verdicts, gone
}

// hits returns how often a function was hit in all processes.
func (l *limiter) hits(counts map[bpf.HitsKey]bpf.Hits, fn format.FuncID) uint64 {
	sum := l.endedHits[fn]
	for key, h := range counts {
		if key.Func == fn {
			sum += h.Entries + h.Returns
		}
	}
	return sum
}
