//go:build linux

package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

// AddProcess adds a process to the set of recorded ones.
func (o *Objects) AddProcess(tgid int) error {
	if err := o.tgids.Put(uint32(tgid), uint8(1)); err != nil {
		return fmt.Errorf("filter of processes: %w", err)
	}
	return nil
}

// RemoveProcess removes a process from the set of recorded ones. It need not be in the set.
func (o *Objects) RemoveProcess(tgid int) error {
	if err := o.tgids.Delete(uint32(tgid)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("filter of processes: %w", err)
	}
	return nil
}

// HasProcess reports whether a process is in the set of recorded ones.
func (o *Objects) HasProcess(tgid int) bool {
	var v uint8
	return o.tgids.Lookup(uint32(tgid), &v) == nil
}

// Processes returns the set of recorded processes, with the children that the programs have added,
// in no order. Changes made meanwhile may be missing.
func (o *Objects) Processes() ([]int, error) {
	var list []int
	var tgid uint32
	var v uint8
	it := o.tgids.Iterate()
	for it.Next(&tgid, &v) {
		list = append(list, int(tgid))
	}
	if err := it.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return nil, fmt.Errorf("filter of processes: %w", err)
	}
	return list, nil
}

// AnyProcess reports whether the set of recorded processes is not empty.
func (o *Objects) AnyProcess() (bool, error) {
	var tgid uint32
	switch err := o.tgids.NextKey(nil, &tgid); {
	case errors.Is(err, ebpf.ErrKeyNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("filter of processes: %w", err)
	}
	return true, nil
}
