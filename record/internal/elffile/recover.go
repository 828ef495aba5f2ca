package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
)

// recoverFuncs returns the functions that the unwind tables tell of and no symbol covers, as local symbols named sub_ADDRESS, and
// the sizes of those that known names without a size. known is sorted by address.
//
//  1. Take the frames that begin as behind a call, in a code section other than the procedure linkage table, and not where the
//     program begins.
//  2. Leave out those that begin inside a known function.
//  3. Leave out unlikely parts that begin as behind a call, too: see unlikelyParts.
//
// The tables are those by which exceptions and debuggers unwind. Compilers make them for all code by default, on
// x86-64 and arm64; assembly has them where its author wrote them.
func (f *File) recoverFuncs(known []symbol) []symbol {
	frames, err := f.frames()
	if err != nil {
		return nil
	}
	var starts []int // of frames
	inside := uint64(0)
	next := 0
	for i, fr := range frames {
		for ; next < len(known) && known[next].addr < fr.start; next++ {
			if end := known[next].addr + known[next].size; end > known[next].addr {
				inside = max(inside, end)
			}
		}
		if fr.called && fr.start >= inside && fr.start != uint64(f.Entry) && f.holdsCode(fr) {
			starts = append(starts, i)
		}
	}
	unlikely := f.unlikelyParts(frames, starts)
	var out []symbol
	for _, i := range starts {
		fr := frames[i]
		if i+1 < len(frames) {
			fr.size = min(fr.size, frames[i+1].start-fr.start) // they overlap in damaged files only
		}
		if !unlikely[i] {
			out = append(out, symbol{
				name: fmt.Sprintf("sub_%x", fr.start), addr: fr.start, size: fr.size, bind: elf.STB_LOCAL, recovered: true,
			})
		}
	}
	return out
}

// holdsCode says whether the bytes of a frame are in the file, in a section of code that is no linkage table.
func (f *File) holdsCode(fr frame) bool {
	a := Addr(fr.start)
	if fr.size > f.room(a) || f.inPLT(a) || f.isPadding(a) {
		return false
	}
	return len(f.code) == 0 || f.codeSection(a) != nil
}

// isPadding says whether an assembler's filler is at a: a long nop (cs nopw). Frames of assembly begin there by mistake, as that behind
// _dl_tlsdesc_return of glibc 2.36 does.
func (f *File) isPadding(a Addr) bool {
	if f.Machine != elf.EM_X86_64 {
		return false
	}
	code, err := f.Code(a, min(f.room(a), 8))
	return err == nil && bytes.HasPrefix(bytes.TrimLeft(code, "\x66"), []byte{0x2e, 0x0f, 0x1f})
}

func (f *File) inPLT(a Addr) bool {
	return slices.ContainsFunc(f.plt, func(s *elf.Section) bool { return uint64(a) >= s.Addr && uint64(a)-s.Addr < s.Size })
}

