package elffile

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"utrace/record/internal/abi"
	"utrace/record/internal/demangle"
)

// maxSymbolName limits the length of a name, in bytes. Longer names exist (deeply nested C++
// templates), but are of no use to a person. Their symbols are left out.
const maxSymbolName = 16 << 10

// Func is a function: one start address. All symbols at that address are names of one Func.
type Func struct {
	Addr abi.Addr
	// Size is in bytes, from the symbol table. If the table says 0, Size reaches up to the next
	// function or the end of the section, and SizeGuessed is set: padding and local data may be
	// included.
	Size        uint64
	SizeGuessed bool
	// Name is the preferred name: global before weak before local, then one without leading
	// underscores, then the shortest. It omits a symbol version (@GLIBC_2.2.5). Two Funcs may have
	// the same name: see VersionOf.
	Name string
	// Aliases are the other names, sorted.
	Aliases []string
	// Versions are the names that have a version, with it, sorted: NAME@VERSION, or NAME@@VERSION
	// of the default version.
	Versions []string
	shared   []string // names that other Funcs have in another version
	// SourceFile is the base name of the source file of a local function (STT_FILE), else "". It
	// distinguishes static functions of one name.
	SourceFile string
	// Global reports whether one of the names is global or weak.
	Global bool
	// Recovered reports whether no symbol names the function: its beginning and end come from the
	// unwind tables. Its name is sub_ and its address in hexadecimal.
	Recovered bool
}

// Cold reports whether this is the unlikely part of a function, see demangle.IsCold.
func (fn Func) Cold() bool { return demangle.IsCold(fn.Name) }

// symbol is a function or an indirect function.
type symbol struct {
	name string
	// version is "@VERSION", or "@@VERSION" for the default version, "" without one.
	version string
	addr    uint64
	size    uint64
	file    uint32 // index into symbolTable.files
	bind    elf.SymBind
	ifunc   bool
	dyn     bool // from .dynsym

	recovered bool // from the unwind tables: see recovered.go
}

type symbolTable struct {
	defined []symbol
	imports map[string]bool // undefined in .dynsym
	files   []string
}

// funcTable has the results of Funcs and IFuncs, made once.
type funcTable struct {
	funcs  []Func
	ifuncs []Func
	// crowded reports whether the functions have more than maxOverlap times the bytes of the code.
	crowded bool
}

// maxOverlap is far above the overlap in assembly with symbols inside its functions.
const maxOverlap = 8

// Funcs returns the functions that the file defines, sorted by address: symbols of type STT_FUNC in
// the file-backed part of an executable segment, from .symtab and .dynsym. It excludes indirect
// functions (see IFuncs).
//
// Without its own .symtab, the file has the one of its separate debug file, or the embedded one. If
// there is neither, Funcs adds the functions of Go's own table, and nameless ones from the unwind
// tables (Func.Recovered). The error is ErrMalformed or ErrTooLarge.
func (f *File) Funcs() ([]Func, error) {
	t, err := f.funcs()
	if err != nil {
		return nil, err
	}
	return t.funcs, nil
}

// IFuncs returns the indirect functions (STT_GNU_IFUNC), sorted by address. The code at such an
// address is a resolver: the dynamic linker calls it once, to choose an implementation. A probe on
// it would fire once, before main, so probes refuse it with that reason. IFuncs is nil if the
// symbols cannot be read.
func (f *File) IFuncs() []Func {
	t, err := f.funcs()
	if err != nil {
		return nil
	}
	return t.ifuncs
}

// FuncAt returns the function that contains a.
func (f *File) FuncAt(a abi.Addr) (Func, bool) {
	t, err := f.funcs()
	if err != nil {
		return Func{}, false
	}
	i := sort.Search(len(t.funcs), func(i int) bool { return t.funcs[i].Addr > a }) - 1
	if i < 0 || uint64(a-t.funcs[i].Addr) >= t.funcs[i].Size {
		return Func{}, false
	}
	return t.funcs[i], true
}

// HasSymtab reports whether the file itself has a full symbol table (.symtab), with its local
// functions.
func (f *File) HasSymtab() bool {
	s := f.elf.SectionByType(elf.SHT_SYMTAB)
	return s != nil && s.Type != elf.SHT_NOBITS && s.Size > symSize
}

// Stripped reports whether the file has no full symbol table anywhere: only exported functions have
// names.
func (f *File) Stripped() bool { return f.symtabFile() == nil }

// symtabFile returns the file with the full symbol table of f, nil if there is none.
func (f *File) symtabFile() *File {
	if f.HasSymtab() {
		return f
	}
	if d := f.debug(); d != nil && d.HasSymtab() {
		return d
	}
	return f.embedded()
}

