package dwarf

import (
	"cmp"
	"iter"
	"slices"
	"sort"
	"sync"

	"utrace/record/internal/abi"
	"utrace/record/internal/cursor"
)

// Limits on line tables.
const (
	MaxLine        = 1 << 30
	maxSequences   = 4 << 20
	maxBadPrograms = 1000
	maxLineProgram = 16 << 20 // bytes of opcodes of a program whose rows are kept; each may make a row
	maxLineWork    = 2 << 30  // bytes of opcodes run for all lookups together
)

// Lines knows the source lines of a file's functions. Its methods may be called from several
// goroutines.
type Lines struct {
	data      *Sections
	decls     map[abi.Addr]decl
	compDirs  map[uint64][]byte // by offset of the line program
	truncated bool

	mu        sync.Mutex
	files     fileNames
	indexed   bool
	sequences []sequence
	recent    uint64 // the line program that rows are of
	rows      []lineAt
	work      uint64
}

// decl is a line of a file, numbered as in fileNames. The zero value is no line.
type decl struct {
	file uint32
	line uint32
}

// sequence is the range of addresses [start, end) that one line program covers without a gap.
type sequence struct {
	start, end uint64
	program    uint64 // offset in .debug_line
}

type lineAt struct {
	addr uint64
	decl decl
}

// NewLines reads where functions are declared. hasCode says at which addresses the file has code:
// compilers and linkers put address 0 or -1 into entries of functions that were left out.
func NewLines(d *Sections, hasCode func(abi.Addr) bool) *Lines {
	l := &Lines{data: d, decls: map[abi.Addr]decl{}, compDirs: map[uint64][]byte{}}
	b := linesBuilder{Lines: l, subprogs: map[uint64]subprog{}}
	b.run()
	for a := range l.decls {
		if a == 0 || !hasCode(a) {
			delete(l.decls, a)
		}
	}
	// Most of the bytes are not needed again.
	l.data = &Sections{Line: d.Line, LineStr: d.LineStr, Str: d.Str, StrOffsets: d.StrOffsets}
	return l
}

// Declaration is where the function that starts at Addr is declared. Lines start at 1.
type Declaration struct {
	Addr abi.Addr
	File string
	Line uint32
}

// DeclarationLines makes Lines from declarations that do not come from DWARF.
func DeclarationLines(list iter.Seq[Declaration]) *Lines {
	l := &Lines{data: &Sections{}, decls: map[abi.Addr]decl{}, indexed: true}
	for d := range list {
		if id := l.files.add(d.File); id != 0 && d.Line != 0 {
			l.decls[d.Addr] = decl{id, d.Line}
		}
	}
	return l
}

// Truncated reports whether some of the debugging information was left out, because it is malformed
// or beyond a limit.
func (l *Lines) Truncated() bool { return l.truncated }

// Func returns the source line that declares the function which starts at a. If the debugging
// information does not have it, Func returns the line of the first instruction. file is absolute if
// the compiler knew its directory. Lines start at 1. ok is false if neither line is known.
func (l *Lines) Func(a abi.Addr) (file string, line int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.decls[a]
	if d.line == 0 {
		d = l.row(uint64(a))
	}
	if file = l.files.name(d.file); file == "" || d.line == 0 {
		return "", 0, false
	}
	return file, int(d.line), true
}

// At returns the source line of the instruction at a.
func (l *Lines) At(a abi.Addr) (file string, line int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.row(uint64(a))
	if file = l.files.name(d.file); file == "" || d.line == 0 {
		return "", 0, false
	}
	return file, int(d.line), true
}

// row returns the line of the instruction at addr from the line tables. If one address has several
// rows, the first is for the function's opening. The others are for inlined code.
func (l *Lines) row(addr uint64) decl {
	l.indexSequences()
	i := sort.Search(len(l.sequences), func(i int) bool { return l.sequences[i].start > addr }) - 1
	if i < 0 || addr >= l.sequences[i].end {
		return decl{}
	}
	if s := l.sequences[i]; l.rows == nil || l.recent != s.program {
		l.readRows(s.program)
	}
	first := sort.Search(len(l.rows), func(i int) bool { return l.rows[i].addr >= addr })
	for _, r := range l.rows[first:] {
		if r.addr != addr {
			break
		}
		if r.decl.line != 0 {
			return r.decl
		}
	}

	if first == 0 {
		return decl{}
	}
	return l.rows[first-1].decl
}

// indexSequences runs all line programs once, for the first address without a declaration.
func (l *Lines) indexSequences() {
	if l.indexed {
		return
	}
	l.indexed = true
	c := cursor.Cursor{Bytes: l.data.Line}
	bad := 0
	for c.Left() > 0 {
		off := c.Off
		n := c.Uint(4)
		if n == 0xffffffff {
			n = c.Uint(8)
		}
		if c.Bad || n > c.Left() || bad == maxBadPrograms {
			break
		}
		c.Skip(n)
		if !l.indexProgram(off) {
			bad++
		}
	}

	slices.SortStableFunc(l.sequences, func(a, b sequence) int { return cmp.Compare(a.start, b.start) })
}

// indexProgram notes the sequences of one line program. It returns false if the program is
// malformed.
func (l *Lines) indexProgram(off uint64) bool {
	p, err := parseLineProgram(l.data, off, nil)
	if err != nil {
		return false
	}
	s := sequence{program: off}
	first := true
	p.run(func(r lineRow) {
		if first {
			s.start, first = r.addr, false
		}
		if r.end {
			s.end, first = r.addr, true
			if s.start < s.end && s.start != 0 && len(l.sequences) < maxSequences {
				l.sequences = append(l.sequences, s)
			}
		}
	})
	return true
}

// readRows keeps the rows of the line program at off, by address. Lookups in the order of addresses
// run each program once.
func (l *Lines) readRows(off uint64) {
	l.recent, l.rows = off, []lineAt{}
	p, err := parseLineProgram(l.data, off, l.compDirs[off])
	if err != nil || len(p.code) > maxLineProgram || l.work > maxLineWork {
		return
	}
	l.work += uint64(len(p.code)) + p.size
	ids := map[uint64]uint32{}
	p.run(func(r lineRow) {
		d := decl{}
		if !r.end && r.line > 0 && r.line <= MaxLine {
			d = decl{l.files.number(p, r.file, ids), uint32(r.line)}
		}
		l.rows = append(l.rows, lineAt{r.addr, d})
	})
	slices.SortStableFunc(l.rows, func(a, b lineAt) int { return cmp.Compare(a.addr, b.addr) })
}
