package dwarf

import (
	"utrace/record/internal/cursor"
)

// Attribute forms (DWARF 5, table 7.6, and the GNU extensions of fission and dwz).
const (
	formAddr          = 0x01
	formBlock2        = 0x03
	formBlock4        = 0x04
	formData2         = 0x05
	formData4         = 0x06
	formData8         = 0x07
	formString        = 0x08
	formBlock         = 0x09
	formBlock1        = 0x0a
	formData1         = 0x0b
	formFlag          = 0x0c
	formSdata         = 0x0d
	formStrp          = 0x0e
	formUdata         = 0x0f
	formRefAddr       = 0x10
	formRef1          = 0x11
	formRef2          = 0x12
	formRef4          = 0x13
	formRef8          = 0x14
	formRefUdata      = 0x15
	formIndirect      = 0x16
	formSecOffset     = 0x17
	formExprloc       = 0x18
	formFlagPresent   = 0x19
	formStrx          = 0x1a
	formAddrx         = 0x1b
	formRefSup4       = 0x1c
	formStrpSup       = 0x1d
	formData16        = 0x1e
	formLineStrp      = 0x1f
	formRefSig8       = 0x20
	formImplicitConst = 0x21
	formLoclistx      = 0x22
	formRnglistx      = 0x23
	formRefSup8       = 0x24
	formStrx1         = 0x25
	formStrx2         = 0x26
	formStrx3         = 0x27
	formStrx4         = 0x28
	formAddrx1        = 0x29
	formAddrx2        = 0x2a
	formAddrx3        = 0x2b
	formAddrx4        = 0x2c
	formGNUAddrIndex  = 0x1f01
	formGNUStrIndex   = 0x1f02
	formGNURefAlt     = 0x1f20
	formGNUStrpAlt    = 0x1f21
)

// value reads the value of an attribute and returns its number: a constant, an address, an index,
// an offset in a section, or the absolute offset of a DIE in .debug_info. The number is 0 for a
// block or a string. An unknown form makes the cursor bad.
func (u *unit) value(c *cursor.Cursor, a attrForm) uint64 {
	form := uint64(a.form)
	for form == formIndirect && !c.Bad {
		form = c.Uleb()
	}
	switch form {
	case formAddr:
		return c.Uint(u.addrSize)
	case formData1, formFlag, formStrx1, formAddrx1:
		return c.Uint(1)
	case formData2, formStrx2, formAddrx2:
		return c.Uint(2)
	case formStrx3, formAddrx3:
		return c.Uint(3)
	case formData4, formStrx4, formAddrx4, formRefSup4:
		return c.Uint(4)
	case formData8, formRefSig8, formRefSup8:
		return c.Uint(8)
	case formData16:
		c.Skip(16)
	case formUdata, formStrx, formAddrx, formLoclistx, formRnglistx, formGNUAddrIndex, formGNUStrIndex:
		return c.Uleb()
	case formSdata:
		return uint64(c.Sleb())
	case formSecOffset, formStrp, formLineStrp, formStrpSup, formGNURefAlt, formGNUStrpAlt:
		return c.Uint(u.offSize)
	case formRefAddr:
		if u.version == 2 {
			return c.Uint(u.addrSize)
		}
		return c.Uint(u.offSize)
	case formRef1:
		return u.start + c.Uint(1)
	case formRef2:
		return u.start + c.Uint(2)
	case formRef4:
		return u.start + c.Uint(4)
	case formRef8:
		return u.start + c.Uint(8)
	case formRefUdata:
		return u.start + c.Uleb()
	case formImplicitConst:
		return uint64(a.implicit)
	case formFlagPresent:
		return 1
	case formString:
		skipString(c)
	case formBlock1:
		c.Skip(c.Uint(1))
	case formBlock2:
		c.Skip(c.Uint(2))
	case formBlock4:
		c.Skip(c.Uint(4))
	case formBlock, formExprloc:
		c.Skip(c.Uleb())
	default:
		c.Bad = true
	}
	return 0
}

func skipString(c *cursor.Cursor) {
	for c.Byte() != 0 {
		if c.Bad {
			return
		}
	}
}

