package elffile

import (
	"debug/elf"
	"fmt"
	"slices"

	"utrace/record/internal/abi"
	"utrace/record/internal/dwarf"
	"utrace/record/internal/insn"
)

// recoverFuncs returns the functions in the unwind tables that no symbol covers, as local symbols
// named sub_ADDRESS. It also returns the sizes of functions in named that have none. named is
// sorted by address.
//
//  1. Take the frames whose first unwind rules describe the state right after a call. They must be
//     in a code section other than the procedure linkage table, and not at the entry point.
//  2. Leave out frames that begin inside a named function.
//  3. Leave out unlikely parts that begin as if after a call: see unlikelyParts.
//
// Exceptions and debuggers unwind by these tables. Compilers make them for all code by default, on
// x86-64 and arm64. Assembly has them where its author wrote them.
func (f *File) recoverFuncs(named []symbol) []symbol {
	frames, err := f.frames()
	if err != nil {
		return nil
	}
	var starts []int // of frames
	inside := uint64(0)
	next := 0
	for i, fr := range frames {
		for ; next < len(named) && named[next].addr < fr.Start; next++ {
			if end := named[next].addr + named[next].size; end > named[next].addr {
				inside = max(inside, end)
			}
		}
		if fr.Called && fr.Start >= inside && fr.Start != uint64(f.Entry) && f.holdsCode(fr) {
			starts = append(starts, i)
		}
	}

	unlikely := f.unlikelyParts(frames, starts)
	var out []symbol
	for _, i := range starts {
		fr := frames[i]
		if i+1 < len(frames) {
			fr.Size = min(fr.Size, frames[i+1].Start-fr.Start) // only frames of damaged files overlap
		}
		if !unlikely[i] {
			out = append(out, symbol{
				name: fmt.Sprintf("sub_%x", fr.Start), addr: fr.Start, size: fr.Size, bind: elf.STB_LOCAL, recovered: true,
			})
		}
	}
	return out
}

// holdsCode reports whether the bytes of a frame are in the file, in a section of code other than a
// linkage table.
func (f *File) holdsCode(fr dwarf.Frame) bool {
	a := abi.Addr(fr.Start)
	if fr.Size > f.room(a) || f.inPLT(a) || f.isPadding(a) {
		return false
	}
	return len(f.code) == 0 || f.codeSection(a) != nil
}

func (f *File) inPLT(a abi.Addr) bool {
	return slices.ContainsFunc(f.plt, func(s *elf.Section) bool { return uint64(a) >= s.Addr && uint64(a)-s.Addr < s.Size })
}

// isPadding reports whether an assembler's filler is at a. Some frames of assembly begin at filler
// by mistake, such as the one after _dl_tlsdesc_return of glibc 2.36.
func (f *File) isPadding(a abi.Addr) bool {
	code, err := f.Code(a, min(f.room(a), 8))
	return err == nil && insn.IsPadding(f.Machine, code)
}
