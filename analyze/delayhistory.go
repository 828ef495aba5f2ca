package analyze

import (
	"math"
	"slices"
	"sort"
)

// Limits of a delayHistory. Points closer than delayStepNs are merged. Once there are
// maxDelayPoints, those are left out without which the delay is the same, within a part of their
// age: delayTolerance, or more if half of the points would stay.
const (
	delayStepNs    = 1000
	maxDelayPoints = 512
	delayTolerance = 1.0 / 128
)

// delayHistory is by how much probes have delayed a thread, as a function of time: it grows with
// each hit, and with each wait for another delayed thread. In between points, it is a straight
// line. The older the time, the coarser it is.
type delayHistory []delayPoint

type delayPoint struct{ atNs, sumNs int64 }

// sum is the delay so far.
func (h delayHistory) sum() int64 {
	if len(h) == 0 {
		return 0
	}
	return h[len(h)-1].sumNs
}

// at returns the delay at a time.
func (h delayHistory) at(ns int64) int64 {
	i := sort.Search(len(h), func(i int) bool { return h[i].atNs >= ns })
	switch {
	case i == len(h):
		return h.sum()
	case i == 0 || h[i].atNs == ns:
		return h[i].sumNs
	}
	a, b := h[i-1], h[i]
	part := float64(ns-a.atNs) / float64(b.atNs-a.atNs)
	return a.sumNs + int64(part*float64(b.sumNs-a.sumNs))
}

// add adds ns to the delay, in the time up to atNs, which is not before that of the last point.
func (h *delayHistory) add(atNs, ns int64, room *int) {
	sum := h.sum()
	if n := len(*h); ns > 0 && (n == 0 || atNs-ns-(*h)[n-1].atNs > delayStepNs) {
		h.put(atNs-ns, sum, room)
	}
	h.put(atNs, sum+ns, room)
}

// put adds a point. It takes the memory for further points from room, their number. Without room it
// forgets the older half.
func (h *delayHistory) put(atNs, sum int64, room *int) {
	list := *h
	n := len(list)
	if n >= 2 && atNs-list[n-2].atNs < delayStepNs {
		list[n-1] = delayPoint{atNs, sum}
		return
	}
	switch {
	case n < cap(list):
	case n >= maxDelayPoints:
		for tolerance := delayTolerance; len(list) > maxDelayPoints/2; tolerance *= 2 {
			list = list.thin(atNs, tolerance)
		}
	case *room >= max(16, n):
		*room -= max(16, n)
		list = append(make(delayHistory, 0, max(16, 2*n)), list...)
	case n == 0:
		return
	default:
		list = slices.Delete(list, 0, n/2)
	}
	*h = append(list, delayPoint{atNs, sum})
}

// thin leaves out points. It goes from the newest to the oldest. A line from the last point that is
// kept must pass by all points that are left out, within a part of their age: lowest and highest
// limit its slope (a swinging door, Bristol 1990).
func (h delayHistory) thin(nowNs int64, tolerance float64) delayHistory {
	to := len(h) - 1
	lowest, highest := math.Inf(-1), math.Inf(1)
	for i := to - 1; i >= 0; i-- {
		slope, spread := h[i].line(h[to], nowNs, tolerance)
		if slope < lowest || slope > highest {
			to--
			h[to] = h[i+1]
			slope, spread = h[i].line(h[to], nowNs, tolerance)
			lowest, highest = math.Inf(-1), math.Inf(1)
		}
		lowest, highest = max(lowest, slope-spread), min(highest, slope+spread)
	}
	to--
	h[to] = h[0]
	return append(h[:0], h[to:]...)
}

// line returns the slope of the line from a point to a newer one, and by how much it may differ.
func (p delayPoint) line(newer delayPoint, nowNs int64, tolerance float64) (slope, spread float64) {
	passed := float64(max(1, newer.atNs-p.atNs))
	return float64(newer.sumNs-p.sumNs) / passed, tolerance * float64(nowNs-p.atNs) / passed
}

// follow makes the delay grow, from one time to another, as that of a thread that it waits for. It
// grows by no more than the time that passes. It forgets what it knew of that time.
func (h *delayHistory) follow(other delayHistory, fromNs, toNs int64, room *int) (grownNs int64) {
	n := sort.Search(len(*h), func(i int) bool { return (*h)[i].atNs > fromNs })
	*h = (*h)[:n]
	begin, base := other.at(fromNs), h.sum()
	grow := func(atNs, sumNs int64) {
		h.put(atNs, base+max(0, min(sumNs-begin, atNs-fromNs)), room)
	}
	h.put(fromNs, base, room)
	first := sort.Search(len(other), func(i int) bool { return other[i].atNs > fromNs })
	for _, p := range other[first:] {
		if p.atNs >= toNs {
			break
		}
		grow(p.atNs, p.sumNs)
	}
	grow(toNs, other.at(toNs))
	return h.sum() - base
}
