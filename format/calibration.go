package format

import (
	"slices"
	"strings"
)

// recentCalibrations is how many calibrations make a cost, which is their median. A single one can
// be disturbed.
const recentCalibrations = 5

// Moved is a change of the cost of hits while recording.
type Moved struct {
	Entry, Return string // class of the sites
	FromNs, ToNs  int64  // cost of a call, or hit: at first, and when it was farthest from that
}

// Factor is the factor of the change, up or down: at least 1.
func (m *Moved) Factor() float64 {
	return float64(max(m.FromNs, m.ToNs, 1)) / float64(max(min(m.FromNs, m.ToNs), 1))
}

// CostFactor returns how many times its first cost a hit costs now, in the class of sites where that
// is most. Each cost is the median of five calibrations. It is 1 with fewer than ten.
func CostFactor(list []Calibration) (factor float64) {
	if len(list) < 2*recentCalibrations {
		return 1
	}
	type class struct{ entry, ret string }
	median := func(list []Calibration) map[class]float64 {
		costs := map[class][]int64{}
		for i := range list {
			for _, s := range list[i].Sites {
				key := class{s.Entry, s.Return}
				costs[key] = append(costs[key], max(s.CallNs, s.EntryNs))
			}
		}
		medians := map[class]float64{}
		for key, list := range costs {
			slices.Sort(list)
			medians[key] = float64(list[len(list)/2])
		}
		return medians
	}
	first := median(list[:recentCalibrations])
	for key, now := range median(list[len(list)-recentCalibrations:]) {
		if before := first[key]; before > 0 {
			factor = max(factor, now/before)
		}
	}
	if factor == 0 {
		return 1
	}
	return factor
}

// NewMoved finds the class of sites with the largest change of cost. Each cost is the median of
// five calibrations in a row.
func NewMoved(list []Calibration) Moved {
	type class struct{ entry, ret string }
	first, recent := map[class]int64{}, map[class][]int64{}
	var most Moved
	for _, cal := range list {
		for i := range cal.Sites {
			s := &cal.Sites[i]
			key := class{s.Entry, s.Return}
			costs := append(recent[key], max(s.CallNs, s.EntryNs))
			recent[key] = costs[max(0, len(costs)-recentCalibrations):]
			if len(recent[key]) < recentCalibrations {
				continue
			}
			now := slices.Sorted(slices.Values(recent[key]))[recentCalibrations/2]
			from, ok := first[key]
			if !ok {
				first[key] = now
				continue
			}
			m := Moved{key.entry, key.ret, from, now}
			if m.Factor() > most.Factor() || m.Factor() == most.Factor() && strings.Compare(m.Entry+m.Return, most.Entry+most.Return) < 0 {
				most = m
			}
		}
	}
	return most
}
