//go:build linux

package record

import (
	"utrace/format"
)

// tracks puts spans that run at the same time onto tracks 1, 2, 3 … of their process. Tracks of a
// process that has ended are forgotten (drainer.settle), because another one may get its PID.
type tracks map[uint32]*processTracks // by PID

type processTracks struct {
	open map[trackKey]int
	busy []bool // by track, from 1
}

// trackKey identifies a span by what its beginning and its end share.
type trackKey struct {
	fn  format.FuncID // number in records
	key uint64
}

// maxTracks limits the simultaneous spans of a process.
const maxTracks = 1 << 16

// track returns the track of a span that begins or ends; 0 for an end whose beginning was not seen.
func (l tracks) track(e *heldEvent, fn format.FuncID) int {
	p := l[e.PID]
	if p == nil {
		p = &processTracks{open: map[trackKey]int{}, busy: []bool{true}}
		l[e.PID] = p
	}
	key := trackKey{fn, e.Value}
	n, open := p.open[key]
	if e.Kind == format.Return {
		if open {
			delete(p.open, key)
			p.busy[n] = false
		}
		return n
	}
	if open { // it begins again: its end was not seen
		return n
	}
	for n = 1; n < len(p.busy) && p.busy[n]; n++ {
	}
	switch {
	case n >= maxTracks:
		return 0
	case n == len(p.busy):
		p.busy = append(p.busy, true)
	}
	p.busy[n], p.open[key] = true, n
	return n
}
