package dwarf

import (
	"utrace/record/internal/cursor"
)

// listEntry returns the expression of a location list that holds at address a (DWARF 4, 2.6.2;
// DWARF 5, 7.7.3).
func (d *Info) listEntry(u *infoUnit, list uint64, a uint64) ([]byte, bool) {
	if u.version < 5 {
		return d.oldListEntry(u, list, a)
	}
	const (
		endOfList, baseAddressx, startxEndx, startxLength, offsetPair = 0, 1, 2, 3, 4
		defaultLocation, baseAddress, startEnd, startLength, viewPair = 5, 6, 7, 8, 9
	)
	if list >= uint64(len(d.data.Loclists)) {
		return nil, false
	}
	c := cursor.Cursor{Bytes: d.data.Loclists, Off: list}
	base := u.lowPC
	indexed := func() uint64 { return u.indexed(d.data.Addr, u.addrBase, c.Uleb(), u.addrSize) }
	for range maxListWork {
		var start, end uint64
		switch c.Byte() {
		case baseAddressx:
			base = indexed()
			continue
		case baseAddress:
			base = c.Uint(u.addrSize)
			continue
		case viewPair:
			c.Uleb()
			c.Uleb()
			continue
		case startxEndx:
			start, end = indexed(), indexed()
		case startxLength:
			start = indexed()
			end = start + c.Uleb()
		case offsetPair:
			start, end = base+c.Uleb(), base+c.Uleb()
		case defaultLocation:
			start, end = a, a+1
		case startEnd:
			start, end = c.Uint(u.addrSize), c.Uint(u.addrSize)
		case startLength:
			start = c.Uint(u.addrSize)
			end = start + c.Uleb()
		default: // the end, or unknown
			return nil, false
		}
		n := c.Uleb()
		from := c.Off
		if c.Skip(n); c.Bad {
			return nil, false
		}
		if start <= a && a < end {
			return c.Bytes[from:c.Off], true
		}
	}
	return nil, false
}

// oldListEntry is listEntry for a list of .debug_loc.
func (d *Info) oldListEntry(u *infoUnit, list uint64, a uint64) ([]byte, bool) {
	if list >= uint64(len(d.data.Loc)) {
		return nil, false
	}
	c := cursor.Cursor{Bytes: d.data.Loc, Off: list}
	base := u.lowPC
	for range maxListWork {
		lo, hi := c.Uint(u.addrSize), c.Uint(u.addrSize)
		if c.Bad || lo == 0 && hi == 0 {
			return nil, false
		}
		if lo == 1<<(8*u.addrSize)-1 { // all ones; 8 bytes of them by overflow
			base = hi
			continue
		}
		n := c.Uint(2)
		from := c.Off
		if c.Skip(n); c.Bad {
			return nil, false
		}
		if base+lo <= a && a < base+hi {
			return c.Bytes[from:c.Off], true
		}
	}
	return nil, false
}
