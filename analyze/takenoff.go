package analyze

import (
	"cmp"
	"slices"
	"time"

	"utrace/format"
)

// TakenOff is a function that was taken off while a trace was recorded, since it cost a process too much.
// Nothing of it was recorded after At.
type TakenOff struct {
	Name     string        // of a static probe PROVIDER:NAME
	Module   string        // path
	At       time.Duration // since the start of its trace
	Hits     uint64        // passes over its probes up to then, in all processes
	PID      int           // of the process that it cost too much
	Overhead float64       // percent of the CPU time of that process
	Reason   string
}

// takenOff finds for the functions of a trace whether they were taken off.
type takenOff struct {
	funcs  map[format.FuncID]*format.TakenOff
	probes map[staticProbe]*format.TakenOff // that functions of interpreters are seen by
	seen   int                              // definitions
}

type staticProbe struct {
	module format.ModuleID
	name   string
}

func newTakenOff() *takenOff {
	return &takenOff{funcs: map[format.FuncID]*format.TakenOff{}, probes: map[staticProbe]*format.TakenOff{}}
}

// add takes note of functions that were taken off, those that are already known included.
func (t *takenOff) add(list []format.TakenOff, funcs []format.Func) {
	for i := t.seen; i < len(list); i++ {
		off := &list[i]
		t.funcs[off.Func] = off // of two the later one
		if int(off.Func) < len(funcs) && funcs[off.Func].Static != "" {
			f := &funcs[off.Func]
			t.probes[staticProbe{f.Module, f.Static}] = off
		}
	}
	t.seen = len(list)
}

// of returns when and why a function was taken off, nil if it was not.
func (t *takenOff) of(id format.FuncID, f *format.Func) *format.TakenOff {
	if off := t.funcs[id]; off != nil {
		return off
	}
	if f.Static != "" && f.Addr == 0 { // named by the arguments of the probe
		return t.probes[staticProbe{f.Module, f.Static}]
	}
	return nil
}

// addTakenOff says which functions were taken off, in order of time.
func (s *summary) addTakenOff(path string, t *format.Tables) {
	offs := newTakenOff()
	offs.add(t.TakenOff, t.Funcs)
	var list []TakenOff
	for id, off := range offs.funcs {
		if int(id) >= len(t.Funcs) {
			continue
		}
		f := &t.Funcs[id]
		list = append(list, TakenOff{
			Name: cmp.Or(f.Static, f.Name), Module: t.Modules[f.Module].Path, At: time.Duration(min(off.TimeNs, maxTimeNs)), Hits: off.Hits,
			PID: off.PID, Overhead: off.OverheadPercent, Reason: off.Reason,
		})
	}
	slices.SortFunc(list, func(a, b TakenOff) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Module, b.Module))
	})
	s.trace.TakenOff = append(s.trace.TakenOff, list...)
	for i, off := range list {
		if i >= mostWarned {
			s.warn(path, "%d more functions were taken off while recording", len(list)-i)
			break
		}
		s.warn(path, "%s was taken off %s after the start, after %s: %s. What it did later was not recorded",
			off.Name, FormatDuration(off.At), Plural(off.Hits, "hit", "hits"), off.Reason)
	}
}
