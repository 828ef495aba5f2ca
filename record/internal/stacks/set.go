//go:build linux

package stacks

import (
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/abi"
	"utrace/record/internal/image"
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
	called []bool       // the same: it is on the stack of an entry
	calls  map[codeAddr]bool

	ofEntries bool // not only samples have stacks

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

// NewSet returns an empty set, of the stacks of entries and samples, or of samples only. It opens
// programs and libraries with files. Places of samples have no lines: to read these takes long, and
// nobody has asked for the stacks.
func NewSet(files *image.Files, ofEntries bool) *Set {
	return &Set{
		ofEntries: ofEntries, Code: newCodeMaps(files), sent: map[uint32]map[uint64]sentStack{},
		index: map[stackFrame]format.StackID{}, calls: map[codeAddr]bool{},
	}
}

func (s *Set) Close() { s.Code.close() }

// Add adds a stack that a process has for the first time.
func (s *Set) Add(rec *bpf.Stack) {
	var addrs []codeAddr
	process := s.Code.process(rec.PID)
	for i, ret := range rec.ReturnsTo {
		at, ok := s.Code.find(process, codeOf(ret), rec.TimeNs)
		isCertain := rec.Sampled && i == 0
		if !ok || !isCertain && !s.followsCall(at) {
			break
		}
		addrs = append(addrs, at)
	}
	if rec.Sampled && len(addrs) > 0 && rec.LeafReturnsTo != 0 {
		at, ok := s.Code.find(process, codeOf(rec.LeafReturnsTo), rec.TimeNs)
		if ok && s.followsCall(at) && isLeafOf(addrs[0], at) {
			addrs = slices.Insert(addrs, 1, at)
			addrs = addrs[:min(len(addrs), format.MaxStack)]
		}
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
		s.called[id-1] = s.called[id-1] || !rec.Sampled
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

// isLeafOf reports whether the function of a sampled place is one whose return address lies on top
// of the stack, at ret: it sets up no frame, and is called there, or makes no calls itself.
func isLeafOf(place, ret codeAddr) bool {
	if place.file.image == nil || ret.file.image == nil {
		return false
	}
	file := place.file.image.File
	fn, ok := file.FuncAt(abi.Addr(place.addr - 1))
	if !ok || file.KeepsFramePointer(fn) {
		return false
	}
	return place.file == ret.file && file.Calls(abi.Addr(ret.addr), fn.Addr) || !file.MakesCalls(fn)
}

func (s *Set) number(p stackFrame) format.StackID {
	id, ok := s.index[p]
	if !ok {
		s.frames, s.called = append(s.frames, p), append(s.called, false)
		id = format.StackID(len(s.frames))
		s.index[p] = id
	}
	return id
}

// OfEntry returns the stack of an entry of a process, 0 if it has none.
func (s *Set) OfEntry(pid uint32, stack uint64) format.StackID {
	id := s.sent[pid][stack].id
	if id == 0 {
		s.missing++
	}
	return id
}

// OfSample returns the stack of a sample of a process, 0 if it has none.
func (s *Set) OfSample(pid uint32, stack uint64) format.StackID { return s.sent[pid][stack].id }

// Places returns the places on a stack, from the innermost to the outermost: the file, and a virtual
// address in it that lies in the instruction. Places in no file are zero.
func (s *Set) Places(id format.StackID) iter.Seq2[image.Version, abi.Addr] {
	return func(yield func(image.Version, abi.Addr) bool) {
		for ; id != 0; id = s.frames[id-1].outer {
			var file image.Version
			var addr abi.Addr
			if at := &s.frames[id-1]; at.file.image != nil {
				file, addr = at.file.image.Version, abi.Addr(at.addr-1)
			}
			if !yield(file, addr) {
				return
			}
		}
	}
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

// Define names the frames and writes the stacks. It returns warnings about the stacks of entries. It
// adds to probed.
func (s *Set) Define(w Definer, probed Probed) []string {
	funcs := newCallers(w, probed, s.ofEntries)
	for i, p := range s.frames {
		fn, line := funcs.at(p.codeAddr, s.called[i])
		w.AddStack(format.Stack{Func: fn, Addr: p.addr, Line: line, Outer: p.outer})
	}
	if !s.ofEntries {
		return nil
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