// Imports returns the first of the names that the file imports (has undefined in its dynamic symbol
// table). It reads no other table.
func (f *File) Imports(names ...string) (string, bool) {
	imports := f.imports()
	for _, n := range names {
		if imports[n] {
			return n, true
		}
	}
	return "", false
}

// readImports returns the undefined symbols of the dynamic symbol table, none if it cannot be read.
func (f *File) readImports() map[string]bool {
	s := f.elf.SectionByType(elf.SHT_DYNSYM)
	if s == nil {
		return nil
	}
	table, names, err := f.symbolSection(s)
	if err != nil {
		return nil
	}
	imports := map[string]bool{}
	le := binary.LittleEndian
	for b := table; len(b) >= symSize; b = b[symSize:] {
		if elf.SectionIndex(le.Uint16(b[6:])) == elf.SHN_UNDEF && elf.ST_TYPE(b[4]) != elf.STT_FILE {
			name, _ := symbolName(names, le.Uint32(b))
			imports[name] = true
		}
	}
	delete(imports, "")
	return imports
}

// Defines returns one of the names that the file defines as a function.
func (f *File) Defines(names ...string) (string, bool) {
	t, err := f.symbols()
	if err != nil {
		return "", false
	}
	return t.defines(false, names...)
}

// defines returns one of the names that the file defines as a function. exported restricts it to
// .dynsym.
func (t *symbolTable) defines(exported bool, names ...string) (string, bool) {
	for _, s := range t.defined {
		if (!exported || s.dyn) && slices.Contains(names, s.name) {
			return s.name, true
		}
	}
	return "", false
}

func (f *File) readSymbols() (*symbolTable, error) {
	t := &symbolTable{imports: f.imports(), files: []string{""}}
	if from := f.symtabFile(); from != nil {
		if err := from.readSymbolSection(t, from.elf.SectionByType(elf.SHT_SYMTAB), f); err != nil && from == f {
			return nil, fmt.Errorf("symbols of %s: %w", f.Path, err)
		}
	}
	if s := f.elf.SectionByType(elf.SHT_DYNSYM); s != nil {
		if err := f.readSymbolSection(t, s, f); err != nil {
			return nil, fmt.Errorf("symbols of %s: %w", f.Path, err)
		}
	}
	return t, nil
}

const symSize = 24 // sizeof(Elf64_Sym): name u32, info u8, other u8, section u16, value u64, size u64

// symbolSection returns the symbols of a section, and the string that contains their names.
func (f *File) symbolSection(s *elf.Section) (table []byte, names string, err error) {
	if int(s.Link) >= len(f.elf.Sections) {
		return nil, "", fmt.Errorf("%w: section %s names string table %d", ErrMalformed, s.Name, s.Link)
	}
	if table, err = f.sectionData(s, maxSymtab); err != nil {
		return nil, "", err
	}
	strtab, err := f.sectionData(f.elf.Sections[s.Link], maxStrtab)
	if err != nil {
		return nil, "", err
	}
	return table, string(strtab), nil
}

// readSymbolSection adds the symbols of a section of f. They are symbols of code in the file of.
func (f *File) readSymbolSection(t *symbolTable, s *elf.Section, of *File) error {
	table, names, err := f.symbolSection(s)
	if err != nil {
		return err
	}
	dyn := s.Type == elf.SHT_DYNSYM
	var versions symbolVersions
	if dyn {
		versions = f.readVersions()
	}
	file := uint32(0)
	le := binary.LittleEndian
	for i, b := 0, table; len(b) >= symSize; i, b = i+1, b[symSize:] {
		typ, bind, section := elf.ST_TYPE(b[4]), elf.ST_BIND(b[4]), elf.SectionIndex(le.Uint16(b[6:]))
		wanted := typ == elf.STT_FUNC || typ == elf.STT_GNU_IFUNC
		if !(wanted && section != elf.SHN_UNDEF || typ == elf.STT_FILE) {
			continue
		}
		name, version := symbolName(names, le.Uint32(b))
		if typ == elf.STT_FILE {
			t.files = append(t.files, name)
			file = uint32(len(t.files) - 1)
			continue
		}
		if name == "" {
			continue
		}
		sym := symbol{name: name, version: cmp.Or(version, versions.of(i)), addr: le.Uint64(b[8:]), size: le.Uint64(b[16:]), bind: bind, ifunc: typ == elf.STT_GNU_IFUNC, dyn: dyn}
		if bind == elf.STB_LOCAL {
			sym.file = file
		}
		if _, ok := of.FileOff(abi.Addr(sym.addr)); ok {
			t.defined = append(t.defined, sym)
		}
	}
	return nil
}

