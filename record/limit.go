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

// Intervals at which hits are held against the limit: from the first to the second, each twice as long
// as the one before, and from the first again when a process appears. A hot probe must not run for long.
const (
	minCheck = 50 * time.Millisecond
	maxCheck = time.Second
)

// leastCPU is the CPU time that a process must have used to be judged. Below it, a few hits would decide.
const leastCPU = 10 * time.Millisecond

// limiter decides which functions are taken off: in a process in which all hits together cost more
// than the limit, the function that costs most, and so on until the rest fits.
//
// What a process pays for a semaphore that is raised (see staticPlan.raised) is not counted: that
// makes no hits.
type limiter struct {
	max   float64 // of the CPU time of a process, 1 is all
	costs Costs
	cpu   func(pid uint32) (time.Duration, bool) // that a process has used; false: it has ended

	windows  map[uint32]*window // by PID
	before   map[uint32]time.Duration
	past     map[format.FuncID]uint64 // hits in processes that have ended
	off      map[format.FuncID]*offFunc
	due      time.Time
	interval time.Duration
}

// offFunc is a function that was taken off.
type offFunc struct {
	format.TakenOff
	told bool // in the trace
}

// window is what a process had used, and had hit, when it was last judged.
type window struct {
	cpu  time.Duration
	hits map[format.FuncID]bpf.Hits
}

// verdict is a function that is to be taken off, and why.
type verdict struct {
	fn    format.FuncID
	pid   uint32
	spent time.Duration // by its hits
	used  time.Duration // CPU time of the process, with all that its probes cost
}

// newLimiter starts to watch. Processes that run already are judged by what they use from now on.
func newLimiter(maxOverhead float64, costs Costs) *limiter {
	l := &limiter{
		max: maxOverhead, costs: costs, cpu: proc.CPUTime, windows: map[uint32]*window{}, before: map[uint32]time.Duration{},
		past: map[format.FuncID]uint64{}, off: map[format.FuncID]*offFunc{}, due: time.Now().Add(minCheck), interval: minCheck,
	}
	for _, pid := range proc.All() {
		if used, ok := proc.CPUTime(uint32(pid)); ok {
			l.before[uint32(pid)] = used
		}
	}
	return l
}

// judge looks at the hits of all processes since each was last judged:
//
//  1. A process that has used too little since then waits for the next time.
//  2. What its hits have cost is summed up by function, those taken off before left out.
//  3. While the sum is over the limit, the function that costs most is taken off.
//
// gone are the processes that have ended. Processes and functions are looked at in the order of their numbers.
func (l *limiter) judge(counts map[bpf.HitsKey]bpf.Hits, fn func(format.FuncID) *plan.Func) (verdicts []verdict, gone []uint32) {
	byPID := map[uint32]map[format.FuncID]bpf.Hits{}
	for key, h := range counts {
		if byPID[key.TGID] == nil {
			byPID[key.TGID] = map[format.FuncID]bpf.Hits{}
		}
		byPID[key.TGID][key.Func] = h
	}
	condemned := map[format.FuncID]bool{}
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
			if before := l.before[pid]; before <= now { // else another process had this ID
				w.cpu = before
			}
			l.windows[pid] = w
		}
		if now < w.cpu { // another process has got its ID, and goes on with its hits
			w.cpu = 0
		}
		used := now - w.cpu
		if used < leastCPU {
			continue
		}
		var list []verdict
		sum := time.Duration(0)
		for id, h := range hits {
			f := fn(id)
			if _, off := l.off[id]; off || condemned[id] || f == nil {
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
			condemned[v.fn] = true
			verdicts = append(verdicts, v)
			sum -= v.spent
		}
		l.windows[pid] = &window{cpu: now, hits: hits}
	}
	return verdicts, gone
}

// hits returns how often a function was hit, in all processes.
func (l *limiter) hits(counts map[bpf.HitsKey]bpf.Hits, fn format.FuncID) uint64 {
	sum := l.past[fn]
	for key, h := range counts {
		if key.Func == fn {
			sum += h.Entries + h.Returns
		}
	}
	return sum
}
