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

// Sizes of the values of maps, see event.h.
const (
	laneBytes = 128
	laneTail  = 64 // offset of tail
	lossBytes = 64
)

// restartPlace is the place from which on a lane that has been read to its end is begun anew, in the next lap: events go
// where others have been a moment ago, which the caches know.
const restartPlace = 4096

// Lane reads the events of one CPU in place; see struct lane of event.h.
type Lane struct {
	head, tail *uint64
	events     []byte
}

// position is a place in a lane, in the lower half, and the number of the lap, in the upper.
type position uint64

func (p position) lap() uint32   { return uint32(p >> 32) }
func (p position) place() uint32 { return uint32(p) }

// tag is LAP of event.h, without the byte of the kind.
func (p position) tag() uint32 { return (p.lap() + 1) & 0xffffff }

func (p position) next(room uint32) position {
	if p.place()+1 == room {
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
		rec := l.events[int(at.place())*recordBytes:][:recordBytes]
		if first := atomic.LoadUint32((*uint32)(unsafe.Pointer(unsafe.SliceData(rec)))); first>>8 != at.tag() {
			break
		}
		fn(rec)
		at = at.next(room)
		if n%commitEvery == 0 {
			atomic.StoreUint64(l.tail, uint64(at))
		}
	}
	atomic.StoreUint64(l.tail, uint64(at))
	used := int(end.lap()-from.lap())*l.room() + int(end.place()) - int(from.place())
	if at == end && at.place() >= restartPlace {
		// A program that sees the new head and the old tail has room up to the old place.
		restart := position(at.lap()+1) << 32
		if atomic.CompareAndSwapUint64(l.head, uint64(at), uint64(restart)) {
			atomic.StoreUint64(l.tail, uint64(restart))
		}
	}
	return at == end, float64(used) / float64(l.room())
}

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

// Losses are what the CPUs could not record.
type Losses struct {
	mem  mapping
	cpus int
}

// Take hands what was lost since it was last called to fn, by CPU. The programs count
// meanwhile: what they are just adding may come with the next call.
func (l *Losses) Take(fn func(cpu int, lost Loss)) {
	for cpu := range l.cpus {
		at := cpu * lossBytes
		first, last, entries, returns, sched := l.mem.word(at), l.mem.word(at+8), l.mem.word(at+16), l.mem.word(at+24), l.mem.word(at+32)
		if atomic.LoadUint64(entries)+atomic.LoadUint64(returns)+atomic.LoadUint64(sched) == 0 {
			continue
		}
		lost := Loss{
			Entries: atomic.SwapUint64(entries, 0), Returns: atomic.SwapUint64(returns, 0), Sched: atomic.SwapUint64(sched, 0),
			FirstNs: atomic.SwapUint64(first, 0), LastNs: atomic.LoadUint64(last),
		}
		if lost.FirstNs == 0 { // it went with the call before
			lost.FirstNs = lost.LastNs
		}
		fn(cpu, lost)
	}
}

// newLanes maps the lanes of all CPUs, and the losses.
func (o *Objects) newLanes(coll *ebpf.Collection, cpus int) error {
	const rw = unix.PROT_READ | unix.PROT_WRITE
	events, err := mapArray(coll.Maps[utraceMapEvents], unix.PROT_READ)
	if err != nil {
		return err
	}
	o.closers = append(o.closers, events)
	positions, err := mapArray(coll.Maps[utraceMapLanes], rw)
	if err != nil {
		return err
	}
	o.closers = append(o.closers, positions)
	losses, err := mapArray(coll.Maps[utraceMapLosses], rw)
	if err != nil {
		return err
	}
	o.closers = append(o.closers, losses)
	o.Losses = &Losses{losses, cpus}
	bytes := int(coll.Maps[utraceMapEvents].MaxEntries()) / cpus * recordBytes
	for cpu := range cpus {
		o.Lanes = append(o.Lanes, &Lane{
			head: positions.word(cpu * laneBytes), tail: positions.word(cpu*laneBytes + laneTail),
			events: events[cpu*bytes:][:bytes:bytes],
		})
	}
	return nil
}
