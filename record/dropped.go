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

// settleCalls decides on the deferred calls that are open when the recording stops, and hands the
// kept ones to the drainer. It returns all dropped calls, and the number of dropped calls missing
// from them. Probes must be off, and the buffers drained.
func settleCalls(objs *bpf.Objects, drainer *drainer, stop format.Anchor) (rows []format.Dropped, uncounted uint64, err error) {
	list, uncounted, err := objs.Dropped()
	if err != nil {
		return nil, 0, fmt.Errorf("read the dropped calls: %w", err)
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
	for _, c := range keepOpen(open, drainer.catalog, drainer.threads.EndedNs, uint64(stop.MonoNs)) {
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
