//go:build linux

package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"utrace/format"
)

// Limits of the table of hits, in entries: one for each function in each process.
const (
	minHits = 1 << 12
	maxHits = 1 << 16
)

// prepareLimit makes room for the counters of Options.Limited, or leaves it out.
func prepareLimit(spec *ebpf.CollectionSpec, o Options) error {
	hits, removed := spec.Maps[utraceMapHits], spec.Maps[utraceMapRemoved]
	if !o.Limited {
		hits.MaxEntries, removed.MaxEntries = 1, 1
		return nil
	}
	hits.MaxEntries = uint32(min(max(4*o.Funcs, minHits), maxHits))
	removed.MaxEntries = uint32(max(1, o.Funcs))
	return spec.Variables[utraceVarLimited].Set(uint8(1))
}

// HitsKey is struct hits_key of types.h: a function in a process.
type HitsKey struct {
	TGID uint32
	Func format.FuncID // as the programs number them
}

// Hits is struct hits of types.h: executions of the probes of a function.
type Hits struct {
	Entries uint64 // and hits of probes without a return
	Returns uint64
}

// Hits returns how often the functions were hit in each process, whether the events were recorded,
// lost or dropped. Hits after RemoveFunc are not counted.
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

// ForgetHits removes a function of a process that has ended, to make room.
func (o *Objects) ForgetHits(key HitsKey) error {
	if err := o.hits.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("forget hits: %w", err)
	}
	return nil
}

// Uncounted returns how many hits found no room in the table of hits.
func (o *Objects) Uncounted() (n uint64, err error) {
	err = o.uncountedHits.Get(&n)
	return n, err
}

// RemoveFunc makes a function record nothing from now on. Its breakpoints stay.
func (o *Objects) RemoveFunc(fn format.FuncID) error {
	if err := o.removed.Put(uint32(fn), uint32(1)); err != nil {
		return fmt.Errorf("remove a function: %w", err)
	}
	return nil
}
