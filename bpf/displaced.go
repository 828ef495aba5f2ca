//go:build linux

package bpf

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// prepareDisplaced leaves out what watches where the recorder takes the place of others, see displaced.h, or makes room for it.
func prepareDisplaced(spec *ebpf.CollectionSpec, on bool, cpus int) {
	if !on {
		delete(spec.Programs, utraceProgOnDisplacing)
		return
	}
	spec.Maps[utraceMapDisplaced].MaxEntries = uint32(cpus)
}

// watchDisplaced attaches to the scheduler.
func (o *Objects) watchDisplaced(coll *ebpf.Collection) error {
	l, err := link.AttachTracing(link.TracingOptions{Program: coll.Programs[utraceProgOnDisplacing], AttachType: ebpf.AttachTraceRawTp})
	if err != nil {
		return fmt.Errorf("attach to the scheduler: %w", err)
	}
	o.closers = append(o.closers, l)
	return nil
}

// FindGoroutines has displaced goroutines told by their numbers, which are at an offset in the runtime's struct g. Of programs
// with several offsets those with the first one count.
func (o *Objects) FindGoroutines(goid uint16) error {
	var known uint32
	if err := o.displacedGoid.Get(&known); err != nil || known != 0 {
		return err
	}
	return o.displacedGoid.Set(uint32(goid))
}

// SetCalibrator says which process belongs to the recorder, beside this one.
func (o *Objects) SetCalibrator(tgid int) error {
	return o.calibrator.Set(uint32(tgid))
}
