package elffile

import (
	"debug/elf"
	"encoding/binary"
	"sort"

	"utrace/record/internal/abi"
	"utrace/record/internal/dwarf"
	"utrace/record/internal/insn"
)

// unlikelyParts finds the frames in starts that are not functions but parts of one. Compilers move
// an unlikely part out of line (NAME.cold), sometimes at a point where the function has put nothing
// on its stack yet. To the unwind tables such a part looks like a function.
//
// Nobody calls such a part. No instruction and no word of data has its address, except jump tables.
// Furthermore, one of these holds:
//
//   - Its function jumps to it under a condition or by a jump table.
//   - The part jumps back.
//   - The part never returns. A function that is reached by a tail call does return.
//
// A function that nobody calls or points to, and that others jump to under a condition, also counts
// as such a part. Clang makes such tail calls. This errs on the safe side.
func (f *File) unlikelyParts(frames []dwarf.Frame, starts []int) map[int]bool {
	if len(starts) == 0 {
		return nil
	}
	s := &sweep{f: f, frames: frames, byStart: make(map[uint64]int, len(frames)), seen: make([]reference, len(frames)), jumper: map[int]int{}}
	for i, fr := range frames {
		if fr.End() > fr.Start {
			s.byStart[fr.Start] = i
		}
	}
	for i := range frames {
		s.read(i)
	}
	uncalled := map[uint64]int{}
	for _, i := range starts {
		if s.seen[i]&(byCall|byAddress) == 0 {
			uncalled[frames[i].Start] = i
		}
	}
	s.readPointers(uncalled)
	out := map[int]bool{}
	for _, i := range uncalled {
		switch how := s.seen[i]; {
		case how&byPointer != 0:
		case how&(byBranch|byTable) != 0, how&byJump != 0 && s.neverReturns(i):
			out[i] = true
		}
	}
	return out
}

// maxPointers limits the bytes that are searched for pointers.
const maxPointers = 1 << 30

// reference says how code or data refers to the start of a frame.
type reference byte

const (
	byCall reference = 1 << iota
	byJump           // from another frame
	byBranch
	byAddress // in an instruction
	byPointer // in data
	byTable   // in data, among pointers into the middle of frames
)

// sweep decodes all frames once.
type sweep struct {
	f       *File
	frames  []dwarf.Frame
	byStart map[uint64]int
	seen    []reference
	jumper  map[int]int // the last frame that jumps to the start of a frame
}

// find returns the frame that contains an address.
func (s *sweep) find(a uint64) (int, bool) {
	i := sort.Search(len(s.frames), func(i int) bool { return s.frames[i].Start > a }) - 1
	return i, i >= 0 && a < s.frames[i].End()
}

// spans reports whether frames begin both at or below an address, and at or above it.
func (s *sweep) spans(a uint64) bool {
	return a >= s.frames[0].Start && a <= s.frames[len(s.frames)-1].Start
}

// body returns frame i as a function, up to the next frame.
func (s *sweep) body(i int) Func {
	fr := s.frames[i]
	if i+1 < len(s.frames) {
		fr.Size = min(fr.Size, s.frames[i+1].Start-fr.Start)
	}
	return Func{Addr: abi.Addr(fr.Start), Size: fr.Size}
}

// read notes the references from frame i.
func (s *sweep) read(i int) {
	fn := s.body(i)
	if fn.Size > maxFuncSize {
		return
	}
	code, err := s.f.Code(fn.Addr, fn.Size)
	if err != nil {
		return
	}
	note := func(target abi.Addr, how reference) {
		if !s.spans(uint64(target)) { // most numbers in instructions
			return
		}
		to, ok := s.byStart[uint64(target)]
		if !ok || to == i && how != byAddress {
			return
		}
		s.seen[to] |= how
		if how == byJump || how == byBranch {
			s.jumper[to] = i
		}
	}

	made := insn.AddressReader{Machine: s.f.Machine}
	s.f.walk(fn, func(at abi.Addr, in insn.Inst) bool {
		switch in.Flow {
		case insn.FlowCall:
			note(in.Target, byCall)
		case insn.FlowJump:
			note(in.Target, byJump)
		case insn.FlowBranch:
			note(in.Target, byBranch)
		default:
			b := code[at-fn.Addr:][:in.Len]
			for _, a := range made.Take(b, at) {
				note(a, byAddress)
			}
		}
		return true
	})
}

// neverReturns reports whether frame i ends only in calls, or in jumps into the middle of the frame
// that jumps to it.
func (s *sweep) neverReturns(i int) bool {
	from := s.frames[s.jumper[i]]
	back, out := false, false
	s.f.walk(s.body(i), func(_ abi.Addr, in insn.Inst) bool {
		switch in.Flow {
		case insn.FlowJump, insn.FlowBranch:
			to, ok := s.find(uint64(in.Target))
			back = back || uint64(in.Target) > from.Start && uint64(in.Target) < from.End()
			out = out || !ok || to != i
		case insn.FlowReturn, insn.FlowJumpIndirect:
			out = true
		}
		return !back
	})
	return back || !out
}

// readPointers notes which of the frames in starts words of data point to. The words are in tables
// of pointers, or in the relocations that fill such tables when the program starts: Elf64_Rela has
// the address in its last word. In the table of a switch, neighbours point into the middle of a
// function, or are the same word.
func (s *sweep) readPointers(starts map[uint64]int) {
	const chunk = 1 << 20
	left := uint64(maxPointers)
	for _, p := range s.f.elf.Progs {
		if p.Type != elf.PT_LOAD || p.Off >= s.f.size || len(starts) == 0 {
			continue
		}
		n := min(p.Filesz, s.f.size-p.Off, left)
		left -= n
		end := p.Off + n
		for off := (p.Off + 7) &^ 7; off < end; off += chunk {
			b := s.f.readAt(off, min(chunk, end-off))
			word := func(at int) uint64 {
				if at < 0 || at+8 > len(b) {
					return 0
				}
				return binary.LittleEndian.Uint64(b[at:])
			}
			for at := 0; at+8 <= len(b); at += 8 {
				w := word(at)
				if !s.spans(w) { // most words
					continue
				}
				i, ok := starts[w]
				if !ok {
					continue
				}
				labels := 0
				for _, beside := range [2]uint64{word(at - 8), word(at + 8)} {
					if beside == w || s.isMiddle(beside) {
						labels++
					}
				}
				if labels == 2 || labels == 1 && s.seen[i]&(byBranch|byJump) != 0 {
					s.seen[i] |= byTable
				} else {
					s.seen[i] |= byPointer
				}
			}
		}
	}
}

// isMiddle reports whether a is inside a frame, and not its start.
func (s *sweep) isMiddle(a uint64) bool {
	i, ok := s.find(a)
	return ok && s.frames[i].Start != a
}
