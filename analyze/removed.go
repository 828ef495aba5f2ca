package analyze

import (
	"cmp"
	"slices"
	"time"

	"utrace/format"
)

// Removed is a function whose probes were removed while a trace was recorded, since they cost a
// process too much. Nothing of it was recorded after At.
type Removed struct {
	Name     string        // of a static probe (USDT): PROVIDER:NAME
	Module   string        // path
	At       time.Duration // since the start of its trace
	Hits     uint64        // of its probes up to then, in all processes
	PID      int           // the process that they cost too much
	Overhead float64       // percent of the CPU time of that process
	Reason   string
}

// removals finds out whether and when the probes of a function were removed.
type removals struct {
	funcs  map[format.FuncID]*format.Removed
	probes map[usdtProbe]*format.Removed // by the probe that sees the functions of an interpreter
	seen   int                           // definitions added
}

type usdtProbe struct {
	module format.ModuleID
	name   string
}

func newRemovals() *removals {
	return &removals{funcs: map[format.FuncID]*format.Removed{}, probes: map[usdtProbe]*format.Removed{}}
}

// add adds all removals of a trace. It skips known ones.
func (r *removals) add(list []format.Removed, funcs []format.Func) {
	for i := r.seen; i < len(list); i++ {
		removed := &list[i]
		r.funcs[removed.Func] = removed // of two, the later one
		if int(removed.Func) < len(funcs) && funcs[removed.Func].USDT != "" {
			f := &funcs[removed.Func]
			r.probes[usdtProbe{f.Module, f.USDT}] = removed
		}
	}
	r.seen = len(list)
}

// of returns when and why the probes of a function were removed, nil if they were not.
func (r *removals) of(id format.FuncID, f *format.Func) *format.Removed {
	if removed := r.funcs[id]; removed != nil {
		return removed
	}
	if f.USDT != "" && f.Addr == 0 { // a function that is named by the probe's arguments
		return r.probes[usdtProbe{f.Module, f.USDT}]
	}
	return nil
}

// listRemoved returns the functions that were removed, by time.
func listRemoved(t *format.Tables) (list []Removed) {
	removals := newRemovals()
	removals.add(t.Removed, t.Funcs)
	for id, removed := range removals.funcs {
		if int(id) >= len(t.Funcs) {
			continue
		}
		f := &t.Funcs[id]
		list = append(list, Removed{
			Name: cmp.Or(f.USDT, f.Name), Module: t.Modules[f.Module].Path,
			At: time.Duration(min(removed.TimeNs, maxTimeNs)), Hits: removed.Hits,
			PID: removed.PID, Overhead: removed.OverheadPercent, Reason: removed.Reason,
		})
	}
	slices.SortFunc(list, func(a, b Removed) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Module, b.Module))
	})
	return list
}

// addRemoved adds the functions that were removed.
func (s *summary) addRemoved(path string, t *format.Tables) {
	list := listRemoved(t)
	s.trace.Removed = append(s.trace.Removed, list...)
	for i, removed := range list {
		if i >= maxWarned {
			s.warn(path, "%d more functions were removed while recording", len(list)-i)
			break
		}
		s.warn(path, "%s was removed %s after the start, after %s: %s. Later calls were not recorded",
			removed.Name, FormatDuration(removed.At), Plural(removed.Hits, "hit", "hits"), removed.Reason)
	}
}
