package cursor

import (
	"bytes"
	"encoding/binary"
)

// Cursor is a position in bytes. Numbers are little-endian. Once a read has gone beyond the end,
// Bad is set, and this and every further read give zeros: it is enough to check Bad after several
// reads. The zero value reads no bytes.
type Cursor struct {
	Bytes []byte
	Off   uint64 // the next byte to read
	Bad   bool   // a read went beyond the end
}

// Left returns how many bytes are not read yet.
func (c *Cursor) Left() uint64 { return uint64(len(c.Bytes)) - c.Off }

// Skip skips n bytes.
func (c *Cursor) Skip(n uint64) {
	if n > c.Left() {
		c.Bad, c.Off = true, uint64(len(c.Bytes))
		return
	}
	c.Off += n
}

// Uint reads a number of n bytes, at most 8.
func (c *Cursor) Uint(n uint64) uint64 {
	start := c.Off
	if c.Skip(n); c.Bad {
		return 0
	}
	switch n {
	case 1:
		return uint64(c.Bytes[start])
	case 4:
		return uint64(binary.LittleEndian.Uint32(c.Bytes[start:]))
	case 8:
		return binary.LittleEndian.Uint64(c.Bytes[start:])
	}
	v := uint64(0)
	for i := range n {
		v |= uint64(c.Bytes[start+i]) << (8 * i)
	}
	return v
}

// Byte reads one byte.
func (c *Cursor) Byte() byte { return byte(c.Uint(1)) }

// Uleb reads an unsigned LEB128 number (DWARF 5, 7.6). Bits beyond the 64th are dropped.
func (c *Cursor) Uleb() uint64 {
	v := uint64(0)
	for shift := 0; ; shift += 7 {
		b := c.Byte()
		if shift < 64 {
			v |= uint64(b&0x7f) << shift
		}
		if b < 0x80 {
			return v
		}
	}
}

// Sleb reads a signed LEB128 number (DWARF 5, 7.6). Bits beyond the 64th are dropped.
func (c *Cursor) Sleb() int64 {
	v, shift := int64(0), 0
	for {
		b := c.Byte()
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

// Text reads a string that a NUL ends, and returns a part of Bytes without the NUL. A string longer
// than MaxText is skipped and returned as nil.
func (c *Cursor) Text() []byte {
	n := bytes.IndexByte(c.Bytes[c.Off:], 0)
	if n < 0 {
		c.Skip(c.Left() + 1)
		return nil
	}
	s := c.Bytes[c.Off : c.Off+uint64(n)]
	c.Off += uint64(n) + 1
	if n > MaxText {
		return nil
	}
	return s
}

// MaxText is the longest string that Text returns, in bytes: no path is longer.
const MaxText = 4096
