//go:build linux

package record

import (
	"cmp"
	"slices"

	"utrace/bpf"
	"utrace/record/internal/clock"
)

// openCall is a call that is open at the end.
type openCall struct {
	call *bpf.OpenCall
	kept bool
}

// keepOpen decides on open calls, which have lasted until now and returned nothing. A call around
// one that is kept is kept as well. The result is ordered by time. Programs that were running when
// the probes were turned off may report calls later than now.
//
// When a thread ends, the kernel ends its calls (bpf/threadend.h). It does not end those of
// goroutines: they did not last until now if their process has ended since.
func keepOpen(open []bpf.OpenCall, c *catalog, endedNs map[uint32]uint64, nowNs uint64) []openCall {
	type thread struct {
		pid  uint32
		id   uint64
		isGo bool
	}
	of := func(call *bpf.OpenCall) thread {
		if call.GoID != 0 {
			return thread{call.PID, call.GoID, true}
		}
		return thread{call.PID, uint64(call.TID), false}
	}
	ended := func(call *bpf.OpenCall) bool {
		endNs, ok := endedNs[call.PID]
		return ok && call.TimeNs <= endNs
	}
	deepest := map[thread]uint32{} // depth of the deepest kept call, counted from 1
	list := make([]openCall, len(open))
	for i := range open {
		call := &open[i]
		list[i].call = call
		if ended(call) {
			continue
		}
		if int(call.Func) < len(c.funcs) && decideOpen(c.funcs[call.Func].planned.Conditions(), call.Held, clock.SinceStart(nowNs, call.TimeNs)) {
			deepest[of(call)] = max(deepest[of(call)], call.Depth+1)
		}
	}
	for i := range list {
		call := list[i].call
		list[i].kept = call.Depth < deepest[of(call)] && !ended(call)
	}
	slices.SortFunc(list, func(a, b openCall) int {
		return cmp.Or(cmp.Compare(a.call.TimeNs, b.call.TimeNs), cmp.Compare(a.call.Depth, b.call.Depth))
	})
	return list
}

// decideOpen decides on a call that has not returned, like decide in bpf/deferred.h on one that
// has. The call is kept if it would be kept for any result.
func decideOpen(conds []bpf.Cond, held uint16, lastedNs uint64) bool {
	var keep [bpf.MaxConds]bool // from each comparison on; they lead only forward
	after := func(next uint8) bool {
		return next == bpf.CondKeep || int(next) < len(conds) && keep[next]
	}
	for at := len(conds) - 1; at >= 0; at-- {
		c := &conds[at]
		yes, no := after(c.Yes), after(c.No)
		holds := held>>at&1 != 0
		switch {
		case !c.Late:
		case c.Arg != bpf.CondDuration:
			keep[at] = yes && no
			continue
		case c.Op == bpf.CondEqual:
			holds = lastedNs == c.Value
		case c.Op == bpf.CondLess:
			holds = lastedNs < c.Value
		default:
			holds = lastedNs <= c.Value
		}
		if c.Late && c.Negate {
			holds = !holds
		}
		if keep[at] = no; holds {
			keep[at] = yes
		}
	}
	return len(conds) > 0 && keep[0]
}
