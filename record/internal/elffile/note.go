package elffile

import (
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"iter"
)

// readNotes finds the build ID. It looks in the PT_NOTE segments, which survive any stripping, then
// in the note sections.
func (f *File) readNotes() {
	for _, p := range f.elf.Progs {
		if p.Type == elf.PT_NOTE && p.Filesz <= maxNote {
			if f.findBuildID(f.readAt(p.Off, p.Filesz), p.Align) {
				return
			}
		}
	}
	f.readNoteSections()
}

func (f *File) readNoteSections() {
	for _, s := range f.elf.Sections {
		if s.Type == elf.SHT_NOTE && s.Name == ".note.gnu.build-id" && s.FileSize <= maxNote {
			if f.findBuildID(f.readAt(s.Offset, s.FileSize), s.Addralign) {
				return
			}
		}
	}
}

func (f *File) findBuildID(b []byte, align uint64) bool {
	const ntGNUBuildID = 3
	for n := range notes(b, align) {
		if n.typ == ntGNUBuildID && n.owner == "GNU\x00" && len(n.desc) > 0 && len(n.desc) <= 64 {
			f.BuildID = hex.EncodeToString(n.desc)
			return true
		}
	}
	return false
}

// note is an entry of a note section or segment.
type note struct {
	owner string // with its NUL
	typ   uint32
	desc  []byte
}

// notes yields notes up to the first that is cut short. A note is the name size, the descriptor
// size and the type, then the name and the descriptor. Each of these two is padded to the
// alignment, which is 4 or 8 (gABI, "Note Section").
func notes(b []byte, align uint64) iter.Seq[note] {
	if align != 8 {
		align = 4
	}
	padded := func(n uint64) uint64 { return (n + align - 1) &^ (align - 1) }
	return func(yield func(note) bool) {
		for len(b) >= 12 {
			le := binary.LittleEndian
			nameSize, descSize, typ := uint64(le.Uint32(b)), uint64(le.Uint32(b[4:])), le.Uint32(b[8:])
			// With 8-byte alignment, the offset of the descriptor from the note's start (a header
			// of 12 bytes) is a multiple of 8.
			desc := padded(12 + nameSize)
			if desc+descSize > uint64(len(b)) {
				return
			}
			if !yield(note{string(b[12 : 12+nameSize]), typ, b[desc : desc+descSize]}) {
				return
			}
			b = b[min(desc+padded(descSize), uint64(len(b))):]
		}
	}
}
