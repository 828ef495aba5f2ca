package elffile

import (
	"cmp"
	"debug/elf"
	"fmt"
	"slices"

	"utrace/record/internal/cursor"
	"utrace/record/internal/dwarf"
)

// maxFrames is the size of the largest .eh_frame that is read, in bytes. A browser has 30 MiB.
const maxFrames = 256 << 20

// readFrames returns the ranges in .eh_frame, by address, one for each start.
func (f *File) readFrames() ([]dwarf.Frame, error) {
	data, addr, err := f.ehFrame()
	if err != nil {
		return nil, err
	}
	list := dwarf.ParseFrames(data, addr, f.Machine)
	slices.SortStableFunc(list, func(a, b dwarf.Frame) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.Size, a.Size))
	})
	return slices.CompactFunc(list, func(a, b dwarf.Frame) bool { return a.Start == b.Start }), nil
}

// ehFrame returns the bytes of .eh_frame and their address. Without section headers it finds them
// through .eh_frame_hdr (LSB 5.0, 10.6.2), which a segment names. They end at the latest with the
// segment that contains them.
func (f *File) ehFrame() (data []byte, addr uint64, err error) {
	if s := f.elf.Section(".eh_frame"); s != nil && s.Type != elf.SHT_NOBITS {
		data, err = f.sectionData(s, maxFrames)
		return data, s.Addr, err
	}
	for _, p := range f.elf.Progs {
		if p.Type != elf.PT_GNU_EH_FRAME || p.Filesz < 8 {
			continue
		}
		c := &cursor.Cursor{Bytes: f.readAt(p.Off, min(p.Filesz, 64))}
		version, encoding := c.Byte(), c.Byte()
		c.Skip(2)
		at, ok := dwarf.EncodedPointer(c, encoding, p.Vaddr+c.Off)
		if c.Bad || version != 1 || !ok {
			break
		}
		for _, load := range f.elf.Progs {
			if load.Type == elf.PT_LOAD && at >= load.Vaddr && at-load.Vaddr < load.Filesz {
				n := load.Filesz - (at - load.Vaddr)
				if n > maxFrames {
					return nil, 0, fmt.Errorf("unwind tables of %d bytes: %w", n, ErrTooLarge)
				}
				return f.readAt(load.Off+(at-load.Vaddr), n), at, nil
			}
		}
	}
	return nil, 0, nil
}
