//go:build linux

package bpf

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Header bits of a record in a BPF ring buffer, include/uapi/linux/bpf.h.
const (
	ringBusy      = 1 << 31
	ringDiscarded = 1 << 30
	ringHeader    = 8
)

// commitEvery is after how many records their room is given back to the writer.
const commitEvery = 1024

// Ring reads a BPF ring buffer in place. kernel/bpf/ringbuf.c lays out its memory: a page with the
// consumer's position, a page with the producer's, and the data. The data is mapped twice in a row,
// so no record is broken at the end.
type Ring struct {
	consumer, producer []byte // mappings
	data               []byte
	mask               uint64
	fd                 int // of the map
}

func newRing(m *ebpf.Map) (*Ring, error) {
	size, page := int(m.MaxEntries()), os.Getpagesize()
	consumer, err := unix.Mmap(m.FD(), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map ring: %w", err)
	}
	producer, err := unix.Mmap(m.FD(), int64(page), page+2*size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		unix.Munmap(consumer)
		return nil, fmt.Errorf("map ring: %w", err)
	}
	return &Ring{consumer: consumer, producer: producer, data: producer[page:], mask: uint64(size - 1), fd: m.FD()}, nil
}

// newRings makes the rings of all CPUs.
func (o *Objects) newRings(coll *ebpf.Collection, spec *ebpf.CollectionSpec, cpus int) error {
	inner := spec.Maps[utraceMapRings].InnerMap
	for cpu := range cpus {
		m, err := ebpf.NewMap(inner)
		if err != nil {
			return fmt.Errorf("ring of %d bytes for CPU %d: %w", inner.MaxEntries, cpu, err)
		}
		o.closers = append(o.closers, m)
		if err := coll.Maps[utraceMapRings].Put(uint32(cpu), m); err != nil {
			return fmt.Errorf("ring for CPU %d: %w", cpu, err)
		}
		r, err := newRing(m)
		if err != nil {
			return err
		}
		o.Rings = append(o.Rings, r)
	}
	return nil
}

func (r *Ring) close() {
	unix.Munmap(r.consumer)
	unix.Munmap(r.producer)
}

// Await waits until the ring has a record that wakes its reader, or until the timeout.
func (r *Ring) Await(timeout time.Duration) {
	ms := max(0, timeout+time.Millisecond-1) / time.Millisecond
	unix.Poll([]unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}, int(ms))
}

// Drain calls fn with every record that was in the ring when Drain was called. The record is valid
// during the call only. done reports whether it reached the last of them: a record that a probe is
// still writing holds up the later ones. filled is the part of the ring that was in use, 0 to 1.
func (r *Ring) Drain(fn func(rec []byte)) (done bool, filled float64) {
	pos := (*uint64)(unsafe.Pointer(unsafe.SliceData(r.consumer)))
	from := atomic.LoadUint64(pos)
	end := atomic.LoadUint64((*uint64)(unsafe.Pointer(unsafe.SliceData(r.producer))))
	at := from
	for n := 1; at < end; n++ {
		rec := r.data[at&r.mask:]
		head := atomic.LoadUint32((*uint32)(unsafe.Pointer(unsafe.SliceData(rec))))
		if head&ringBusy != 0 {
			break
		}
		size := uint64(head &^ (ringBusy | ringDiscarded))
		if head&ringDiscarded == 0 && size >= recordBytes {
			fn(rec[ringHeader : ringHeader+size])
		}
		at += (ringHeader + size + 7) &^ 7
		if n%commitEvery == 0 {
			atomic.StoreUint64(pos, at)
		}
	}
	atomic.StoreUint64(pos, at)
	return at >= end, float64(end-from) / float64(r.mask+1)
}
