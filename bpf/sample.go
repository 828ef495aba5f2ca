//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// prepareSamples sets what the sampling program may use, or leaves it out.
func prepareSamples(spec *ebpf.CollectionSpec, on, btf bool) error {
	if !on {
		delete(spec.Programs, utraceProgOnSample)
		return nil
	}
	return spec.Variables[utraceVarTaskRegs].Set(btf)
}

// WatchClocks makes the clock of each CPU tick hz times a second, until Close. Ticks are samples
// while Sample is on. The clock is the kernel's own (perf_swevent_init_hrtimer in
// kernel/events/core.c): it needs no performance counter, so it ticks in virtual machines as well.
// Needs Options.Samples.
func (o *Objects) WatchClocks(hz int) error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("count CPUs: %w", err)
	}
	attr := unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK,
		Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})), Sample: uint64(hz), Bits: unix.PerfBitFreq,
	}
	for cpu := range cpus {
		fd, err := unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if errors.Is(err, unix.ENODEV) { // the CPU is offline
			continue
		}
		if err != nil {
			return fmt.Errorf("perf event for the clock of CPU %d: %w", cpu, err)
		}
		o.closers = append(o.closers, perfEvent(fd))
		if err := unix.IoctlSetInt(fd, unix.PERF_EVENT_IOC_SET_BPF, o.onSample.FD()); err != nil {
			return fmt.Errorf("attach to the clock of CPU %d: %w", cpu, err)
		}
	}
	return nil
}

// perfEvent is an open perf event.
type perfEvent int

func (fd perfEvent) Close() error { return unix.Close(int(fd)) }

// Sample turns samples on or off, whether or not the probes are enabled.
func (o *Objects) Sample(on bool) error { return o.sampling.Set(on) }

// SampleLosses returns how many samples found no room, and how many were left out because the
// thread was in the kernel. The latter happens only without BTF of the running kernel.
func (o *Objects) SampleLosses() (lost, unplaced uint64, err error) {
	return lost, unplaced, errors.Join(o.lostSamples.Get(&lost), o.unplaced.Get(&unplaced))
}
