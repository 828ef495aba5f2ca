//go:build linux

package bpf

import (
	"bytes"
	"encoding/binary"

	"utrace/format"
)

// Sizes of records, in bytes, see types.h.
const (
	recordBytes    = 40  // struct event
	goEventBytes   = 48  // struct go_event
	argsEventBytes = 160 // struct args_event, without its texts
)

// Bits in the kind of a record, see enum record_kind of types.h.
const (
	kindNamed = 0x80
	kindArgs  = 0x100 // in a ring only
	kindName  = 0x200 // with these two: no event, only the arguments of a name
	kindStack = 0x400 // in a ring only: a Stack
)

// Positions in a cookie, see COOKIE_KIND and COOKIE_GOID of types.h.
const (
	cookieKindBit = 32
	cookieGoidBit = 48
)

// Cookie makes the cookie of a probe: its function, and the kind of its events. goid is 0, or the
// offset of a goroutine's number in the runtime's struct g.
func Cookie(fn format.FuncID, kind format.Kind, goid uint16) uint64 {
	return uint64(fn) | uint64(kind)<<cookieKindBit | uint64(goid)<<cookieGoidBit
}

// Event is struct event or struct go_event of types.h.
type Event struct {
	Kind   format.Kind
	Named  bool // Value is the number of the function's name, see Values
	Func   format.FuncID
	TimeNs uint64 // CLOCK_MONOTONIC
	SP     uint64
	Value  uint64
	PID    uint32
	TID    uint32
	GoID   uint64 // 0 unless on a goroutine's stack; then SP is the distance from its top
}

// Values are the arguments of an event. Bytes of texts are valid as long as the record.
type Values struct {
	Name       uint64 // number of the name that the arguments make, from now on; 0 if they make none
	NameOnly   bool   // there is no event, only the name
	unreadable uint16
	args       uint8
	values     [MaxArgs]uint64
	texts      []byte
}

// Len returns the number of arguments.
func (v *Values) Len() int { return int(v.args) }

// Readable reports whether argument i could be read.
func (v *Values) Readable(i int) bool { return i < int(v.args) && v.unreadable>>i&1 == 0 }

// Null reports whether argument i, which must be AsString or AsBytes, is a null pointer.
func (v *Values) Null(i int) bool { return i < int(v.args) && !v.Readable(i) && v.values[i] == 0 }

// Number returns argument i, extended to 64 bits.
func (v *Values) Number(i int) uint64 { return v.values[i] }

// Text returns the bytes of argument i, which must be AsString or AsBytes.
func (v *Values) Text(i int) []byte {
	from, n := v.values[i]>>32, v.values[i]&0xffffffff
	if from > uint64(len(v.texts)) || n > uint64(len(v.texts))-from {
		return nil
	}
	return v.texts[from : from+n]
}

// Clone returns a copy that does not depend on the record.
func (v *Values) Clone() Values {
	c := *v
	c.texts = bytes.Clone(v.texts)
	return c
}

// DecodeValues reads the arguments in a record of a ring. It reports whether there are any.
func (v *Values) DecodeValues(rec []byte) bool {
	if binary.NativeEndian.Uint32(rec[0:])&kindArgs == 0 || len(rec) < argsEventBytes {
		return false
	}
	*v = Values{
		Name:       binary.NativeEndian.Uint64(rec[40:]),
		NameOnly:   binary.NativeEndian.Uint32(rec[0:])&kindName != 0,
		unreadable: binary.NativeEndian.Uint16(rec[56:]),
		args:       min(rec[58], MaxArgs),
		texts:      rec[argsEventBytes:],
	}
	for i := range v.values {
		v.values[i] = binary.NativeEndian.Uint64(rec[64+8*i:])
	}
	v.texts = v.texts[:min(len(v.texts), int(binary.NativeEndian.Uint32(rec[60:])))]
	return true
}

// Decode reads the event in a record.
func (e *Event) Decode(rec []byte) {
	_ = rec[recordBytes-1]
	e.Kind = format.Kind(rec[0] &^ kindNamed)
	e.Named = rec[0]&kindNamed != 0
	e.Func = format.FuncID(binary.NativeEndian.Uint32(rec[4:]))
	e.TimeNs = binary.NativeEndian.Uint64(rec[8:])
	e.SP = binary.NativeEndian.Uint64(rec[16:])
	e.Value = binary.NativeEndian.Uint64(rec[24:])
	e.PID = binary.NativeEndian.Uint32(rec[32:])
	e.TID = binary.NativeEndian.Uint32(rec[36:])
	e.GoID = 0
	switch withArgs := binary.NativeEndian.Uint32(rec[0:])&kindArgs != 0; {
	case !withArgs && len(rec) == goEventBytes:
		e.GoID = binary.NativeEndian.Uint64(rec[40:])
	case withArgs && len(rec) >= argsEventBytes:
		e.GoID = binary.NativeEndian.Uint64(rec[48:])
	}
}
