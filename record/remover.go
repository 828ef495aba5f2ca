//go:build linux

package record

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/clock"
	"utrace/record/internal/proc"
	"utrace/record/plan"
)

// remover removes functions whose probes cost a process too much, while the recording goes on. Its
// limiter decides which.
type remover struct {
	limiter *limiter
	objs    *bpf.Objects
	probes  *attachedProbes
	catalog *catalog
	w       *format.Writer
	startNs uint64 // CLOCK_MONOTONIC of the trace's time 0
}

// check removes what costs too much, if a check is due.
func (r *remover) check(now time.Time) error {
	l := r.limiter
	if now.Before(l.nextCheck) {
		return nil
	}
	l.interval = min(2*l.interval, maxCheck)
	defer func() { l.nextCheck = now.Add(l.interval) }()
	counts, err := r.hits()
	if err != nil {
		return err
	}

	verdicts, gone := l.judge(counts, r.planned)
	for _, pid := range gone {
		for key, h := range counts {
			if key.TGID != pid {
				continue
			}
			l.endedHits[key.Func] += h.Entries + h.Returns
			if err := r.objs.ForgetHits(key); err != nil {
				return err
			}
		}
	}
	return r.remove(verdicts)
}

// hits returns the hits of all functions. It also updates those of removed functions in the trace:
// the programs may have been counting some at the moment of the removal.
func (r *remover) hits() (map[bpf.HitsKey]bpf.Hits, error) {
	counts, err := r.objs.Hits()
	if err != nil {
		return nil, err
	}
	for _, fn := range slices.Sorted(maps.Keys(r.limiter.removed)) {
		removed := r.limiter.removed[fn]
		if hits := r.limiter.hits(counts, fn); hits != removed.Hits || !removed.written {
			removed.Hits, removed.written = hits, true
			r.w.AddRemoved(removed.Removed)
		}
	}
	return counts, nil
}

// planned returns the function that has a number in records, nil for the calibration's function.
func (r *remover) planned(fn format.FuncID) *plan.Func {
	if funcs := r.catalog.funcs; int(fn) < len(funcs) {
		return funcs[fn].planned
	}
	return nil
}

// remove removes functions. From one moment on they record nothing in any process. Then their
// breakpoints are removed, while the recording goes on.
func (r *remover) remove(verdicts []verdict) error {
	if len(verdicts) == 0 {
		return nil
	}
	var groups []format.FuncID
	for _, v := range verdicts {
		first, err := r.removeGroup(v)
		if err != nil {
			return err
		}
		groups = append(groups, first)
	}
	if _, err := r.hits(); err != nil {
		return err
	}
	r.probes.remove(groups)
	return nil
}

// removeGroup turns off a function and the others that share its links. It returns the first of
// them.
func (r *remover) removeGroup(v verdict) (first format.FuncID, err error) {
	percent := 100 * float64(v.spent) / float64(v.used)
	removed := format.Removed{
		PID: int(v.pid), OverheadPercent: math.Round(10*percent) / 10,
		Reason: fmt.Sprintf("its probes used %.1f%% of %.0f ms of CPU time in process %d (%s), above the limit of %.4g%% for all probes",
			percent, v.used.Seconds()*1e3, v.pid, proc.Comm(int(v.pid)), 100*r.limiter.max),
	}
	first, next := r.catalog.group(v.fn)
	for fn := first; fn < next; fn++ {
		if _, done := r.limiter.removed[fn]; done {
			continue
		}
		if err := r.objs.RemoveFunc(fn); err != nil {
			return first, err
		}
		its := removed
		its.Func, its.TimeNs = r.catalog.funcs[fn].id, clock.SinceStart(clock.MonotonicNs(), r.startNs)
		if fn != v.fn {
			its.OverheadPercent = 0
			its.Reason = fmt.Sprintf("the limit of open files (ulimit -n) makes it share a link with %s, which was removed", r.planned(v.fn).Name)
		}
		r.limiter.removed[fn] = &removedFunc{Removed: its}
	}
	return first, nil
}

// list brings the trace up to date at the end, and returns the removed functions, most hits first.
func (r *remover) list() ([]Removed, error) {
	if _, err := r.hits(); err != nil {
		return nil, err
	}
	var list []Removed
	for fn, removed := range r.limiter.removed {
		f := r.planned(fn)
		list = append(list, Removed{Name: cmp.Or(f.USDT, f.Name), Removed: removed.Removed})
	}
	slices.SortFunc(list, func(a, b Removed) int {
		return cmp.Or(cmp.Compare(b.Hits, a.Hits), cmp.Compare(a.Func, b.Func))
	})
	return list, nil
}
