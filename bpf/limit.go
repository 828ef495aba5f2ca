//go:build linux

package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"utrace/format"
)

// Bounds of the table of hits, in entries: a function in a process is one.
const (
	minHits = 1 << 12
	maxHits = 1 << 16
)

// prepareLimit makes room for the counters of Options.Limited.
func prepareLimit(spec *ebpf.CollectionSpec, o Options) error {
	hits, off := spec.Maps[utraceMapHits], spec.Maps[utraceMapTakenOff]
	if !o.Limited {
		hits.MaxEntries, off.MaxEntries = 1, 1
		return nil
	}
	hits.MaxEntries = uint32(min(max(4*o.Funcs, minHits), maxHits))
	off.MaxEntries = uint32(max(1, o.Funcs))
	return spec.Variables[utraceVarLimited].Set(uint8(1))
}

// HitsKey is struct hits_key of limit.h: a function in a process.
type HitsKey struct {
	TGID uint32
	Func format.FuncID // as the programs number them
}

// Hits counts passes over the probes of a function.
type Hits struct {
	Entries uint64 // and hits of probes that have no return
	Returns uint64
}

// Hits returns how often the functions were hit in each process, whatever became of the
// events, and not after TakeOff.
func (o *Objects) Hits() (map[HitsKey]Hits, error) {
	counts := map[HitsKey]Hits{}
	var key HitsKey
	var perCPU []Hits
	it := o.hits.Iterate()
	for it.Next(&key, &perCPU) {
		var sum Hits
		for _, h := range perCPU {
			sum.Entries += h.Entries
			sum.Returns += h.Returns
		}
		counts[key] = sum
	}
	if err := it.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return nil, fmt.Errorf("read hits: %w", err)
	}
	return counts, nil
}

// ForgetHits makes room: a process has ended.
func (o *Objects) ForgetHits(key HitsKey) error {
	if err := o.hits.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("forget hits: %w", err)
	}
	return nil
}

// Uncounted returns how many hits there was no room for in the table of hits.
func (o *Objects) Uncounted() (n uint64, err error) {
	err = o.uncounted.Get(&n)
	return n, err
}

// TakeOff has a function record nothing from now on. It does not remove its breakpoints.
func (o *Objects) TakeOff(fn format.FuncID) error {
	if err := o.takenOff.Put(uint32(fn), uint32(1)); err != nil {
		return fmt.Errorf("take off a function: %w", err)
	}
	return nil
}