// symbolName returns the name at off, "" if there is none, and its version if .symtab has it there.
func symbolName(names string, off uint32) (name, version string) {
	if uint64(off) >= uint64(len(names)) {
		return "", ""
	}
	s := names[off:]
	n := strings.IndexByte(s[:min(len(s), maxSymbolName)], 0)
	if n < 0 {
		return "", ""
	}
	if at := strings.IndexByte(s[:n], '@'); at > 0 {
		return s[:at], s[at:n]
	}
	return s[:n], ""
}

func (f *File) readFuncs() (*funcTable, error) {
	t, err := f.symbols()
	if err != nil {
		return nil, err
	}
	byAddr := func(a, b symbol) int {
		if a.addr != b.addr { // most are
			return cmp.Compare(a.addr, b.addr)
		}
		return cmp.Or(cmpPreference(a, b), cmp.Compare(b.file, a.file))
	}
	syms := slices.Clone(t.defined)
	slices.SortFunc(syms, byAddr)
	if f.Stripped() {
		syms = append(syms, f.goSymbols()...)
		slices.SortFunc(syms, byAddr)
		syms = append(syms, f.recoverFuncs(syms)...)
		slices.SortFunc(syms, byAddr)
	}

	out := &funcTable{}
	for len(syms) > 0 {
		n := 1
		for n < len(syms) && syms[n].addr == syms[0].addr {
			n++
		}
		next := uint64(math.MaxUint64)
		if n < len(syms) {
			next = syms[n].addr
		}
		fn, ifunc := f.newFunc(t, syms[:n], next)
		if ifunc {
			out.ifuncs = append(out.ifuncs, fn)
		} else {
			out.funcs = append(out.funcs, fn)
		}
		syms = syms[n:]
	}

	setShared(out.funcs, out.ifuncs)

	code, total := uint64(0), uint64(0)
	for _, s := range f.Segments {
		code += s.FileSize
	}
	for _, fn := range out.funcs { // each is at most as large as a segment
		total += fn.Size
	}
	out.crowded = total/maxOverlap > min(code, f.size) // segments may overlap in the file
	return out, nil
}

// cmpPreference orders the symbols of one address, the best name first.
func cmpPreference(a, b symbol) int {
	rank := func(s symbol) int {
		switch {
		case s.recovered:
			return 3
		case s.bind == elf.STB_LOCAL:
			return 2
		case s.bind == elf.STB_WEAK:
			return 1
		}
		return 0
	}
	underscore := func(s symbol) int {
		if strings.HasPrefix(s.name, "_") {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(underscore(a), underscore(b)),
		cmp.Compare(len(a.name), len(b.name)), strings.Compare(a.name, b.name))
}

// newFunc makes one Func of the symbols of one address, best name first. The next function starts
// at next.
func (f *File) newFunc(t *symbolTable, syms []symbol, next uint64) (fn Func, ifunc bool) {
	fn = Func{Addr: abi.Addr(syms[0].addr), Name: syms[0].name, SourceFile: t.files[syms[0].file], Recovered: syms[0].recovered}
	for _, s := range syms {
		if s.recovered && !fn.Recovered { // it has the size, which the symbols may lack
			if fn.Size == 0 {
				fn.Size = s.size
			}
			continue
		}
		fn.Size = max(fn.Size, s.size)
		fn.Global = fn.Global || s.bind != elf.STB_LOCAL
		ifunc = ifunc || s.ifunc
		if s.name != fn.Name {
			fn.Aliases = append(fn.Aliases, s.name)
		}
		if s.version != "" {
			fn.Versions = append(fn.Versions, s.name+s.version)
		}
	}

	slices.Sort(fn.Aliases)
	fn.Aliases = slices.Compact(fn.Aliases)
	slices.Sort(fn.Versions)
	fn.Versions = slices.Compact(fn.Versions)
	if room := f.room(fn.Addr); fn.Size == 0 || fn.Size > room {
		fn.SizeGuessed = true
		fn.Size = min(next-syms[0].addr, room)
		if s := f.codeSection(fn.Addr); s != nil {
			fn.Size = min(fn.Size, s.Addr+s.Size-syms[0].addr)
		}
	}
	return fn, ifunc
}

// codeSection returns the executable section that contains a, or nil.
func (f *File) codeSection(a abi.Addr) *elf.Section {
	i := sort.Search(len(f.code), func(i int) bool { return f.code[i].Addr > uint64(a) }) - 1
	if i < 0 || uint64(a)-f.code[i].Addr >= f.code[i].Size {
		return nil
	}
	return f.code[i]
}
