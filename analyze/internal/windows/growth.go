package windows

import (
	"cmp"
	"slices"

	"utrace/format"
)

// growth is how much processor time the processes of a module had used at some times, in order of
// time.
type growth []grown

type grown struct {
	ns  int64
	cpu float64
}

// growths returns the growth of each module with a survey, up to the end of the recording.
func growths(t *format.Tables, durationNs int64) map[format.ModuleID]growth {
	grew := map[format.ModuleID]growth{}
	for _, s := range t.Surveys {
		grew[s.Module] = append(grew[s.Module], grown{int64(min(s.TimeNs, maxTimeNs)), float64(s.CPUNs)})
	}
	for module, list := range grew {
		last := list[len(list)-1].cpu
		list = slices.DeleteFunc(list, func(g grown) bool { return g.ns <= 0 || g.ns >= durationNs || g.cpu > last })
		slices.SortStableFunc(list, func(a, b grown) int { return cmp.Compare(a.ns, b.ns) })
		grew[module] = append(list, grown{durationNs, last})
	}
	return grew
}

// at returns the processor time used up to a time: in proportion between two known times.
func (g growth) at(ns int64) float64 {
	i, _ := slices.BinarySearchFunc(g, ns, func(k grown, ns int64) int { return cmp.Compare(k.ns, ns) })
	if i == len(g) {
		return g[i-1].cpu
	}
	var before grown
	if i > 0 {
		before = g[i-1]
	}
	if g[i].ns <= before.ns {
		return g[i].cpu
	}
	return before.cpu + (g[i].cpu-before.cpu)*float64(max(0, ns-before.ns))/float64(g[i].ns-before.ns)
}
