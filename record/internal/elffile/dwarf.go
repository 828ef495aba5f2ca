package elffile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Numbers of the DWARF standard, version 5, section 7.
const (
	tagClass             = 0x02
	tagEntryPoint        = 0x03
	tagCompileUnit       = 0x11
	tagStructure         = 0x13
	tagUnion             = 0x17
	tagModule            = 0x1e
	tagSubprogram        = 0x2e
	tagInterface         = 0x38
	tagNamespace         = 0x39
	tagPartialUnit       = 0x3c
	tagSkeletonUnit      = 0x4a
	tagInlinedSubroutine = 0x1d
	attrSibling          = 0x01
	attrName             = 0x03
	attrInline           = 0x20
	attrLinkageName      = 0x6e
	attrMIPSLinkageName  = 0x2007 // before DWARF 4
	attrStmtList         = 0x10
	attrLowPC            = 0x11
	attrCompDir          = 0x1b
	attrAbstractOrigin   = 0x31
	attrRanges           = 0x55
	attrRnglistsBase     = 0x74
	attrDeclFile         = 0x3a
	attrDeclLine         = 0x3b
	attrSpecification    = 0x47
	attrStrOffsetsBase   = 0x72
	attrAddrBase         = 0x73
)

// Limits on DWARF, in bytes.
const (
	maxDWARF   = 1 << 30  // of all sections together, decompressed
	maxAbbrevs = 32 << 20 // of all abbreviation tables that are read
)

// maxAttrs is the number of attributes in one abbreviation; compilers use some 20. Attributes without bytes (flags,
// constants in the abbreviation) would make a DIE of one byte arbitrarily expensive.
const maxAttrs = 256

var errDWARF = errors.New("malformed DWARF")

// cursor reads numbers from bytes; after the first read beyond the end it stays bad and reads zeros.
type cursor struct {
	b   []byte
	off uint64
	bad bool
}

func (c *cursor) left() uint64 { return uint64(len(c.b)) - c.off }

func (c *cursor) skip(n uint64) {
	if n > c.left() {
		c.bad, c.off = true, uint64(len(c.b))
		return
	}
	c.off += n
}

// uint reads n bytes, 8 at most, little-endian.
func (c *cursor) uint(n uint64) uint64 {
	start := c.off
	if c.skip(n); c.bad {
		return 0
	}
	switch n {
	case 1:
		return uint64(c.b[start])
	case 4:
		return uint64(binary.LittleEndian.Uint32(c.b[start:]))
	case 8:
		return binary.LittleEndian.Uint64(c.b[start:])
	}
	v := uint64(0)
	for i := range n {
		v |= uint64(c.b[start+i]) << (8 * i)
	}
	return v
}

func (c *cursor) byte() byte { return byte(c.uint(1)) }

func (c *cursor) uleb() uint64 {
	v := uint64(0)
	for shift := 0; ; shift += 7 {
		b := c.byte()
		if shift < 64 {
			v |= uint64(b&0x7f) << shift
		}
		if b < 0x80 {
			return v
		}
	}
}

func (c *cursor) sleb() int64 {
	v, shift := int64(0), 0
	for {
		b := c.byte()
		if shift < 64 {
			v |= int64(b&0x7f) << shift
		}
		shift += 7
		if b < 0x80 {
			if b&0x40 != 0 && shift < 64 {
				v |= -1 << shift
			}
			return v
		}
	}
}

// str reads a NUL-terminated string, as a part of the section. Of one longer than a path can be, nothing is kept.
func (c *cursor) str() []byte {
	n := bytes.IndexByte(c.b[c.off:], 0)
	if n < 0 {
		c.skip(c.left() + 1)
		return nil
	}
	s := c.b[c.off : c.off+uint64(n)]
	c.off += uint64(n) + 1
	if n > maxString {
		return nil
	}
	return s
}

// dwarfData are the sections, decompressed.
type dwarfData struct {
	abbrev, info, line, str, lineStr, addr, strOffsets, ranges, rnglists []byte
	loc, loclists, types                                                 []byte // read for signatures only
}

// abbrev is the shape of a debugging information entry (DIE).
type abbrev struct {
	tag      uint64
	children bool
	attrs    []attrForm
}

type attrForm struct {
	attr, form uint16
	implicit   int64 // the value, for DW_FORM_implicit_const
}

// abbrevs is one abbreviation table; compilers number from 1 without gaps, others land in the map.
type abbrevs struct {
	dense  []abbrev
	sparse map[uint64]abbrev
}

