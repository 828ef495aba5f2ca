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
	"utrace/record/internal/proc"
	"utrace/record/plan"
)

// remover removes functions whose probes cost a process too much, while the recording goes on. Its
// limiter decides which.
type overheadLimit struct {
	limiter *limiter
	objs    *bpf.Objects
	probes  *attachedProbes
	catalog *catalog
	w       *format.Writer
	startNs uint64 // CLOCK_MONOTONIC of the trace's time 0
}

// check removes what costs too much, if a check is due.
func (o *overheadLimit) check(now time.Time) error {
	l := o.limiter
	if now.Before(l.due) {
		return nil
	}
	l.interval = min(2*l.interval, maxCheck)
	defer func() { l.due = now.Add(l.interval) }()
	counts, err := o.hits()
	if err != nil {
		return err
	}

	verdicts, gone := l.judge(counts, o.planned)
	for _, pid := range gone {
		for key, h := range counts {
			if key.TGID != pid {
				continue
			}
			l.past[key.Func] += h.Entries + h.Returns
			if err := o.objs.ForgetHits(key); err != nil {
				return err
			}
		}
	}
	return o.remove(verdicts)
}

// hits returns the hits of all functions. It also updates those of removed functions in the trace:
// the programs may have been counting some at the moment of the removal.
func (o *overheadLimit) hits() (map[bpf.HitsKey]bpf.Hits, error) {
	counts, err := o.objs.Hits()
	if err != nil {
		return nil, err
	}
	for _, fn := range slices.Sorted(maps.Keys(o.limiter.removed)) {
		r := o.limiter.removed[fn]
		if hits := o.limiter.hits(counts, fn); hits != r.Hits || !r.written {
			r.Hits, r.written = hits, true
			o.w.AddTakenOff(r.TakenOff)
		}
	}
	return counts, nil
}

// planned returns the function that has a number in records, nil for the calibration's function.
func (o *overheadLimit) planned(fn format.FuncID) *plan.Func {
	if funcs := o.catalog.funcs; int(fn) < len(funcs) {
		return funcs[fn].planned
	}
	return nil
}

// remove removes functions. From one moment on they record nothing in any process. Then their
// breakpoints are removed, while the recording goes on.
func (o *overheadLimit) remove(verdicts []verdict) error {
	if len(verdicts) == 0 {
		return nil
	}
	var groups []format.FuncID
	for _, v := range verdicts {
		first, err := o.removeGroup(v)
		if err != nil {
			return err
		}
		groups = append(groups, first)
	}
	if _, err := o.hits(); err != nil {
		return err
	}
	o.probes.remove(groups)
	return nil
}

// removeGroup turns off a function and those that share its links. It returns the first of them.
func (o *overheadLimit) removeGroup(v verdict) (first format.FuncID, err error) {
	percent := 100 * float64(v.spent) / float64(v.used)
	removed := format.TakenOff{
		PID: int(v.pid), OverheadPercent: math.Round(10*percent) / 10,
		Reason: fmt.Sprintf("its probes used %.1f%% of %.0f ms of CPU time in process %d (%s), above the limit of %.4g%% for all probes",
			percent, v.used.Seconds()*1e3, v.pid, proc.Comm(int(v.pid)), 100*o.limiter.max),
	}
	first, next := o.catalog.group(v.fn)
	for fn := first; fn < next; fn++ {
		if _, done := o.limiter.removed[fn]; done {
			continue
		}
		if err := o.objs.RemoveFunc(fn); err != nil {
			return first, err
		}
		its := removed
		its.Func, its.TimeNs = o.catalog.funcs[fn].id, sinceStart(monotonicNs(), o.startNs)
		if fn != v.fn {
			its.OverheadPercent = 0
			its.Reason = fmt.Sprintf("the limit of open files (ulimit -n) makes it share a link with %s, which was removed", o.planned(v.fn).Name)
		}
		o.limiter.removed[fn] = &removedFunc{TakenOff: its}
	}
	return first, nil
}

// list brings the trace up to date at the end, and returns the removed functions, most hits first.
func (o *overheadLimit) list() ([]Removed, error) {
	if _, err := o.hits(); err != nil {
		return nil, err
	}
	var list []Removed
	for fn, r := range o.limiter.removed {
		f := o.planned(fn)
		list = append(list, Removed{Name: cmp.Or(f.USDT, f.Name), TakenOff: r.TakenOff})
	}
	slices.SortFunc(list, func(a, b Removed) int {
		return cmp.Or(cmp.Compare(b.Hits, a.Hits), cmp.Compare(a.Func, b.Func))
	})
	return list, nil
}
