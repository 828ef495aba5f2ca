package format

import (
	"encoding/binary"
	"errors"
)

// errFlatbuf is the error of each access outside the flatbuffer.
var errFlatbuf = errors.New("metadata is damaged")

// flatTable is a table of a flatbuffer. Each offset is checked: the generated accessors would panic
// on unexpected bytes. The layout is https://flatbuffers.dev/internals: a table starts with the
// distance back to its vtable. A vtable has its own size, the size of the table, and a 16-bit
// offset for each field, 0 if the field is absent.
type flatTable struct {
	buf []byte
	pos int
	err *error // first error of all tables of a buffer
}

// flatRoot returns the root table of a flatbuffer.
func flatRoot(buf []byte, err *error) flatTable {
	t := flatTable{buf: buf, err: err}
	t.pos = t.follow(0)
	return t
}

func (t flatTable) fail() { *t.err = errFlatbuf }

func (t flatTable) u16(at int) int {
	if at < 0 || at+2 > len(t.buf) {
		t.fail()
		return 0
	}
	return int(binary.LittleEndian.Uint16(t.buf[at:]))
}

func (t flatTable) u32(at int) int {
	if at < 0 || at+4 > len(t.buf) {
		t.fail()
		return 0
	}
	return int(binary.LittleEndian.Uint32(t.buf[at:]))
}

func (t flatTable) i64(at int) int64 {
	if at < 0 || at+8 > len(t.buf) {
		t.fail()
		return 0
	}
	return int64(binary.LittleEndian.Uint64(t.buf[at:]))
}

// follow returns the position that the offset stored at a position points to.
func (t flatTable) follow(at int) int {
	to := at + t.u32(at)
	if to <= at || to >= len(t.buf) {
		t.fail()
		return 0
	}
	return to
}

// field returns the position of a field's value, 0 if it is absent.
func (t flatTable) field(slot int) int {
	if *t.err != nil {
		return 0
	}
	vtable := t.pos - int(int32(t.u32(t.pos)))
	entry := 4 + 2*slot
	if entry+2 > t.u16(vtable) {
		return 0
	}
	off := t.u16(vtable + entry)
	if off == 0 {
		return 0
	}
	return t.pos + off
}

func (t flatTable) byteField(slot int) byte {
	at := t.field(slot)
	if at == 0 {
		return 0
	}
	if at >= len(t.buf) {
		t.fail()
		return 0
	}
	return t.buf[at]
}

func (t flatTable) int32Field(slot int) int {
	if at := t.field(slot); at != 0 {
		return int(int32(t.u32(at)))
	}
	return 0
}

func (t flatTable) int64Field(slot int) int64 {
	if at := t.field(slot); at != 0 {
		return t.i64(at)
	}
	return 0
}

// table returns a table that a field points to.
func (t flatTable) table(slot int) (flatTable, bool) {
	at := t.field(slot)
	if at == 0 || *t.err != nil {
		return flatTable{}, false
	}
	sub := flatTable{buf: t.buf, err: t.err}
	sub.pos = t.follow(at)
	return sub, *t.err == nil
}

// vector returns where the elements of a vector begin and how many there are; all of them lie
// inside the buffer.
func (t flatTable) vector(slot, elemSize int) (start, n int) {
	at := t.field(slot)
	if at == 0 || *t.err != nil {
		return 0, 0
	}
	at = t.follow(at)
	n = t.u32(at)
	start = at + 4
	if *t.err != nil || n > (len(t.buf)-start)/elemSize {
		t.fail()
		return 0, 0
	}
	return start, n
}

func (t flatTable) stringField(slot int) string {
	start, n := t.vector(slot, 1)
	return string(t.buf[start : start+n])
}

// tables returns the tables of a vector of tables.
func (t flatTable) tables(slot int) []flatTable {
	start, n := t.vector(slot, 4)
	var list []flatTable
	for i := range n {
		sub := flatTable{buf: t.buf, err: t.err}
		sub.pos = t.follow(start + 4*i)
		if *t.err != nil {
			return nil
		}
		list = append(list, sub)
	}
	return list
}
