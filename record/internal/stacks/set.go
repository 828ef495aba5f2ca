//go:build linux

package stacks

import (
	"fmt"
	"maps"
	"runtime"
	"slices"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/abi"
)

// maxStacks limits the stack frames of a trace, see format.Stack, and the stacks of a process.
const maxStacks = 1 << 19

// Set turns the stacks in the kernel's records into those of a trace. It examines a record as
// soon as it is read, because the process may soon be gone: each return address becomes an address
// in a file. Looking up names takes long, so it waits for the end of the recording (Define).
//
// It does not trust frame pointers: a stack ends at the first address that does not follow a call
// instruction of a mapped file. Code that uses the frame pointer register for other purposes leaves
// arbitrary values in it.
type Set struct {
	Code   CodeMaps
	sent   map[uint32]map[uint64]sentStack // by PID and the stack's ID in events
	index  map[stackFrame]format.StackID
	frames []stackFrame // by StackID-1
	calls  map[codeAddr]bool

	missing uint64 // entries whose stack was not sent, or has no frame
	full    bool   // maxStacks was reached
}

// sentStack is a stack that the kernel side has sent.
type sentStack struct {
	id     format.StackID
	sentNs uint64 // CLOCK_MONOTONIC
}

// stackFrame is a format.Stack without names.
type stackFrame struct {
	codeAddr
	outer format.StackID
}

// codeAddr is an address in a file, or in other mapped code.
type codeAddr struct {
	file *stackFile
	addr uint64
}

// NewSet returns an empty set.
func NewSet() *Set {
	return &Set{
		Code: newCodeMaps(), sent: map[uint32]map[uint64]sentStack{},
		index: map[stackFrame]format.StackID{}, calls: map[codeAddr]bool{},
	}
}

func (s *Set) Close() { s.Code.close() }

// Add adds a stack that a process has for the first time.
func (s *Set) Add(rec *bpf.Stack) {
	var addrs []codeAddr
	process := s.Code.process(rec.PID)
	for _, ret := range rec.ReturnsTo {
		at, ok := s.Code.find(process, codeOf(ret), rec.TimeNs)
		if !ok || !s.followsCall(at) {
			break
		}
		addrs = append(addrs, at)
	}
	sent := s.sent[rec.PID]
	if sent == nil {
		sent = map[uint64]sentStack{}
		s.sent[rec.PID] = sent
	}
	if len(s.frames)+len(addrs) > maxStacks || len(sent) >= maxStacks {
		s.full = true
		return
	}
	id := format.StackID(0)
	for _, at := range slices.Backward(addrs) {
		id = s.number(stackFrame{at, id})
	}
	sent[rec.ID] = sentStack{id, rec.TimeNs}
}

// codeOf returns the code address of a return address on a stack. On arm64, pointer authentication
// may have signed it in the bits above the address
// (Documentation/arch/arm64/pointer-authentication.rst). A program gets addresses of more than 48
// bits only if it asks for them, and none does so for its code.
func codeOf(ret uint64) uint64 {
	if runtime.GOARCH == "arm64" {
		return ret & (1<<48 - 1)
	}
	return ret
}

func (s *Set) followsCall(at codeAddr) bool {
	if at.file.image == nil {
		return true
	}
	is, ok := s.calls[at]
	if !ok {
		if len(s.calls) >= maxStacks {
			clear(s.calls)
		}
		is = at.file.image.File.FollowsCall(abi.Addr(at.addr))
		s.calls[at] = is
	}
	return is
}

func (s *Set) number(p stackFrame) format.StackID {
	id, ok := s.index[p]
	if !ok {
		s.frames = append(s.frames, p)
		id = format.StackID(len(s.frames))
		s.index[p] = id
	}
	return id
}

// ID returns the stack of an event of a process, 0 if it has none.
func (s *Set) ID(pid uint32, stack uint64) format.StackID {
	id := s.sent[pid][stack].id
	if id == 0 {
		s.missing++
	}
	return id
}

// Forget drops a process that ended at endNs, once all its events have been seen. A later process
// with its ID may already have some.
func (s *Set) Forget(pid uint32, endNs uint64) {
	sent := s.sent[pid]
	maps.DeleteFunc(sent, func(_ uint64, k sentStack) bool { return k.sentNs <= endNs })
	if len(sent) == 0 {
		delete(s.sent, pid)
	}
	s.Code.forget(pid, endNs)
}

// Define names the frames and writes the stacks. It returns warnings. It adds to probed.
func (s *Set) Define(w *format.Writer, probed Probed) []string {
	funcs := newCallers(w, probed)
	for _, p := range s.frames {
		fn, line := funcs.at(p.codeAddr)
		w.AddStack(format.Stack{Func: fn, Addr: p.addr, Line: line, Outer: p.outer})
	}
	var warnings []string
	if s.missing > 0 {
		warnings = append(warnings, fmt.Sprintf("calls without a stack: %d (no room for it in the rings, or the process had ended before its mappings could be read)", s.missing))
	}
	if s.full {
		warnings = append(warnings, fmt.Sprintf("too many different stacks, with more than %d frames: calls with further stacks have none", maxStacks))
	}
	return append(warnings, funcs.withoutFramePointers()...)
}
