package bpf

import (
	"bytes"
	"encoding/binary"

	"utrace/format"
)

// RecordBytes is the size of every record in a ring.
const RecordBytes = 40

// kindLoss marks a struct loss; see event.h.
const kindLoss = 20

// cookieKindShift is COOKIE_KIND_SHIFT of event.h.
const cookieKindShift = 32

// Cookie makes the cookie of a probe: which function it belongs to and which
// kind of event a pass over it is.
func Cookie(fn format.FuncID, kind format.Kind) uint64 {
	return uint64(fn) | uint64(kind)<<cookieKindShift
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
func DecodeTask(rec *[RecordBytes]byte) Task {
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

// Event is struct event of event.h.
type Event struct {
	Kind   format.Kind
	Func   format.FuncID
	TimeNs uint64 // CLOCK_MONOTONIC
	SP     uint64
	Value  uint64
	PID    uint32
	TID    uint32
}

// Loss is struct loss of event.h.
type Loss struct {
	FirstNs, LastNs  uint64 // CLOCK_MONOTONIC
	Entries, Returns uint64
}

// IsLoss reports whether a record is a Loss; otherwise it is an Event.
func IsLoss(rec *[RecordBytes]byte) bool {
	return binary.NativeEndian.Uint32(rec[:]) == kindLoss
}

// Decode reads the event in a record.
func (e *Event) Decode(rec *[RecordBytes]byte) {
	e.Kind = format.Kind(binary.NativeEndian.Uint32(rec[0:]))
	e.Func = format.FuncID(binary.NativeEndian.Uint32(rec[4:]))
	e.TimeNs = binary.NativeEndian.Uint64(rec[8:])
	e.SP = binary.NativeEndian.Uint64(rec[16:])
	e.Value = binary.NativeEndian.Uint64(rec[24:])
	e.PID = binary.NativeEndian.Uint32(rec[32:])
	e.TID = binary.NativeEndian.Uint32(rec[36:])
}

// DecodeLoss reads the loss in a record.
func DecodeLoss(rec *[RecordBytes]byte) Loss {
	return Loss{
		FirstNs: binary.NativeEndian.Uint64(rec[8:]),
		LastNs:  binary.NativeEndian.Uint64(rec[16:]),
		Entries: binary.NativeEndian.Uint64(rec[24:]),
		Returns: binary.NativeEndian.Uint64(rec[32:]),
	}
}
