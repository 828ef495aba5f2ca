package dwarf

import (
	"fmt"

	"utrace/record/internal/cursor"
)

// unit is the header of a compilation unit, with the attributes of its first DIE that other DIEs
// need.
type unit struct {
	start, end uint64 // in .debug_info; start is the header's
	version    uint64
	offSize    uint64 // 4, or 8 in 64-bit DWARF
	addrSize   uint64

	compDir       []byte
	hasLine       bool
	line          uint64 // offset of the line program
	addrBase      uint64
	strOffsetBase uint64
	rnglistsBase  uint64
	lowPC         uint64
}

// setBase takes an attribute of the first DIE of a unit if indexed strings, addresses and ranges
// need it.
func (u *unit) setBase(attr uint16, v uint64) {
	switch attr {
	case attrAddrBase:
		u.addrBase = v
	case attrStrOffsetsBase:
		u.strOffsetBase = v
	case attrRnglistsBase:
		u.rnglistsBase = v
	}
}

// parseUnit reads the unit header at the cursor (DWARF 5, 7.5.1) and leaves the cursor at the first
// DIE. types is true for a type unit, which has no code.
func parseUnit(c *cursor.Cursor) (u unit, abbrevOff uint64, types bool, err error) {
	u = unit{start: c.Off, offSize: 4, addrSize: 8}
	length := c.Uint(4)
	if length == 0xffffffff {
		u.offSize, length = 8, c.Uint(8)
	}
	if c.Bad || length > c.Left() {
		return u, 0, false, fmt.Errorf("%w: unit at %#x of %d bytes", ErrMalformed, u.start, length)
	}
	u.end = c.Off + length
	u.version = c.Uint(2)
	switch u.version {
	case 2, 3, 4:
		abbrevOff = c.Uint(u.offSize)
		u.addrSize = c.Uint(1)
	case 5:
		const typeUnit, skeletonUnit, splitCompileUnit, splitTypeUnit = 2, 4, 5, 6
		kind := c.Byte()
		u.addrSize = c.Uint(1)
		abbrevOff = c.Uint(u.offSize)
		switch kind {
		case typeUnit, splitTypeUnit:
			types = true
		case skeletonUnit, splitCompileUnit:
			c.Skip(8)
		}
		// The defaults are just after the headers of .debug_addr, .debug_str_offsets and
		// .debug_rnglists.
		u.addrBase, u.strOffsetBase, u.rnglistsBase = 8, 8, 12
	default:
		return u, 0, false, fmt.Errorf("%w: unit at %#x has version %d", ErrMalformed, u.start, u.version)
	}

	if c.Bad || c.Off > u.end || u.addrSize != 8 && u.addrSize != 4 {
		return u, 0, false, fmt.Errorf("%w: header of the unit at %#x", ErrMalformed, u.start)
	}
	return u, abbrevOff, types, nil
}
