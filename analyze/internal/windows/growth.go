package windows

import (
	"cmp"
	"slices"

	"utrace/format"
)

// growth is how much work the processes of a module had done at some times, in order of time: their
// processor time in ns, or their IO calls.
type growth []grown

type grown struct {
	ns   int64
	work float64
}

// growths returns the growth of each module with a survey, up to the end of the recording.
func growths(t *format.Tables, durationNs int64) map[format.ModuleID]growth {
	grew := map[format.ModuleID]growth{}
	last := Surveys(t)
	for _, s := range t.Surveys {
		work := s.CPUNs
		if last[s.Module].ByIO {
			work = s.IOCalls
		}
		grew[s.Module] = append(grew[s.Module], grown{int64(min(s.TimeNs, maxTimeNs)), float64(work)})
	}
	for module, list := range grew {
		last := list[len(list)-1].work
		list = slices.DeleteFunc(list, func(g grown) bool { return g.ns <= 0 || g.ns >= durationNs || g.work > last })
		slices.SortStableFunc(list, func(a, b grown) int { return cmp.Compare(a.ns, b.ns) })
		grew[module] = append(list, grown{durationNs, last})
	}
	return grew
}

// at returns the work done up to a time: in proportion between two known times.
func (g growth) at(ns int64) float64 {
	i, _ := slices.BinarySearchFunc(g, ns, func(k grown, ns int64) int { return cmp.Compare(k.ns, ns) })
	if i == len(g) {
		return g[i-1].work
	}
	var before grown
	if i > 0 {
		before = g[i-1]
	}
	if g[i].ns <= before.ns {
		return g[i].work
	}
	return before.work + (g[i].work-before.work)*float64(max(0, ns-before.ns))/float64(g[i].ns-before.ns)
}
