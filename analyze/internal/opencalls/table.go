// Package opencalls finds the innermost open call of a function in a thread.
package opencalls

import (
	"math/rand/v2"

	"utrace/format"
)

// None is the index of no frame.
const None = -1

// maxDirect is the number of functions that have a place by their number.
const maxDirect = 2048

// maxIdleSlots is the size up to which the hash table grows for functions that are not open.
const maxIdleSlots = 1024

// Table finds a thread's topmost open frame of a function. The first functions of a trace have a
// place by their number. The others are in a hash table, which grows with the functions open at the
// same time, not with all functions. Each thread has a Table, so it is small while empty: the zero
// value is ready. A trace chooses its function numbers, so the hash is random.
type Table struct {
	direct     []int32 // by function
	slots      []slot  // a power of two of them
	used       int     // slots that hold a function, open or not
	multiplier uint64
	shift      uint8
}

// slot is the place of a function in the hash table.
type slot struct {
	key uint32 // function + 1, 0 where the slot is free
	top int32
}

// Top returns where the index of the topmost open frame of fn is kept, None if there is none. It is
// valid until the next call of Top.
func (o *Table) Top(fn format.FuncID) *int32 {
	if int(fn) < len(o.direct) {
		return &o.direct[fn]
	}
	return o.distant(fn)
}

// distant is Top for functions that are not in direct, perhaps not yet.
func (o *Table) distant(fn format.FuncID) *int32 {
	if fn < maxDirect {
		size := 16
		for size <= int(fn) {
			size *= 2
		}
		for len(o.direct) < size {
			o.direct = append(o.direct, None)
		}
		return &o.direct[fn]
	}
	key := uint32(fn) + 1
	if s := o.find(key); s != nil && s.key == key {
		return &s.top
	}
	if 2*o.used >= len(o.slots) {
		o.rebuild()
	}
	s := o.find(key)
	*s = slot{key: key, top: None}
	o.used++
	return &s.top
}

// find returns the slot that holds key, else the free slot where it belongs.
func (o *Table) find(key uint32) *slot {
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
		if s.top != None && s.key != 0 {
			open++
		}
	}
	size, shift := 16, 60
	for size < 4*(open+1) || size < min(2*len(old), maxIdleSlots) {
		size, shift = size*2, shift-1
	}
	o.slots, o.used, o.shift, o.multiplier = make([]slot, size), open, uint8(shift), rand.Uint64()|1
	for _, s := range old {
		if s.top != None && s.key != 0 {
			*o.find(s.key) = s
		}
	}
}
