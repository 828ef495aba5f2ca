package elffile

import (
	"bytes"
	"debug/elf"
	"strings"

	"utrace/record/internal/abi"
)

// Data reads n bytes of the file at address a: the value of a constant, or the initial value of a
// variable. It is nil if not all bytes are in the file.
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

// DataHolds searches the first 256 MiB of each read-only segment for the strings, and returns one
// that it finds. A string has at most 32 bytes.
func (f *File) DataHolds(wanted ...string) (string, bool) {
	const chunk, overlap = 1 << 20, 32
	for _, p := range f.elf.Progs {
		if p.Type != elf.PT_LOAD || p.Flags&elf.PF_W != 0 {
			continue
		}
		end := p.Off + min(p.Filesz, 256<<20)
		for off := p.Off; off < end && off < f.size; off += chunk {
			b := f.readAt(off, min(chunk+overlap, end-off))
			for _, w := range wanted {
				if bytes.Contains(b, []byte(w)) {
					return strings.TrimRight(w, "\x00"), true
				}
			}
		}
	}
	return "", false
}
