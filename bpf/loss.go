//go:build linux

package bpf

import (
	"fmt"
	"sync/atomic"

	"github.com/cilium/ebpf"

	"utrace/format"
)

// lossBytes is the size of struct loss of types.h.
const lossBytes = 64

// Loss is struct loss of types.h: events that one CPU lost.
type Loss struct {
	FirstNs, LastNs  uint64 // CLOCK_MONOTONIC
	Entries, Returns uint64
	Sched            uint64 // records of the scheduler
}

// Losses are the events that the CPUs lost.
type Losses struct {
	mem  mapping
	cpus int
}

// Take calls fn, by CPU, with the losses since it was last called. The programs count meanwhile: a
// loss that is just being counted may come with the next call.
func (l *Losses) Take(fn func(cpu int, lost Loss)) {
	for cpu := range l.cpus {
		at := cpu * lossBytes
		first, last := l.mem.word(at), l.mem.word(at+8)
		entries, returns, sched := l.mem.word(at+16), l.mem.word(at+24), l.mem.word(at+32)
		if atomic.LoadUint64(entries)+atomic.LoadUint64(returns)+atomic.LoadUint64(sched) == 0 {
			continue
		}
		lost := Loss{
			Entries: atomic.SwapUint64(entries, 0),
			Returns: atomic.SwapUint64(returns, 0),
			Sched:   atomic.SwapUint64(sched, 0),
			FirstNs: atomic.SwapUint64(first, 0),
			LastNs:  atomic.LoadUint64(last),
		}
		if lost.FirstNs == 0 { // the call before has taken it
			lost.FirstNs = lost.LastNs
		}
		fn(cpu, lost)
	}
}

// funcLoss is struct func_loss of types.h.
type funcLoss struct{ Entries, Returns uint64 }

// FuncLosses returns the functions, of the first n, that have lost events.
func (o *Objects) FuncLosses(n int) ([]format.FuncLoss, error) {
	var list []format.FuncLoss
	for id := range min(n, int(o.funcLosses.MaxEntries())) {
		var c funcLoss
		if err := o.funcLosses.Lookup(uint32(id), &c); err != nil {
			return nil, fmt.Errorf("read losses of functions: %w", err)
		}
		list = appendLoss(list, id, c)
	}
	return list, nil
}

// Unmet returns the functions with hits that did not meet a condition, and how many. Returns of
// such calls are counted as well. Only the first n functions, and the first maxUnmet, are looked
// at.
func (o *Objects) Unmet(n int) ([]format.FuncLoss, error) {
	if o.unmet == nil {
		return nil, nil
	}
	var list []format.FuncLoss
	for id := range min(n, int(o.unmet.MaxEntries())) {
		var cpus []funcLoss
		if err := o.unmet.Lookup(uint32(id), &cpus); err != nil {
			return nil, fmt.Errorf("read hits that did not meet a condition: %w", err)
		}
		var sum funcLoss
		for _, c := range cpus {
			sum.Entries += c.Entries
			sum.Returns += c.Returns
		}
		list = appendLoss(list, id, sum)
	}
	return list, nil
}

func appendLoss(list []format.FuncLoss, id int, c funcLoss) []format.FuncLoss {
	if c.Entries+c.Returns == 0 {
		return list
	}
	return append(list, format.FuncLoss{Func: format.FuncID(id), Entries: c.Entries, Returns: c.Returns})
}

// mapLosses maps the losses of all CPUs.
func (o *Objects) mapLosses(coll *ebpf.Collection, cpus int) error {
	mem, err := mapArray(coll.Maps[utraceMapLosses], readWrite)
	if err != nil {
		return err
	}
	o.closers = append(o.closers, mem)
	o.Losses = &Losses{mem, cpus}
	return nil
}
