package elffile

import (
	"encoding/binary"
	"fmt"
	"strings"

	"utrace/record/internal/cursor"
	"utrace/record/internal/dwarf"
)

// Limits on Go's function table.
const (
	maxPclntab   = 1 << 30
	maxGoFuncs   = 8 << 20
	maxGoNames   = 512 << 20 // bytes of names that are read; overlapping names count each
	maxRelocs    = 64 << 20  // bytes of relocations that are searched
	maxModuleSet = 1 << 30   // bytes of data that are searched for the module's description
)

// pclntab is the function table that Go's linker puts into every program, for stack traces
// (runtime/symtab.go). debug/gosym also reads it, but trusts its counts and offsets, and panics
// where they are wrong. Layout since Go 1.18:
//
//	header   magic u32, 0, 0, instruction quantum u8, pointer size u8; then words: functions, files, start of the
//	         text (0 since 1.26), and the offsets, from the header, of the tables
//	names    NUL-terminated
//	cutab    u32: for each compilation unit the offsets of its files in filetab
//	filetab  NUL-terminated
//	pctab    for each function: its files and lines by address, as differences
//	pcln     pairs of u32: the start of a function, from the start of the text, and its description, from pcln; at the
//	         end the end of the last function. Then the descriptions.
type pclntab struct {
	data  []byte
	order uint64 // 118 or 120: the Go version of the layout
	nfunc uint64
	text  uint64 // where offsets of functions start; 0: in the description of the module

	names, cutab, filetab, pctab, pcln uint64

	strings string // data as a string: names are parts of it
	read    int    // bytes of names so far
}

// goFunc is a function of the table.
type goFunc struct {
	name   string
	offset uint64 // from the start of the text
	size   uint64 // up to the next function, padding included
	file   string
	line   uint32
}

const (
	pclnHeader   = 8 + 8*8
	pclnMagic118 = 0xfffffff0
	pclnMagic120 = 0xfffffff1
)

// parsePclntab reads the header. Layouts of Go before 1.18, and unknown ones, are ErrUnsupported.
func parsePclntab(b []byte) (*pclntab, error) {
	if len(b) < pclnHeader {
		return nil, fmt.Errorf("%w: Go function table of %d bytes", ErrMalformed, len(b))
	}
	le := binary.LittleEndian
	t := &pclntab{data: b, strings: string(b)}
	switch magic := le.Uint32(b); magic {
	case pclnMagic118:
		t.order = 118
	case pclnMagic120:
		t.order = 120
	default:
		return nil, fmt.Errorf("%w: Go function table with magic %#x", ErrUnsupported, magic)
	}

	if b[7] != 8 {
		return nil, fmt.Errorf("%w: Go function table with pointers of %d bytes", ErrUnsupported, b[7])
	}
	word := func(i int) uint64 { return le.Uint64(b[8+8*i:]) }
	t.nfunc, t.text = word(0), word(2)
	t.names, t.cutab, t.filetab, t.pctab, t.pcln = word(3), word(4), word(5), word(6), word(7)
	size := uint64(len(b))
	for _, off := range []uint64{t.names, t.cutab, t.filetab, t.pctab, t.pcln} {
		if off > size {
			return nil, fmt.Errorf("%w: Go function table: a part begins behind its end", ErrMalformed)
		}
	}
	if t.nfunc > maxGoFuncs || t.nfunc*8+4 > size-t.pcln {
		return nil, fmt.Errorf("%w: Go function table of %d functions in %d bytes", ErrMalformed, t.nfunc, size)
	}
	return t, nil
}

// u32 returns the number at off, 0 beyond the end.
func (t *pclntab) u32(off uint64) uint64 {
	if off > uint64(len(t.data)) || uint64(len(t.data))-off < 4 {
		return 0
	}
	return uint64(binary.LittleEndian.Uint32(t.data[off:]))
}

// str returns the NUL-terminated string at off.
func (t *pclntab) str(off uint64) string {
	if off >= uint64(len(t.strings)) || t.read > maxGoNames {
		return ""
	}
	s := t.strings[off:]
	s = s[:min(len(s), maxSymbolName)]
	n := strings.IndexByte(s, 0)
	if n < 0 {
		t.read += len(s)
		return ""
	}
	t.read += n
	return s[:n]
}

// funcs returns the functions in the order of the table, which is by address. It leaves out
// contradictory entries.
func (t *pclntab) funcs() []goFunc {
	out := make([]goFunc, 0, t.nfunc)
	for i := range t.nfunc {
		start, next := t.u32(t.pcln+8*i), t.u32(t.pcln+8*i+8)
		if next <= start {
			continue
		}
		// _func: entry u32, name i32, args i32, deferreturn u32, pcsp u32, pcfile u32, pcln u32,
		// npcdata u32, cu u32, startLine i32
		desc := t.pcln + t.u32(t.pcln+8*i+4)
		fn := goFunc{offset: start, size: next - start, name: t.str(t.names + t.u32(desc+4))}
		if t.u32(desc) != start || fn.name == "" {
			continue
		}
		if file, ok := t.first(t.u32(desc + 20)); ok {
			if at := t.u32(t.cutab + 4*(t.u32(desc+32)+uint64(file))); at != 0xffffffff {
				fn.file = t.str(t.filetab + at)
			}
		}
		fn.line = uint32(t.u32(desc + 36))
		if t.order < 120 { // without startLine: the line of the first instruction
			fn.line, _ = t.first(t.u32(desc + 24))
		}
		if fn.line > dwarf.MaxLine {
			fn.line = 0
		}
		out = append(out, fn)
	}
	return out
}

// first returns the first value of the table at off in pctab. The values start at -1 and are stored
// as differences, in zigzag encoding. Offset 0 means no table.
func (t *pclntab) first(off uint64) (uint32, bool) {
	if off == 0 || off >= uint64(len(t.data))-t.pctab {
		return 0, false
	}
	c := &cursor.Cursor{Bytes: t.data, Off: t.pctab + off}
	v := c.Uleb()
	delta := int64(v>>1) ^ -int64(v&1)
	if c.Bad || delta < 1 || delta > dwarf.MaxLine {
		return 0, false
	}
	return uint32(delta - 1), true
}
