package dwarf

import (
	"utrace/record/internal/abi"
	"utrace/record/internal/cursor"
)

// Limits on the pass over the debugging information.
const (
	maxUnits    = 1 << 20
	maxSubprogs = 16 << 20
	maxDensity  = 2 // attributes per byte; most take two bytes, some none

	maxFileNames = 64 << 20 // bytes of source file names that are kept
	maxPathWork  = 4 << 30  // bytes of source file names that are joined
)

// linesBuilder makes Lines in one pass over .debug_info.
//
//  1. For each unit, read the header, the abbreviation table (once per offset) and the first DIE.
//     That names the line program, whose file table turns DW_AT_decl_file into a path.
//  2. Walk the DIEs. Enter namespaces, modules and classes. Skip all other children, by
//     DW_AT_sibling if there is one. Note for each subprogram its address, its own declaration, and
//     the DIE that it refers to.
//  3. Resolve: a subprogram without a declaration of its own gets the one of the DIE it refers to.
//     That DIE is the abstract instance or the declaration in a class, and may be in another unit.
//
// Offsets only lead forward, each table is read at most once per unit, and the work counts against
// the limits.
type linesBuilder struct {
	*Lines
	abbrevs     abbrevTables
	headerBytes uint64
	attrs       uint64
	subprogs    map[uint64]subprog // by offset of the DIE
	concrete    []concreteFunc

	// The rest is of the current unit.
	unit    unit
	program *lineProgram // nil if there is none, or it cannot be read
	fileIDs map[uint64]uint32
}

// subprog is the DIE of a function: a declaration, an abstract instance or the function itself.
type subprog struct {
	decl   decl
	origin uint64 // offset of the DIE that it refers to, 0 if none
}

type concreteFunc struct {
	addr abi.Addr
	die  uint64
}

func (b *linesBuilder) run() {
	c := &cursor.Cursor{Bytes: b.data.Info}
	for units := 0; c.Left() > 0; units++ {
		u, abbrevOff, types, err := parseUnit(c)
		if err != nil || units == maxUnits {
			b.truncated = true
			break
		}
		if !types {
			b.readUnit(&cursor.Cursor{Bytes: c.Bytes[:u.end], Off: c.Off}, u, abbrevOff)
		}
		c.Off = u.end
	}
	for _, f := range b.concrete {
		if d := b.resolve(f.die); d.line != 0 && d.file != 0 && b.decls[f.addr].line == 0 {
			b.decls[f.addr] = d
		}
	}
}

// resolve follows the references from a DIE until both file and line are known. A definition in the
// same file as its declaration gives only its line.
func (b *linesBuilder) resolve(die uint64) decl {
	var d decl
	for range 8 {
		s := b.subprogs[die]
		if d.line == 0 {
			d.line = s.decl.line
		}
		if d.file == 0 {
			d.file = s.decl.file
		}
		if d.line != 0 && d.file != 0 || s.origin == 0 {
			break
		}
		die = s.origin
	}
	return d
}

// readUnit walks the DIEs of a unit, from the cursor to the end of its bytes.
func (b *linesBuilder) readUnit(c *cursor.Cursor, u unit, abbrevOff uint64) {
	table := b.abbrevs.at(b.data.Abbrev, abbrevOff)
	if table == nil {
		b.truncated = true
		return
	}
	b.unit, b.program, b.fileIDs = u, nil, map[uint64]uint32{}
	depth := 0 // of the DIE that is read
	const none = 1 << 62
	inside := none // depth of the DIE whose children are skipped
	for c.Left() > 0 {
		at := c.Off
		code := c.Uleb()
		if code == 0 {
			if depth--; depth <= 0 {
				return
			}
			if depth <= inside {
				inside = none
			}
			continue
		}
		ab := table.find(code)
		if ab == nil || c.Bad || b.attrs > maxDensity*uint64(len(b.data.Info))+1024 || len(b.subprogs) > maxSubprogs {
			b.truncated = true
			return
		}
		b.attrs += uint64(len(ab.attrs)) + 1
		sibling := uint64(0)
		switch {
		case inside != none:
			for _, a := range ab.attrs {
				b.unit.value(c, a)
			}
		case depth == 0:
			b.readRoot(c, ab)
		default:
			sibling = b.readDIE(c, ab, at)
		}
		if c.Bad {
			b.truncated = true
			return
		}
		switch {
		case !ab.children:
			if depth == 0 {
				return
			}
		case inside != none || entered(ab.tag):
			depth++
		case sibling > c.Off && sibling < uint64(len(c.Bytes)):
			c.Off = sibling
		default:
			inside = depth
			depth++
		}
	}
}

