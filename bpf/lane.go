//go:build linux

package bpf

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// struct lane of types.h.
const (
	laneBytes = 128
	laneTail  = 64 // offset of tail
)

// restartSlot is the first slot from which a lane that was read to its end is begun anew, in the
// next lap. Events then go where others were a moment ago, which is still in the caches.
const restartSlot = 4096

// Lane reads the events of one CPU in place; see struct lane of types.h.
type Lane struct {
	head, tail *uint64
	events     []byte
}

// position is a slot of a lane, in the lower half, and the number of the lap, in the upper.
type position uint64

func (p position) lap() uint32  { return uint32(p >> 32) }
func (p position) slot() uint32 { return uint32(p) }

// lapBit is LAP_BIT of types.h.
const lapBit = 8

// tag is LAP of types.h, shifted down by lapBit.
func (p position) tag() uint32 { return (p.lap() + 1) & (1<<(32-lapBit) - 1) }

func (p position) next(room uint32) position {
	if p.slot()+1 == room {
		return position(p.lap()+1) << 32
	}
	return p + 1
}

func (l *Lane) room() int { return len(l.events) / recordBytes }

// Drain is Ring.Drain for a lane. The first field of a record has the kind in its lowest byte.
func (l *Lane) Drain(fn func(rec []byte)) (done bool, filled float64) {
	room := uint32(l.room())
	from := position(atomic.LoadUint64(l.tail))
	end := position(atomic.LoadUint64(l.head))
	at := from
	for n := 1; at != end; n++ {
		rec := l.events[int(at.slot())*recordBytes:][:recordBytes]
		if first := atomic.LoadUint32((*uint32)(unsafe.Pointer(unsafe.SliceData(rec)))); first>>lapBit != at.tag() {
			break
		}
		fn(rec)
		at = at.next(room)
		if n%commitEvery == 0 {
			atomic.StoreUint64(l.tail, uint64(at))
		}
	}
	atomic.StoreUint64(l.tail, uint64(at))
	used := int(end.lap()-from.lap())*l.room() + int(end.slot()) - int(from.slot())
	if at == end && at.slot() >= restartSlot {
		// A program that sees the new head and the old tail has room up to the old slot.
		restart := position(at.lap()+1) << 32
		if atomic.CompareAndSwapUint64(l.head, uint64(at), uint64(restart)) {
			atomic.StoreUint64(l.tail, uint64(restart))
		}
	}
	return at == end, float64(used) / float64(l.room())
}

const readWrite = unix.PROT_READ | unix.PROT_WRITE

// mapping is a BPF array in memory.
type mapping []byte

func mapArray(m *ebpf.Map, prot int) (mapping, error) {
	page := os.Getpagesize()
	size := int(m.MaxEntries()) * int(m.ValueSize())
	b, err := unix.Mmap(m.FD(), 0, (size+page-1)/page*page, prot, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map array: %w", err)
	}
	return b, nil
}

// Close unmaps it.
func (m mapping) Close() error { return unix.Munmap(m) }

func (m mapping) word(offset int) *uint64 {
	return (*uint64)(unsafe.Pointer(&m[offset]))
}

// mapLanes maps the lanes of all CPUs.
func (o *Objects) mapLanes(coll *ebpf.Collection, cpus int) error {
	events, err := mapArray(coll.Maps[utraceMapEvents], unix.PROT_READ)
	if err != nil {
		return err
	}
	o.closers = append(o.closers, events)
	positions, err := mapArray(coll.Maps[utraceMapLanes], readWrite)
	if err != nil {
		return err
	}
	o.closers = append(o.closers, positions)
	bytes := int(coll.Maps[utraceMapEvents].MaxEntries()) / cpus * recordBytes
	for cpu := range cpus {
		o.Lanes = append(o.Lanes, &Lane{
			head: positions.word(cpu * laneBytes), tail: positions.word(cpu*laneBytes + laneTail),
			events: events[cpu*bytes:][:bytes:bytes],
		})
	}
	return nil
}
