// Package opencalls finds the innermost open call of a function in a thread.
package opencalls

import (
	"math/rand/v2"

	"utrace/format"
)

// None is the index of no frame.
const None = -1

// maxIdleSlots is the size up to which a Table grows for functions that are not open.
const maxIdleSlots = 1024

// Table finds a thread's topmost open frame of a function. It is a hash table that grows with the
// functions open at the same time, not with all functions. Each thread has one, so it is small
// while empty: the zero value is ready. A trace chooses its function numbers, so the hash is random.
type Table struct {
	slots      []Slot // a power of two of them
	used       int    // slots that hold a function, open or not
	multiplier uint64
	shift      uint8
}

// Slot is the place of a function in a Table.
type Slot struct {
	key uint32 // function + 1, 0 where the slot is free
	Top int32  // index of the topmost open frame, None if there is none
}

// Slot returns the slot of fn, which stays valid until the next call of Slot.
func (o *Table) Slot(fn format.FuncID) *Slot {
	key := uint32(fn) + 1
	if len(o.slots) > 0 {
		at := uint64(key) * o.multiplier >> o.shift
		if s := &o.slots[at&uint64(len(o.slots)-1)]; s.key == key { // nearly always
			return s
		}
	}
	return o.search(key)
}

// search returns the slot of a key that may not be where its hash is.
func (o *Table) search(key uint32) *Slot {
	if s := o.find(key); s != nil && s.key == key {
		return s
	}
	if 2*o.used >= len(o.slots) {
		o.rebuild()
	}
	s := o.find(key)
	*s = Slot{key: key, Top: None}
	o.used++
	return s
}

// find returns the slot that holds key, else the free slot where it belongs.
func (o *Table) find(key uint32) *Slot {
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
func (o *Table) rebuild() {
	old := o.slots
	open := 0
	for _, s := range old {
		if s.Top != None && s.key != 0 {
			open++
		}
	}
	size, shift := 16, 60
	for size < 4*(open+1) || size < min(2*len(old), maxIdleSlots) {
		size, shift = size*2, shift-1
	}
	*o = Table{slots: make([]Slot, size), used: open, shift: uint8(shift), multiplier: rand.Uint64() | 1}
	for _, s := range old {
		if s.Top != None && s.key != 0 {
			*o.find(s.key) = s
		}
	}
}