func (a *abbrevs) find(code uint64) *abbrev {
	if a == nil {
		return nil
	}
	if code-1 < uint64(len(a.dense)) {
		return &a.dense[code-1]
	}
	if ab, ok := a.sparse[code]; ok {
		return &ab
	}
	return nil
}

// abbrevTables are the abbreviation tables of a file that have been read.
type abbrevTables struct {
	tables map[uint64]*abbrevs // by offset; nil of what is none: it is not read again
	bytes  uint64
}

// at returns the table at off of a section, nil if there is none, or too many are read.
func (t *abbrevTables) at(section []byte, off uint64) *abbrevs {
	if table, ok := t.tables[off]; ok {
		return table
	}
	if off >= uint64(len(section)) || t.bytes >= maxAbbrevs {
		return nil
	}
	if t.tables == nil {
		t.tables = map[uint64]*abbrevs{}
	}
	c := &cursor{b: section, off: off}
	table, _ := parseAbbrevs(c, maxAbbrevs-t.bytes)
	t.bytes += c.off - off
	t.tables[off] = table
	return table
}

// parseAbbrevs reads the table at the cursor (DWARF 5, 7.5.3), reading at most budget bytes.
func parseAbbrevs(c *cursor, budget uint64) (*abbrevs, error) {
	t := &abbrevs{sparse: map[uint64]abbrev{}}
	for start := c.off; c.off-start < budget; {
		code := c.uleb()
		if code == 0 || c.bad {
			return t, nil
		}
		ab := abbrev{tag: c.uleb(), children: c.byte() != 0}
		for c.off-start < budget && !c.bad {
			attr, form := c.uleb(), c.uleb()
			var implicit int64
			if form == formImplicitConst {
				implicit = c.sleb()
			}
			if attr == 0 && form == 0 {
				break
			}
			if attr > 0xffff || form > 0xffff {
				return nil, fmt.Errorf("%w: attribute %#x with form %#x", errDWARF, attr, form)
			}
			if len(ab.attrs) == maxAttrs {
				return nil, fmt.Errorf("abbreviation with %d attributes: %w", maxAttrs, ErrTooLarge)
			}
			ab.attrs = append(ab.attrs, attrForm{uint16(attr), uint16(form), implicit})
		}
		if code == uint64(len(t.dense))+1 {
			t.dense = append(t.dense, ab)
		} else {
			t.sparse[code] = ab
		}
	}
	return nil, fmt.Errorf("abbreviations: %w", ErrTooLarge)
}

// unit is the header of a compilation unit and what of its first DIE the others need.
type unit struct {
	start, end uint64 // in .debug_info; start is that of the header
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

// setBase takes an attribute of the first DIE of a unit, if it is one that indexed strings, addresses and ranges need.
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

// parseUnit reads the unit header at the cursor (DWARF 5, 7.5.1) and leaves the cursor at the first DIE. types is true for a
// type unit, which has no code.
func parseUnit(c *cursor) (u unit, abbrevOff uint64, types bool, err error) {
	u = unit{start: c.off, offSize: 4, addrSize: 8}
	length := c.uint(4)
	if length == 0xffffffff {
		u.offSize, length = 8, c.uint(8)
	}
	if c.bad || length > c.left() {
		return u, 0, false, fmt.Errorf("%w: unit at %#x of %d bytes", errDWARF, u.start, length)
	}
	u.end = c.off + length
	u.version = c.uint(2)
	switch u.version {
	case 2, 3, 4:
		abbrevOff = c.uint(u.offSize)
		u.addrSize = c.uint(1)
	case 5:
		const typeUnit, skeletonUnit, splitCompileUnit, splitTypeUnit = 2, 4, 5, 6
		kind := c.byte()
		u.addrSize = c.uint(1)
		abbrevOff = c.uint(u.offSize)
		switch kind {
		case typeUnit, splitTypeUnit:
			types = true
		case skeletonUnit, splitCompileUnit:
			c.skip(8)
		}
		// Behind the headers of .debug_addr, .debug_str_offsets and .debug_rnglists, if the unit does not say.
		u.addrBase, u.strOffsetBase, u.rnglistsBase = 8, 8, 12
	default:
		return u, 0, false, fmt.Errorf("%w: unit at %#x has version %d", errDWARF, u.start, u.version)
	}
	if c.bad || c.off > u.end || u.addrSize != 8 && u.addrSize != 4 {
		return u, 0, false, fmt.Errorf("%w: header of the unit at %#x", errDWARF, u.start)
	}
	return u, abbrevOff, types, nil
}
