//go:build linux

package bpf

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
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
		l, err := link.AttachTracing(link.TracingOptions{
			Program: coll.Programs[name], AttachType: ebpf.AttachTraceRawTp})
		if err != nil {
			return fmt.Errorf("attach %s to the scheduler: %w", name, err)
		}
		o.closers = append(o.closers, l)
	}
	return nil
}