// text reads the value of an attribute with a string form. It is nil for another form.
func (u *unit) text(c *cursor.Cursor, a attrForm, d *Sections) []byte {
	at := func(section []byte, off uint64) []byte {
		if off >= uint64(len(section)) {
			return nil
		}
		s := cursor.Cursor{Bytes: section[:min(uint64(len(section)), off+cursor.MaxText)], Off: off}
		return s.Text()
	}
	switch a.form {
	case formString:
		return c.Text()
	case formStrp:
		return at(d.Str, c.Uint(u.offSize))
	case formLineStrp:
		return at(d.LineStr, c.Uint(u.offSize))
	case formStrx, formStrx1, formStrx2, formStrx3, formStrx4:
		i := u.value(c, a)
		return at(d.Str, u.indexed(d.StrOffsets, u.strOffsetBase, i, u.offSize))
	}
	u.value(c, a)
	return nil
}

// address reads the value of an attribute with an address form. ok is false for another form.
func (u *unit) address(c *cursor.Cursor, a attrForm, d *Sections) (addr uint64, ok bool) {
	v := u.value(c, a)
	switch a.form {
	case formAddr:
		return v, true
	case formAddrx, formAddrx1, formAddrx2, formAddrx3, formAddrx4:
		return u.indexed(d.Addr, u.addrBase, v, u.addrSize), true
	}
	return 0, false
}

// rangeStarts appends the first addresses of the parts of a function, at most eight. form and value
// are those of its DW_AT_ranges (DWARF 4, 2.17.3; DWARF 5, 7.25).
func (u *unit) rangeStarts(d *Sections, form, value uint64, to []uint64) []uint64 {
	const maxParts, maxEntries = 8, 32
	c := cursor.Cursor{Bytes: d.Ranges, Off: value}
	if u.version >= 5 {
		if form == formRnglistx {
			value = u.rnglistsBase + u.indexed(d.Rnglists, u.rnglistsBase, value, u.offSize)
		}
		c = cursor.Cursor{Bytes: d.Rnglists, Off: value}
	}

	if value > uint64(len(c.Bytes)) {
		return to
	}
	base := u.lowPC
	for range maxEntries {
		start, _, isRange, last := u.rangeEntry(&c, d, &base)
		if last || c.Bad || len(to) == maxParts {
			break
		}
		if isRange {
			to = append(to, start)
		}
	}
	return to
}

// rangeEntry reads one entry of a range list. The entry is a range from start up to end, a new base
// address, or the last of the list.
func (u *unit) rangeEntry(c *cursor.Cursor, d *Sections, base *uint64) (start, end uint64, isRange, last bool) {
	if u.version < 5 {
		lo, hi := c.Uint(u.addrSize), c.Uint(u.addrSize)
		if lo == 1<<(8*u.addrSize)-1 { // all ones; 8 bytes of them by overflow
			*base = hi
			return 0, 0, false, false
		}
		return *base + lo, *base + hi, true, lo == 0 && hi == 0
	}

	const (
		baseAddressx, startxEndx, startxLength         = 1, 2, 3
		offsetPair, baseAddress, startEnd, startLength = 4, 5, 6, 7
	)
	switch c.Byte() {
	case baseAddressx:
		*base = u.indexed(d.Addr, u.addrBase, c.Uleb(), u.addrSize)
		return 0, 0, false, false
	case startxEndx:
		start = u.indexed(d.Addr, u.addrBase, c.Uleb(), u.addrSize)
		end = u.indexed(d.Addr, u.addrBase, c.Uleb(), u.addrSize)
	case startxLength:
		start = u.indexed(d.Addr, u.addrBase, c.Uleb(), u.addrSize)
		end = start + c.Uleb()
	case offsetPair:
		start, end = *base+c.Uleb(), *base+c.Uleb()
	case baseAddress:
		*base = c.Uint(u.addrSize)
		return 0, 0, false, false
	case startEnd:
		start, end = c.Uint(u.addrSize), c.Uint(u.addrSize)
	case startLength:
		start = c.Uint(u.addrSize)
		end = start + c.Uleb()
	default: // the end of the list, or unknown
		return 0, 0, false, true
	}
	return start, end, true, false
}

// indexed returns number i, of size bytes, in the table at base of a section. It is 0 beyond the
// end.
func (u *unit) indexed(section []byte, base, i, size uint64) uint64 {
	if i > uint64(len(section)) || base > uint64(len(section)) {
		return 0
	}
	c := cursor.Cursor{Bytes: section, Off: min(base+i*size, uint64(len(section)))}
	return c.Uint(size)
}
