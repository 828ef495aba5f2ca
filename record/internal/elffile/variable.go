package elffile

import (
	"debug/elf"
	"encoding/binary"

	"utrace/record/internal/abi"
)

// variable is what the symbol tables know of a name.
type variable struct {
	addr        uint64
	found       bool
	ambiguous   bool // static variables of several source files have the name
	threadLocal bool
}

// findVariables looks up the names in all symbol tables of the file. A table that cannot be read
// counts as none.
func (f *File) findVariables(names map[string]*variable) {
	if from := f.symtabFile(); from != nil {
		from.findVariablesIn(from.elf.SectionByType(elf.SHT_SYMTAB), names)
	}
	f.findVariablesIn(f.elf.SectionByType(elf.SHT_DYNSYM), names)
}

func (f *File) findVariablesIn(s *elf.Section, names map[string]*variable) {
	if s == nil {
		return
	}
	table, strtab, err := f.symbolSection(s)
	if err != nil {
		return
	}
	le := binary.LittleEndian
	for b := table; len(b) >= symSize; b = b[symSize:] {
		typ, section := elf.ST_TYPE(b[4]), elf.SectionIndex(le.Uint16(b[6:]))
		if section == elf.SHN_UNDEF || section == elf.SHN_ABS || typ == elf.STT_FILE || typ == elf.STT_SECTION {
			continue
		}
		name, _ := symbolName(strtab, le.Uint32(b))
		if len(name) > maxString { // no operand is as long, and hashing it would take time
			continue
		}
		v := names[name]
		if v == nil {
			continue
		}
		addr := le.Uint64(b[8:])
		v.ambiguous = v.ambiguous || v.found && v.addr != addr
		v.threadLocal = v.threadLocal || typ == elf.STT_TLS
		v.addr, v.found = addr, true
	}
}

// Exported returns the address of a function or variable that the file exports under a name. The
// dynamic symbol table, which it reads, survives stripping.
func (f *File) Exported(name string) (abi.Addr, bool) {
	v := &variable{}
	f.findVariablesIn(f.elf.SectionByType(elf.SHT_DYNSYM), map[string]*variable{name: v})
	return abi.Addr(v.addr), v.found && !v.threadLocal
}
