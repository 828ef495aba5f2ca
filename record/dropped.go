//go:build linux

package record

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"utrace/bpf"
	"utrace/format"
)

// droppedKey identifies the function and process of dropped calls, by the kernel's numbers.
type droppedKey struct {
	fn   format.FuncID
	pid  uint32
	name uint64
}

// settleCalls decides on the deferred calls that are open when the recording stops, and hands those
// that are kept to the drainer. It returns all dropped calls, and the number of dropped calls
// missing there. Probes must be off, and the buffers drained.
func settleCalls(objs *bpf.Objects, drainer *drainer, stop format.Anchor) (rows []format.Dropped, uncounted uint64, err error) {
	list, uncounted, err := objs.Dropped()
	if err != nil {
		return nil, 0, fmt.Errorf("read what was dropped: %w", err)
	}
	dropped := map[droppedKey]*bpf.Dropped{}
	for i := range list {
		d := &list[i]
		if int(d.Func) < len(drainer.catalog.funcs) {
			fn := &drainer.catalog.funcs[d.Func]
			fn.entries += d.Complete + d.Incomplete
			fn.returns += d.Complete
		}
		dropped[droppedKey{d.Func, d.TGID, d.Name}] = d
	}
	open, err := objs.OpenCalls()
	if err != nil {
		return nil, 0, fmt.Errorf("read the open calls: %w", err)
	}
	for _, c := range keepOpen(open, drainer.catalog, drainer.threads.endsNs, uint64(stop.MonoNs)) {
		if c.kept {
			drainer.holdCall(c.call)
			continue
		}
		key := droppedKey{c.call.Func, c.call.PID, 0}
		if c.call.Named {
			key.name = c.call.Value
		}
		if dropped[key] == nil {
			dropped[key] = &bpf.Dropped{Func: key.fn, TGID: key.pid, Name: key.name}
		}
		dropped[key].Incomplete++
	}
	rows, unnamed := droppedRows(dropped, drainer.catalog)
	return rows, uncounted + unnamed, nil
}

// droppedRows returns the dropped calls by functions of the trace. Several names of an
// interpreter's functions can be one function there (maxNames). unnamed counts the calls whose name
// was never sent.
func droppedRows(dropped map[droppedKey]*bpf.Dropped, c *catalog) (rows []format.Dropped, unnamed uint64) {
	type rowKey struct {
		fn  format.FuncID
		pid uint32
	}
	sums := map[rowKey]format.Dropped{}
	for _, d := range dropped {
		if int(d.Func) >= len(c.funcs) {
			unnamed += d.Complete + d.Incomplete
			continue
		}
		id := c.funcs[d.Func].id
		if d.Name != 0 {
			named, ok := c.function(d.Func, d.Name)
			if !ok {
				unnamed += d.Complete + d.Incomplete
				continue
			}
			id = named
		}
		sum := sums[rowKey{id, d.TGID}]
		sums[rowKey{id, d.TGID}] = format.Dropped{
			Func: id, PID: int(d.TGID), Complete: sum.Complete + d.Complete, Incomplete: sum.Incomplete + d.Incomplete,
			SumNs: sum.SumNs + d.SumNs, TotalNs: sum.TotalNs + d.TotalNs, SelfNs: sum.SelfNs + d.SelfNs, InsideNs: sum.InsideNs + d.InsideNs,
		}
	}
	rows = slices.Collect(maps.Values(sums))
	slices.SortFunc(rows, func(a, b format.Dropped) int { return cmp.Or(cmp.Compare(a.Func, b.Func), cmp.Compare(a.PID, b.PID)) })
	return rows, unnamed
}

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
func keepOpen(open []bpf.OpenCall, c *catalog, endsNs map[uint32]uint64, nowNs uint64) []openCall {
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
		endNs, told := endsNs[call.PID]
		return told && call.TimeNs <= endNs
	}
	deepest := map[thread]uint32{} // depth of the deepest kept call, counted from 1
	list := make([]openCall, len(open))
	for i := range open {
		call := &open[i]
		list[i].call = call
		if ended(call) {
			continue
		}
		if int(call.Func) < len(c.funcs) && decideOpen(c.funcs[call.Func].planned.Conditions(), call.Held, sinceStart(nowNs, call.TimeNs)) {
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

// decideOpen does for a call that has not returned what decide in bpf/condition.h does for one that
// has. The call is kept if it would be kept whatever it returned.
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
