//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"

	"utrace/format"
)

// maxCharged is how many processes the programs can charge with costs.
const maxCharged = 1 << 14

// prepareLimit makes room for the counters of Options.Limited, or leaves it out.
func prepareLimit(spec *ebpf.CollectionSpec, o Options) error {
	limits, uses := spec.Maps[utraceMapFuncLimits], spec.Maps[utraceMapProcessUses]
	if !o.Limited {
		limits.MaxEntries, uses.MaxEntries = 1, 1
		return nil
	}
	limits.MaxEntries, uses.MaxEntries = uint32(max(1, o.Funcs)), maxCharged
	return spec.Variables[utraceVarLimited].Set(uint8(1))
}

// funcLimit is struct func_limit of types.h.
type funcLimit struct {
	entries, returns  uint64
	entryNs, returnNs uint32
	off, reserved     uint32
}

// Limits are the functions of Options.Limited, as the programs number them.
type Limits struct {
	mem  mapping
	room int
}

func (l *Limits) of(fn format.FuncID) *funcLimit {
	return (*funcLimit)(unsafe.Pointer(l.mem.word(int(fn) * int(unsafe.Sizeof(funcLimit{})))))
}

// Has reports whether there is room for a function. Others are always on and not counted.
func (l *Limits) Has(fn format.FuncID) bool { return int(fn) < l.room }

// SetCost sets what an entry (or hit) and a return of a function cost.
func (l *Limits) SetCost(fn format.FuncID, entry, ret time.Duration) {
	f := l.of(fn)
	atomic.StoreUint32(&f.entryNs, uint32(entry))
	atomic.StoreUint32(&f.returnNs, uint32(ret))
}

// Turn turns a function on or off. All are on at first.
func (l *Limits) Turn(fn format.FuncID, on bool) {
	off := uint32(1)
	if on {
		off = 0
	}
	atomic.StoreUint32(&l.of(fn).off, off)
}

// Hits returns how often the probes of a function were executed while it was on, in all processes,
// whether the events were recorded, lost or dropped.
func (l *Limits) Hits(fn format.FuncID) (entries, returns uint64) {
	f := l.of(fn)
	return atomic.LoadUint64(&f.entries), atomic.LoadUint64(&f.returns)
}

// mapLimits maps the functions of Options.Limited.
func (o *Objects) mapLimits(coll *ebpf.Collection, limited bool) error {
	if !limited {
		return nil
	}
	m := coll.Maps[utraceMapFuncLimits]
	mem, err := mapArray(m, readWrite)
	if err != nil {
		return err
	}
	o.closers = append(o.closers, mem)
	o.Limits = &Limits{mem, int(m.MaxEntries())}
	return nil
}

// ProcessUse is what a process has had to bear from probes, and what it has done. It is struct
// process_use of types.h.
type ProcessUse struct {
	CostNs uint64 // of the executions of all probes
	// SocketCalls is how often it has sent to or received from sockets since CountSockets: 0 without
	// Objects.CountsSockets.
	SocketCalls uint64
}

// ProcessUse returns the use of a process so far.
func (o *Objects) ProcessUse(pid int) (sum ProcessUse, err error) {
	var perCPU []ProcessUse
	err = o.processUses.Lookup(uint32(pid), &perCPU)
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return sum, fmt.Errorf("read costs: %w", err)
	}
	for _, use := range perCPU {
		sum.CostNs += use.CostNs
		sum.SocketCalls += use.SocketCalls
	}
	return sum, nil
}

// CountSockets begins to count a process' calls on sockets.
func (o *Objects) CountSockets(pid int) error {
	if !o.CountsSockets {
		return nil
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("count CPUs: %w", err)
	}
	err = o.processUses.Update(uint32(pid), make([]ProcessUse, cpus), ebpf.UpdateNoExist)
	if err != nil && !errors.Is(err, ebpf.ErrKeyExist) {
		return fmt.Errorf("count calls on sockets: %w", err)
	}
	return nil
}

// ChargedProcesses returns the processes whose probes have cost them something, and those of
// CountSockets.
func (o *Objects) ChargedProcesses() ([]int, error) {
	var list []int
	var pid uint32
	var perCPU []ProcessUse
	it := o.processUses.Iterate()
	for it.Next(&pid, &perCPU) {
		list = append(list, int(pid))
	}
	if err := it.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return nil, fmt.Errorf("read costs: %w", err)
	}
	return list, nil
}

// ForgetCost forgets a process that has ended, to make room.
func (o *Objects) ForgetCost(pid int) error {
	if err := o.processUses.Delete(uint32(pid)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("forget costs: %w", err)
	}
	return nil
}

// Uncounted returns how many hits charged no process, because there were too many processes.
func (o *Objects) Uncounted() (n uint64, err error) {
	err = o.uncountedHits.Get(&n)
	return n, err
}
