//go:build linux

package bpf

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// schedPrograms watch the scheduler, see sched.h.
func schedPrograms() []string { return []string{utraceProgOnSwitch, utraceProgOnWaking} }

// prepareSched turns on the recording of switches, or leaves out what only it needs.
func prepareSched(spec *ebpf.CollectionSpec, on bool) error {
	if on {
		return spec.Variables[utraceVarSched].Set(uint8(1))
	}
	for _, name := range schedPrograms() {
		delete(spec.Programs, name)
	}
	spec.Maps[utraceMapSeen].MaxEntries = 1
	return nil
}

// watchSched attaches to the scheduler.
func (o *Objects) watchSched(coll *ebpf.Collection) error {
	for _, name := range schedPrograms() {
		if err := o.attachTracepoint(coll.Programs[name]); err != nil {
			return fmt.Errorf("attach %s to the scheduler: %w", name, err)
		}
	}
	return nil
}
