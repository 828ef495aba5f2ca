package cursor

import (
	"bytes"
	"encoding/binary"
)

// cursor reads numbers from bytes; after the first read beyond the end it stays bad and reads zeros.
type Cursor struct {
	Bytes []byte
	Off   uint64
	Bad   bool
}

func (c *Cursor) Left() uint64 { return uint64(len(c.Bytes)) - c.Off }

func (c *Cursor) Skip(n uint64) {
	if n > c.Left() {
		c.Bad, c.Off = true, uint64(len(c.Bytes))
		return
	}
	c.Off += n
}

// uint reads n bytes, 8 at most, little-endian.
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

func (c *Cursor) Byte() byte { return byte(c.Uint(1)) }

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

// str reads a NUL-terminated string, as a part of the section. Of one longer than a path can be, nothing is kept.
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

// maxStringSize is the longest string that is read, in bytes: no path is longer.
const MaxText = 4096