// entered reports whether functions may be declared among the children of a DIE.
func entered(tag uint64) bool {
	switch tag {
	case tagCompileUnit, tagPartialUnit, tagSkeletonUnit, tagNamespace, tagModule, tagClass, tagStructure, tagUnion, tagInterface:
		return true
	}
	return false
}

// readRoot reads the first DIE of a unit, and the header of the line program that it names.
func (b *linesBuilder) readRoot(c *cursor.Cursor, ab *abbrev) {
	u := &b.unit
	first := c.Off
	for _, a := range ab.attrs {
		switch v := u.value(c, a); a.attr {
		case attrStmtList:
			u.hasLine, u.line = true, v
		default:
			u.setBase(a.attr, v)
		}
	}

	// Read again: an indexed string or address needs the base, which may come after it.
	again := &cursor.Cursor{Bytes: c.Bytes, Off: first}
	for _, a := range ab.attrs {
		switch a.attr {
		case attrCompDir:
			u.compDir = u.text(again, a, b.data)
		case attrLowPC:
			u.lowPC, _ = u.address(again, a, b.data)
		default:
			u.value(again, a)
		}
	}

	if !u.hasLine || b.headerBytes > 4*uint64(len(b.data.Line)) {
		return
	}
	b.compDirs[u.line] = u.compDir
	p, err := parseLineProgram(b.data, u.line, u.compDir)
	if err != nil {
		b.headerBytes += uint64(len(b.data.Line)) / 4
		b.truncated = true
		return
	}
	b.headerBytes += p.size
	b.program = p
}

// readDIE reads the attributes of the DIE at offset at. It returns the offset of the next sibling,
// 0 if the DIE does not have it.
func (b *linesBuilder) readDIE(c *cursor.Cursor, ab *abbrev, at uint64) (sibling uint64) {
	var s subprog
	var file, line uint64
	hasFile := false
	var starts []uint64 // one for each part of the function
	for _, a := range ab.attrs {
		switch a.attr {
		case attrSibling:
			sibling = b.unit.value(c, a)
		case attrLowPC:
			if addr, ok := b.unit.address(c, a, b.data); ok {
				starts = append(starts, addr)
			}
		case attrRanges:
			v := b.unit.value(c, a)
			if ab.tag == tagSubprogram {
				starts = b.unit.rangeStarts(b.data, uint64(a.form), v, starts)
			}
		case attrDeclFile:
			file, hasFile = b.unit.value(c, a), true
		case attrDeclLine:
			line = b.unit.value(c, a)
		case attrAbstractOrigin, attrSpecification:
			v := b.unit.value(c, a)
			if refersInside(a) {
				s.origin = v
			}
		default:
			b.unit.value(c, a)
		}
	}

	if ab.tag != tagSubprogram && ab.tag != tagEntryPoint {
		return sibling
	}
	if line <= MaxLine {
		s.decl.line = uint32(line)
	}
	if hasFile && b.program != nil {
		s.decl.file = b.files.number(b.program, file, b.fileIDs)
	}
	if s == (subprog{}) {
		return sibling
	}
	b.subprogs[at] = s
	for _, addr := range starts {
		b.concrete = append(b.concrete, concreteFunc{abi.Addr(addr), at})
	}
	return sibling
}

// fileNames numbers source files from 1. Number 0 is no file.
type fileNames struct {
	names  []string
	byName map[string]uint32
	bytes  int
	work   int
}

func (n *fileNames) name(i uint32) string {
	if i == 0 {
		return ""
	}
	return n.names[i-1]
}

// number returns the number of file i of a line program. ids has the numbers of this program's
// files so far.
func (n *fileNames) number(p *lineProgram, i uint64, ids map[uint64]uint32) uint32 {
	if id, ok := ids[i]; ok {
		return id
	}
	id := uint32(0)
	if i < uint64(len(p.files)) && n.work < maxPathWork {
		name := p.file(i)
		n.work += len(name)
		id = n.add(name)
		ids[i] = id
	}
	return id
}

// add returns the number of a file. It is 0 for the empty name and beyond the limit.
func (n *fileNames) add(name string) uint32 {
	if n.byName == nil {
		n.byName = map[string]uint32{}
	}
	id := n.byName[name]
	if id == 0 && name != "" && n.bytes < maxFileNames {
		n.names = append(n.names, name)
		n.bytes += len(name)
		id = uint32(len(n.names))
		n.byName[name] = id
	}
	return id
}
