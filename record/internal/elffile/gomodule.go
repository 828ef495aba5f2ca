package elffile

import (
	"debug/elf"
	"encoding/binary"

	"utrace/record/internal/abi"
)

// goText returns the address of the start of Go's text. With cgo, C functions come before it in
// .text. The header of the function table also has it, but in a position-independent program only
// after relocation, and since Go 1.26 not at all.
func (f *File) goText(table uint64) (uint64, bool) {
	word, ok := f.goModule(table)
	if !ok {
		return 0, false
	}
	return word(goModuleText), true
}

// Words of a module's description (moduledata of runtime/symtab.go, since Go 1.18). Go 1.20 put two
// more before the types.
const (
	goModuleMinPC    = 20
	goModuleText     = 22
	goModuleTypes118 = 35
	goModuleTypes120 = 37
	goModuleWords    = 39 // that are used here
)

// goModule finds the description of the module, whose first word points to the function table. It
// returns a function that gives its words, as they are in a process with load bias 0.
func (f *File) goModule(table uint64) (word func(i uint64) uint64, ok bool) {
	relocs := f.relativeRelocs()
	try := func(at uint64) bool {
		word = func(i uint64) uint64 {
			if v, ok := relocs[at+8*i]; ok {
				return v
			}
			off, ok := f.loadedOff(at + 8*i)
			if b := f.readAt(off, 8); ok && len(b) == 8 {
				return binary.LittleEndian.Uint64(b)
			}
			return 0
		}
		start, first := word(goModuleText), word(goModuleMinPC)
		_, ok := f.FileOff(abi.Addr(start))
		return ok && word(0) == table && first >= start
	}

	if s := f.elf.Section(".go.module"); s != nil { // since Go 1.26
		if try(s.Addr) {
			return word, true
		}
	}
	for at, v := range relocs {
		if v == table && try(at) {
			return word, true
		}
	}
	var want [8]byte
	binary.LittleEndian.PutUint64(want[:], table)
	left := uint64(maxModuleSet)
	for _, s := range f.elf.Sections {
		if s.Type != elf.SHT_PROGBITS || s.Flags&elf.SHF_WRITE == 0 || s.FileSize > left {
			continue
		}
		left -= s.FileSize
		b := f.readAt(s.Offset, s.FileSize)
		for i := 0; i+goModuleWords*8 <= len(b); i += 8 {
			if [8]byte(b[i:]) == want && try(s.Addr+uint64(i)) {
				return word, true
			}
		}
	}
	return nil, false
}

// relativeRelocs returns, by address, the words that the dynamic linker writes into a program
// without a fixed address. They come from R_*_RELATIVE relocations (Elf64_Rela: offset, info,
// addend).
func (f *File) relativeRelocs() map[uint64]uint64 {
	out := map[uint64]uint64{}
	if f.elf.Type != elf.ET_DYN {
		return out
	}
	relative := uint64(elf.R_X86_64_RELATIVE)
	if f.Machine == elf.EM_AARCH64 {
		relative = uint64(elf.R_AARCH64_RELATIVE)
	}
	left := uint64(maxRelocs)
	for _, s := range f.elf.Sections {
		if s.Type != elf.SHT_RELA || s.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		b, err := f.sectionData(s, left)
		if err != nil {
			continue
		}
		left -= uint64(len(b))
		le := binary.LittleEndian
		for ; len(b) >= 24; b = b[24:] {
			if le.Uint64(b[8:]) == relative {
				out[le.Uint64(b)] = le.Uint64(b[16:])
			}
		}
	}
	return out
}
