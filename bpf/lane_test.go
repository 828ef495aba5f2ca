//go:build linux

package bpf

import (
	"encoding/binary"
	"testing"
)

// writtenLane is a lane with room for so many events, and writes into it as the programs do.
type writtenLane struct {
	Lane
	room uint32
}

func newLane(room uint32) *writtenLane {
	return &writtenLane{Lane{head: new(uint64), tail: new(uint64), events: make([]byte, room*recordBytes)}, room}
}

// take is new_event of lane.h.
func (l *writtenLane) take() (p position, ok bool) {
	p = position(*l.head)
	if *l.head-*l.tail == 1<<32 {
		return p, false
	}
	*l.head = uint64(p.next(l.room))
	return p, true
}

func (l *writtenLane) publish(p position, kind uint32) {
	binary.NativeEndian.PutUint32(l.events[p.slot()*recordBytes:], p.tag()<<8|kind)
}

// TestLaneRestarts fills half of a lane and reads it: the lane is begun anew in the next lap, and
// no program takes more room than there is.
func TestLaneRestarts(t *testing.T) {
	const room = 2 * restartSlot
	l := newLane(room)
	fill := func(want int) {
		t.Helper()
		n := 0
		for n < want {
			p, ok := l.take()
			if !ok {
				break
			}
			l.publish(p, 1)
			n++
		}
		if n != want {
			t.Fatalf("room for %d events, want %d", n, want)
		}
	}
	drain := func(want int, lap uint64) {
		t.Helper()
		n := 0
		if done, _ := l.Drain(func([]byte) { n++ }); n != want || !done || *l.head != lap<<32 || *l.tail != *l.head {
			t.Fatalf("read %d events, done %v, head %x, tail %x; want %d, and lap %d", n, done, *l.head, *l.tail, want, lap)
		}
	}
	for lap := uint64(0); lap < 10; lap += 2 {
		fill(restartSlot)
		drain(restartSlot, lap+1)
		// A program that still sees the earlier tail.
		*l.tail = lap<<32 | restartSlot
		fill(restartSlot)
		if _, ok := l.take(); ok {
			t.Fatal("room beyond the old tail")
		}
		*l.tail = (lap + 1) << 32
		drain(restartSlot, lap+2)
	}
}

// TestLane writes events as the programs do, into a lane with room for three, and reads them:
// across its end, when it is full, and when one is not complete.
func TestLane(t *testing.T) {
	const room = 3
	l := newLane(room)
	drain := func(want int, wantDone bool) {
		t.Helper()
		n := 0
		if done, _ := l.Drain(func([]byte) { n++ }); n != want || done != wantDone {
			t.Errorf("read %d events, done %v; want %d, %v", n, done, want, wantDone)
		}
	}
	for lap := range 5 {
		drain(0, true)
		for range room {
			p, ok := l.take()
			if !ok {
				t.Fatalf("lap %d: no room", lap)
			}
			l.publish(p, 1)
		}
		if _, ok := l.take(); ok {
			t.Fatalf("lap %d: room for too many", lap)
		}
		drain(room, true)
		// An incomplete record holds up the next one.
		first, _ := l.take()
		second, _ := l.take()
		l.publish(second, 1)
		drain(0, false)
		l.publish(first, 1)
		drain(2, true)
	}
	if _, filled := l.Drain(func([]byte) {}); filled != 0 {
		t.Errorf("filled %v", filled)
	}
}
