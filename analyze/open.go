package analyze

import (
	"math/rand/v2"

	"utrace/format"
)

// none is the index of no frame.
const none = -1

// maxIdleSlots is the size up to which an openCalls grows for functions that are not open.
const maxIdleSlots = 1024

// openCalls finds a thread's topmost open frame of a function. It is a hash table that grows with
// the functions open at the same time, not with all functions. Each thread has one, so it must be
// small while empty. A trace chooses its function numbers, so the hash is random.
type openCalls struct {
	slots      []openSlot // a power of two of them
	used       int        // slots that hold a function, open or not
	multiplier uint64
	shift      uint8
}

type openSlot struct {
	key uint32 // function + 1, 0 where the slot is free
	top int32  // index of the topmost open frame, none if there is none
}

// slot returns the slot of fn, which stays valid until the next call of slot.
func (o *openCalls) slot(fn format.FuncID) *openSlot {
	key := uint32(fn) + 1
	if s := o.find(key); s != nil && s.key == key {
		return s
	}
	if 2*o.used >= len(o.slots) {
		o.rebuild()
	}
	s := o.find(key)
	*s = openSlot{key: key, top: none}
	o.used++
	return s
}

// find returns the slot that holds key, else the free slot where it belongs.
func (o *openCalls) find(key uint32) *openSlot {
	if len(o.slots) == 0 {
		return nil
	}
	mask := uint64(len(o.slots) - 1)
	for at := uint64(key) * o.multiplier >> o.shift; ; at++ {
		s := &o.slots[at&mask]
		if s.key == key || s.key == 0 {
			return s
		}
	}
}

// rebuild forgets the functions that are not open and makes room for others.
func (o *openCalls) rebuild() {
	old := o.slots
	open := 0
	for _, s := range old {
		if s.top != none && s.key != 0 {
			open++
		}
	}
	size, shift := 16, 60
	for size < 4*(open+1) || size < min(2*len(old), maxIdleSlots) {
		size, shift = size*2, shift-1
	}
	*o = openCalls{slots: make([]openSlot, size), used: open, shift: uint8(shift), multiplier: rand.Uint64() | 1}
	for _, s := range old {
		if s.top != none && s.key != 0 {
			*o.find(s.key) = s
		}
	}
}
