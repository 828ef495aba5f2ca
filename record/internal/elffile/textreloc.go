package elffile

import (
	"encoding/binary"
	"math"
	"slices"

	"utrace/record/internal/abi"
)

// textRelocs says where the dynamic linker changes code when it loads the file (text relocations).
// Few files have such code: some with handwritten assembly, and D programs.
type textRelocs struct {
	used       bool   // DT_TEXTREL or DF_TEXTREL
	addr, size uint64 // of the table: DT_RELA, DT_RELASZ
}

const (
	relaSize     = 24        // bytes of an Elf64_Rela
	relocSize    = 8         // most bytes that a relocation changes
	maxRelaTable = 128 << 20 // bytes of the table
)

// IsRelocated reports whether the dynamic linker may change one of n bytes of code at a. If the
// table cannot be read, that is so everywhere.
func (f *File) IsRelocated(a abi.Addr, n uint64) bool {
	if !f.textRelocs.used {
		return false
	}
	relocated, ok := f.relocated()
	if !ok {
		return true
	}
	first := uint64(a) - min(uint64(a), relocSize-1)
	i, _ := slices.BinarySearch(relocated, first)
	return i < len(relocated) && relocated[i] < uint64(a)+n
}

// readRelocated returns the addresses in executable segments that the table names, sorted.
func (f *File) readRelocated() (addrs []uint64, ok bool) {
	off, ok := f.loadedOff(f.textRelocs.addr)
	if !ok || f.textRelocs.size > maxRelaTable || off > math.MaxInt64-f.textRelocs.size {
		return nil, false
	}
	table := f.readAt(off, f.textRelocs.size)
	if uint64(len(table)) != f.textRelocs.size {
		return nil, false
	}
	for ; len(table) >= relaSize; table = table[relaSize:] {
		addr := binary.LittleEndian.Uint64(table)
		if _, ok := f.FileOff(abi.Addr(addr)); ok {
			addrs = append(addrs, addr)
		}
	}
	slices.Sort(addrs)
	return addrs, true
}
