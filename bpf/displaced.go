//go:build linux

package bpf

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// prepareDisplaced makes room for displaced threads, or leaves out the program that watches for
// them.
func prepareDisplaced(spec *ebpf.CollectionSpec, on bool, cpus int) {
	if !on {
		delete(spec.Programs, utraceProgOnDisplacing)
		return
	}
	spec.Maps[utraceMapDisplacedThreads].MaxEntries = uint32(cpus)
}

// watchDisplaced attaches to the scheduler.
func (o *Objects) watchDisplaced(coll *ebpf.Collection) error {
	if err := o.attachTracepoint(coll.Programs[utraceProgOnDisplacing]); err != nil {
		return fmt.Errorf("attach to the scheduler: %w", err)
	}
	return nil
}

// SetGoidOffset says where the runtime's struct g has the number of a goroutine: displaced
// goroutines are then recorded by number. If programs have different offsets, the first one is used
// for all.
func (o *Objects) SetGoidOffset(goid uint16) error {
	var offset uint32
	if err := o.displacedGoid.Get(&offset); err != nil || offset != 0 {
		return err
	}
	return o.displacedGoid.Set(uint32(goid))
}

// SetHolder sets which process makes and holds the probes. It belongs to the recorder.
func (o *Objects) SetHolder(tgid int) error { return o.holder.Set(uint32(tgid)) }

// SetCalibrator sets which process measures the cost of probes, 0 for none. It belongs to the
// recorder.
func (o *Objects) SetCalibrator(tgid int) error {
	return o.calibrator.Set(uint32(tgid))
}
