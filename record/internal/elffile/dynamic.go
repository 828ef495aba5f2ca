package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"io"
	"iter"
	"math"
	"strings"
)

// readNotes finds the build ID: in the PT_NOTE segments, which survive any stripping, else in the note sections.
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

// notes walks notes up to the first that is cut short: name size, descriptor size, type, then name and descriptor, each
// padded to the alignment, which is 4 or 8 (gABI, "Note Section").
func notes(b []byte, align uint64) iter.Seq[note] {
	if align != 8 {
		align = 4
	}
	padded := func(n uint64) uint64 { return (n + align - 1) &^ (align - 1) }
	return func(yield func(note) bool) {
		for len(b) >= 12 {
			le := binary.LittleEndian
			nameSize, descSize, typ := uint64(le.Uint32(b)), uint64(le.Uint32(b[4:])), le.Uint32(b[8:])
			// With 8-byte alignment the descriptor starts at a multiple of 8 from the note's header of 12 bytes.
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

// readDynamic reads PT_INTERP and PT_DYNAMIC. The section headers are not needed. What cannot be read is left empty.
func (f *File) readDynamic() {
	var table []byte
	for _, p := range f.elf.Progs {
		switch {
		case p.Type == elf.PT_INTERP && p.Filesz <= maxString:
			b, _, _ := bytes.Cut(f.readAt(p.Off, p.Filesz), []byte{0})
			f.Interp = string(b)
		case p.Type == elf.PT_DYNAMIC && p.Filesz <= maxDynamic:
			table = f.readAt(p.Off, p.Filesz)
		}
	}
	type entry struct {
		tag elf.DynTag
		val uint64
	}
	var named []entry
	var strtab, strsize uint64
	for ; len(table) >= 16; table = table[16:] {
		tag, val := elf.DynTag(binary.LittleEndian.Uint64(table)), binary.LittleEndian.Uint64(table[8:])
		if tag == elf.DT_NULL {
			break
		}
		switch tag {
		case elf.DT_STRTAB:
			strtab = val
		case elf.DT_STRSZ:
			strsize = val
		case elf.DT_FLAGS_1:
			f.noDefaultLib = elf.DynFlag1(val)&elf.DF_1_NODEFLIB != 0
		case elf.DT_NEEDED, elf.DT_SONAME, elf.DT_RPATH, elf.DT_RUNPATH:
			if len(named) < 4096 {
				named = append(named, entry{tag, val})
			}
		}
	}
	off, ok := f.loadedOff(strtab)
	if !ok {
		return
	}
	for _, e := range named {
		if e.val >= strsize || off > math.MaxInt64-e.val {
			continue
		}
		b, _, found := bytes.Cut(f.readAt(off+e.val, min(strsize-e.val, maxString)), []byte{0})
		if !found {
			continue
		}
		switch s := string(b); e.tag {
		case elf.DT_NEEDED:
			f.Needed = append(f.Needed, s)
		case elf.DT_SONAME:
			f.Soname = s
		case elf.DT_RPATH:
			f.RPath = strings.Split(s, ":")
		case elf.DT_RUNPATH:
			f.RunPath = strings.Split(s, ":")
		}
	}
}

// loadedOff returns the file offset of an address in any PT_LOAD segment, executable or not.
func (f *File) loadedOff(addr uint64) (uint64, bool) {
	for _, p := range f.elf.Progs {
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr-p.Vaddr < p.Filesz {
			return p.Off + (addr - p.Vaddr), true
		}
	}
	return 0, false
}

// readAt reads up to n bytes, fewer at the end of the file. The caller bounds n.
func (f *File) readAt(off, n uint64) []byte {
	if off >= f.size {
		return nil
	}
	b := make([]byte, min(n, f.size-off))
	got, err := f.r.ReadAt(b, int64(off))
	if err != nil && err != io.EOF {
		return nil
	}
	return b[:got]
}