// unlikelyParts finds those of the frames starts that are not functions but parts of one, moved out of line (NAME.cold)
// before it has put anything on its stack: to the unwind tables they look like functions. Nobody calls such a part, no
// instruction has its address, and no word of data. Its function jumps to it, under a condition or by a jump table; or the part
// jumps back; or it never returns, as no function does that is reached by a tail call.
//
// A function that is never called or pointed to, and to which others jump under a condition, as Clang makes tail
// calls, is taken for such a part, too. That is the safe side.
func (f *File) unlikelyParts(frames []frame, starts []int) map[int]bool {
	s := &sweep{f: f, frames: frames, seen: make([]reference, len(frames)), jumper: map[int]int{}}
	for i := range frames {
		s.read(i)
	}
	uncalled := map[uint64]int{}
	for _, i := range starts {
		if s.seen[i]&(byCall|byAddress) == 0 {
			uncalled[frames[i].start] = i
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

// reference is how code refers to the start of a frame.
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
	f      *File
	frames []frame
	seen   []reference
	jumper map[int]int // the last frame that jumps to the start of a frame
}

// find returns the frame that contains an address.
func (s *sweep) find(a uint64) (int, bool) {
	i := sort.Search(len(s.frames), func(i int) bool { return s.frames[i].start > a }) - 1
	return i, i >= 0 && a < s.frames[i].end()
}

// body returns frame i as a function, as far as the next one.
func (s *sweep) body(i int) Func {
	fr := s.frames[i]
	if i+1 < len(s.frames) {
		fr.size = min(fr.size, s.frames[i+1].start-fr.start)
	}
	return Func{Addr: Addr(fr.start), Size: fr.size}
}

// read notes what frame i refers to.
func (s *sweep) read(i int) {
	fn := s.body(i)
	if fn.Size > maxFuncSize {
		return
	}
	code, err := s.f.Code(fn.Addr, fn.Size)
	if err != nil {
		return
	}
	note := func(target Addr, how reference) {
		to, ok := s.find(uint64(target))
		if !ok || s.frames[to].start != uint64(target) || to == i && how != byAddress {
			return
		}
		s.seen[to] |= how
		if how == byJump || how == byBranch {
			s.jumper[to] = i
		}
	}
	pages := [32]Addr{}
	s.f.walk(fn, func(at Addr, in inst) bool {
		switch in.flow {
		case flowCall:
			note(in.target, byCall)
		case flowJump:
			note(in.target, byJump)
		case flowBranch:
			note(in.target, byBranch)
		default:
			b := code[at-fn.Addr:][:in.len]
			if s.f.Machine == elf.EM_AARCH64 {
				if a, ok := addressARM64(b, at, &pages); ok {
					note(a, byAddress)
				}
				return true
			}
			for _, a := range addressesX86(b, at) {
				note(a, byAddress)
			}
		}
		return true
	})
}

// neverReturns says whether frame i ends in calls only, or in jumps into the middle of the frame that jumps to it.
func (s *sweep) neverReturns(i int) bool {
	from := s.frames[s.jumper[i]]
	back, out := false, false
	s.f.walk(s.body(i), func(_ Addr, in inst) bool {
		switch in.flow {
		case flowJump, flowBranch:
			to, ok := s.find(uint64(in.target))
			back = back || uint64(in.target) > from.start && uint64(in.target) < from.end()
			out = out || !ok || to != i
		case flowReturn, flowJumpIndirect:
			out = true
		}
		return !back
	})
	return back || !out
}

// addressesX86 returns the addresses that an instruction may put into a register or memory: its last four bytes as a
// number, and relative to its end (lea).
func addressesX86(b []byte, at Addr) [2]Addr {
	if len(b) < 5 {
		return [2]Addr{}
	}
	v := binary.LittleEndian.Uint32(b[len(b)-4:])
	return [2]Addr{Addr(v), at + Addr(len(b)) + Addr(int64(int32(v)))}
}

// addressARM64 returns the address that is made by adr, or by adrp and add (Arm ARM, C6.2.10, C6.2.11, C6.2.4). pages is by register what
// adrp has put there.
func addressARM64(b []byte, at Addr, pages *[32]Addr) (Addr, bool) {
	w := binary.LittleEndian.Uint32(b)
	imm := Addr(int64(int32(w<<8)>>13<<2 | int32(w>>29&3))) // bits 23 to 5, then 30 and 29
	switch {
	case w&0x9f000000 == 0x10000000:
		return at + imm, true
	case w&0x9f000000 == 0x90000000:
		pages[w&31] = at&^0xfff + imm<<12
	case w&0xffc00000 == 0x91000000:
		return pages[w>>5&31] + Addr(w>>10&0xfff), true
	}
	return 0, false
}

// readPointers notes to which of some frames words of data point: in tables of pointers, or in the relocations that fill
// them when the program starts (Elf64_Rela has the address in its last word). The table of a switch has pointers into the
// middle of a function beside it, or the same once more.
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
				i, ok := starts[word(at)]
				if !ok {
					continue
				}
				labels := 0
				for _, beside := range [2]uint64{word(at - 8), word(at + 8)} {
					if beside == word(at) || s.isMiddle(beside) {
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

// isMiddle says whether a is inside a frame, and not its start.
func (s *sweep) isMiddle(a uint64) bool {
	i, ok := s.find(a)
	return ok && s.frames[i].start != a
}

// maxPointers bounds the bytes that are searched for pointers.
const maxPointers = 1 << 30
