package bpf

import (
	"bytes"
	"encoding/binary"

	"utrace/format"
)

// Sizes of the records in a ring.
const (
	recordBytes  = 40 // struct event
	goEventBytes = 48 // struct go_event

	argsEventBytes = 160 // struct args_event, without its texts
)

// Bits in the kind of a record, see event.h.
const (
	kindNamed = 0x80
	kindArgs  = 0x100 // in a ring only
	kindName  = 0x200 // with these two: nothing has happened
)

// Cookie makes the cookie of a probe: which function it belongs to and which
// kind of event a pass over it is. goid is 0, or where a Go program's goroutines
// have their number. See COOKIE_KIND and COOKIE_GOID of event.h.
func Cookie(fn format.FuncID, kind format.Kind, goid uint16) uint64 {
	return uint64(fn) | uint64(kind)<<32 | uint64(goid)<<48
}

// TaskKind is enum task_kind of event.h.
type TaskKind uint32

const (
	// TaskFork: a process has been made; nothing of it has run yet.
	TaskFork TaskKind = 1
	// TaskExec: a process runs another program, with a single thread.
	TaskExec TaskKind = 2
	// TaskThreadExit: a thread has ended.
	TaskThreadExit TaskKind = 3
	// TaskProcessExit: a process has ended, and its last thread with it.
	TaskProcessExit TaskKind = 4
)

// Task is struct task of event.h.
type Task struct {
	Kind   TaskKind
	Other  uint32 // of TaskFork the parent; of TaskExec the former ID of the thread
	TimeNs uint64 // CLOCK_MONOTONIC
	Comm   string
	PID    uint32
	TID    uint32
}

// DecodeTask reads a record of the ring of tasks.
func DecodeTask(rec []byte) Task {
	comm, _, _ := bytes.Cut(rec[16:32], []byte{0})
	return Task{
		Kind:   TaskKind(binary.NativeEndian.Uint32(rec[0:])),
		Other:  binary.NativeEndian.Uint32(rec[4:]),
		TimeNs: binary.NativeEndian.Uint64(rec[8:]),
		Comm:   string(comm),
		PID:    binary.NativeEndian.Uint32(rec[32:]),
		TID:    binary.NativeEndian.Uint32(rec[36:]),
	}
}

// Event is struct event or struct go_event of event.h.
type Event struct {
	Kind   format.Kind
	Named  bool // Value stands for the name of the function
	Func   format.FuncID
	TimeNs uint64 // CLOCK_MONOTONIC
	SP     uint64
	Value  uint64
	PID    uint32
	TID    uint32
	GoID   uint64 // 0 unless on a goroutine's stack; then SP counts from the top of that
}

// Values are what an event with arguments carries. Bytes of texts are valid as long as the record.
type Values struct {
	Name       uint64 // what stands for the name that its arguments make, from now on; 0 if they make none
	NameOnly   bool   // nothing has happened but that
	unreadable uint16
	args       uint8
	values     [MaxArgs]uint64
	texts      []byte
}

// Len returns the number of arguments.
func (v *Values) Len() int { return int(v.args) }

// Readable reports whether argument i could be read.
func (v *Values) Readable(i int) bool { return i < int(v.args) && v.unreadable>>i&1 == 0 }

// Number returns argument i, extended to 64 bits.
func (v *Values) Number(i int) uint64 { return v.values[i] }

// Text returns the bytes of argument i, which is one of AsString or AsBytes.
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

// DecodeValues reads what a record of a ring carries beside the Event. It reports whether it carries any.
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

// Loss is struct loss of event.h.
type Loss struct {
	FirstNs, LastNs  uint64 // CLOCK_MONOTONIC
	Entries, Returns uint64
	Sched            uint64 // records of the scheduler
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
