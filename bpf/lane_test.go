//go:build linux

package bpf

import (
	"encoding/binary"
	"testing"
)

// TestLane writes events as the programs do, into a lane with room for three, and reads them: over
// its end, when it is full, and when one is not complete.
func TestLane(t *testing.T) {
	const room = 3
	var head, tail uint64
	l := &Lane{head: &head, tail: &tail, events: make([]byte, room*recordBytes)}
	take := func() (p position, ok bool) { // new_event of utrace.bpf.c
		p = position(head)
		if head-tail == 1<<32 {
			return p, false
		}
		head = uint64(p.next(room))
		return p, true
	}
	publish := func(p position, kind uint32) {
		binary.NativeEndian.PutUint32(l.events[p.place()*recordBytes:], p.tag()<<8|kind)
	}
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
			p, ok := take()
			if !ok {
				t.Fatalf("lap %d: no room", lap)
			}
			publish(p, 1)
		}
		if _, ok := take(); ok {
			t.Fatalf("lap %d: room for too many", lap)
		}
		drain(room, true)
		// One that is incomplete holds up the one behind it.
		first, _ := take()
		second, _ := take()
		publish(second, 1)
		drain(0, false)
		publish(first, 1)
		drain(2, true)
	}
	if _, filled := l.Drain(func([]byte) {}); filled != 0 {
		t.Errorf("filled %v", filled)
	}
}
