package elffile

import (
	"debug/elf"

	"utrace/record/internal/abi"
)

// Exported returns the address of a function or variable that the file exports under a name, in its dynamic symbol
// table, which survives stripping.
func (f *File) Exported(name string) (abi.Addr, bool) {
	v := &variable{}
	f.findVariablesIn(f.elf.SectionByType(elf.SHT_DYNSYM), map[string]*variable{name: v})
	return abi.Addr(v.addr), v.found && !v.threadLocal
}

// Data reads what the file has for n bytes at a: of a constant its value, of a variable the initial one. It is nil if the
// bytes are not all in the file.
func (f *File) Data(a abi.Addr, n uint64) []byte {
	off, ok := f.DataOff(a)
	if !ok {
		return nil
	}
	if b := f.readAt(uint64(off), n); uint64(len(b)) == n {
		return b
	}
	return nil
}
