package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"math"
	"strings"
)

// readDynamic reads PT_INTERP and PT_DYNAMIC. It does not need the section headers. What it cannot
// read stays empty.
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
		case elf.DT_TEXTREL:
			f.textRelocs.used = true
		case elf.DT_FLAGS:
			f.textRelocs.used = f.textRelocs.used || elf.DynFlag(val)&elf.DF_TEXTREL != 0
		case elf.DT_RELA:
			f.textRelocs.addr = val
		case elf.DT_RELASZ:
			f.textRelocs.size = val
		case elf.DT_FLAGS_1:
			f.NoDefaultLib = elf.DynFlag1(val)&elf.DF_1_NODEFLIB != 0
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
