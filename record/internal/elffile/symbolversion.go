package elffile

import (
	"debug/elf"
	"encoding/binary"
	"slices"
	"strings"
)

// VersionOf returns the version of a name of the function, such as "@V1", or "@@V2" of the default
// version, if other functions of the file have the same name in another version. Otherwise the name
// alone is clear, and VersionOf returns "".
func (fn Func) VersionOf(name string) string {
	if !slices.Contains(fn.shared, name) {
		return ""
	}
	for _, v := range fn.Versions {
		if version, ok := strings.CutPrefix(v, name); ok && strings.HasPrefix(version, "@") {
			return version
		}
	}
	return ""
}

// setShared notes which names of functions belong to several of them, in different versions.
func setShared(lists ...[]Func) {
	owners := map[string]int{}
	each := func(note func(fn *Func, name string)) {
		for _, funcs := range lists {
			for i := range funcs {
				var names []string
				for _, v := range funcs[i].Versions {
					name, _, _ := strings.Cut(v, "@")
					names = append(names, name)
				}
				for _, name := range slices.Compact(names) { // Versions are sorted
					note(&funcs[i], name)
				}
			}
		}
	}
	each(func(_ *Func, name string) { owners[name]++ })
	each(func(fn *Func, name string) {
		if owners[name] > 1 {
			fn.shared = append(fn.shared, name)
		}
	})
}

// symbolVersions are the versions of the symbols in .dynsym, as in the "Symbol Versioning" chapter
// of the LSB: an index for each symbol, and the names of the versions that the file defines.
type symbolVersions struct {
	indexes []byte // u16 for each symbol, from .gnu.version
	names   map[uint16]string
}

const (
	versionHidden = 0x8000 // bit of an index: it is not the default version
	versionBase   = 1      // flag of a definition: it names the file
)

// readVersions reads the versions of .dynsym. Without any, or if they are damaged, symbols have no
// version.
func (f *File) readVersions() (v symbolVersions) {
	indexes := f.elf.SectionByType(elf.SHT_GNU_VERSYM)
	defs := f.elf.SectionByType(elf.SHT_GNU_VERDEF)
	if indexes == nil || defs == nil || int(defs.Link) >= len(f.elf.Sections) {
		return v
	}
	table, err := f.sectionData(defs, maxDynamic)
	if err != nil {
		return v
	}
	strtab, err := f.sectionData(f.elf.Sections[defs.Link], maxStrtab)
	if err != nil {
		return v
	}
	if v.indexes, err = f.sectionData(indexes, maxSymtab); err != nil {
		return v
	}

	// Elf64_Verdef: version, flags, index, count: u16; hash, aux, next: u32. The first
	// Elf64_Verdaux begins with the offset of the name.
	v.names = map[uint16]string{}
	names, le := string(strtab), binary.LittleEndian
	for len(table) >= 20 {
		aux, next := le.Uint32(table[12:]), le.Uint32(table[16:])
		if le.Uint16(table[2:])&versionBase == 0 && uint64(aux)+4 <= uint64(len(table)) {
			if name, _ := symbolName(names, le.Uint32(table[aux:])); name != "" {
				v.names[le.Uint16(table[4:])] = name
			}
		}
		if next == 0 || uint64(next) > uint64(len(table)) {
			break
		}
		table = table[next:]
	}
	return v
}

// of returns the version of the symbol with an index in .dynsym, as VersionOf does, "" if it has
// none.
func (v symbolVersions) of(index int) string {
	if len(v.indexes) < 2*index+2 {
		return ""
	}
	n := binary.LittleEndian.Uint16(v.indexes[2*index:])
	name := v.names[n&^versionHidden]
	switch {
	case name == "":
		return ""
	case n&versionHidden != 0:
		return "@" + name
	}
	return "@@" + name
}
