package dwarf

import (
	"fmt"
	"path"

	"utrace/record/internal/cursor"
)

// lineProgram is the header of a line number program (DWARF 5, 6.2.4; versions 2 to 5).
type lineProgram struct {
	code       []byte // the opcodes
	minInst    uint64
	lineBase   int64
	lineRange  uint64
	opcodeBase byte
	operands   []byte // of the standard opcodes
	addrSize   uint64
	dirs       [][]byte
	files      []lineFile
	version    uint64
	compDir    []byte
	size       uint64 // of the header, in bytes
}

type lineFile struct {
	name []byte
	dir  uint64
}

// maxLineFiles limits the files, and the directories, of one program.
const maxLineFiles = 1 << 20

// parseLineProgram reads the header at offset off of .debug_line.
func parseLineProgram(d *Sections, off uint64, compDir []byte) (*lineProgram, error) {
	if off > uint64(len(d.Line)) {
		return nil, fmt.Errorf("%w: line program at %#x", ErrMalformed, off)
	}
	malformed := fmt.Errorf("%w: header of the line program at %#x", ErrMalformed, off)
	c := &cursor.Cursor{Bytes: d.Line, Off: off}
	u := &unit{offSize: 4, addrSize: 8}
	length := c.Uint(4)
	if length == 0xffffffff {
		u.offSize, length = 8, c.Uint(8)
	}
	if c.Bad || length > c.Left() {
		return nil, malformed
	}
	c.Bytes = c.Bytes[:c.Off+length]
	p := &lineProgram{compDir: compDir, version: c.Uint(2), addrSize: 8}
	u.version = p.version
	if p.version < 2 || p.version > 5 {
		return nil, fmt.Errorf("%w %d", malformed, p.version)
	}
	if p.version == 5 {
		p.addrSize = c.Uint(1)
		c.Skip(1) // segment selector size
	}
	headerLength := c.Uint(u.offSize)
	if headerLength > c.Left() {
		return nil, malformed
	}
	p.code = c.Bytes[c.Off+headerLength:]
	c.Bytes = c.Bytes[:c.Off+headerLength]
	p.minInst = c.Uint(1)
	if p.version >= 4 {
		c.Skip(1) // operations per instruction: VLIW only
	}
	c.Skip(1) // default is_stmt
	p.lineBase = int64(int8(c.Byte()))
	p.lineRange = c.Uint(1)
	p.opcodeBase = c.Byte()
	for i := byte(1); i < p.opcodeBase; i++ {
		p.operands = append(p.operands, c.Byte())
	}
	if p.lineRange == 0 || p.opcodeBase == 0 || p.addrSize != 8 && p.addrSize != 4 {
		return nil, malformed
	}
	if p.version == 5 {
		for _, e := range p.entryTable(c, u, d) {
			p.dirs = append(p.dirs, e.name)
		}
		p.files = p.entryTable(c, u, d)
	} else {
		p.oldTables(c)
	}

	p.size = c.Off - off
	if c.Bad {
		return nil, malformed
	}
	return p, nil
}

// oldTables reads the directories and files of versions 2 to 4. Their numbers start at 1. Directory
// 0 is the compilation's.
func (p *lineProgram) oldTables(c *cursor.Cursor) {
	p.dirs = [][]byte{p.compDir}
	for {
		s := c.Text()
		if len(s) == 0 || c.Bad || len(p.dirs) == maxLineFiles {
			break
		}
		p.dirs = append(p.dirs, s)
	}
	p.files = []lineFile{{}}
	for {
		s := c.Text()
		if len(s) == 0 || c.Bad || len(p.files) == maxLineFiles {
			break
		}
		p.files = append(p.files, lineFile{name: s, dir: c.Uleb()})
		c.Uleb() // time
		c.Uleb() // size
	}
}

// entryTable reads the directories or the files of version 5: a description of the columns, then
// the rows.
func (p *lineProgram) entryTable(c *cursor.Cursor, u *unit, d *Sections) []lineFile {
	const contentPath, contentDir = 1, 2
	type column struct {
		content uint64
		form    attrForm
	}
	columns := make([]column, c.Byte())
	for i := range columns {
		columns[i].content = c.Uleb()
		form := c.Uleb()
		switch form {
		case formString, formLineStrp, formStrp, formStrx, formStrx1, formStrx2, formStrx3, formStrx4,
			formUdata, formData1, formData2, formData4, formData8, formData16, formBlock:
		default: // a form without bytes would make rows at no cost
			c.Bad = true
		}
		columns[i].form.form = uint16(form)
	}

	rows := c.Uleb()
	if rows > c.Left() || rows > maxLineFiles || rows > 0 && len(columns) == 0 {
		c.Bad = true
	}
	var out []lineFile
	for range rows {
		if c.Bad {
			return nil
		}
		var f lineFile
		for _, col := range columns {
			switch col.content {
			case contentPath:
				f.name = u.text(c, col.form, d)
			case contentDir:
				f.dir = u.value(c, col.form)
			default:
				u.value(c, col.form)
			}
		}
		out = append(out, f)
	}
	return out
}

// file returns the path of file number i, "" if there is none. The path is absolute if the compiler
// knew its directory.
func (p *lineProgram) file(i uint64) string {
	if i >= uint64(len(p.files)) || len(p.files[i].name) == 0 {
		return ""
	}
	f := p.files[i]
	name := string(f.name)
	if path.IsAbs(name) || f.dir >= uint64(len(p.dirs)) {
		return name
	}
	dir := string(p.dirs[f.dir])
	if !path.IsAbs(dir) && f.dir != 0 {
		dir = path.Join(string(p.dirs[0]), dir)
	}
	return path.Join(dir, name)
}

// lineRow is the line of the code from addr on. In a sequence, addresses do not decrease.
type lineRow struct {
	addr uint64
	file uint64
	line int64
	end  bool // addr is the first address after the sequence
}

// run runs the program (DWARF 5, 6.2.5) and calls row for each row of the table.
func (p *lineProgram) run(row func(lineRow)) {
	const (
		opCopy, opAdvancePC, opAdvanceLine, opSetFile       = 1, 2, 3, 4
		opConstAddPC, opFixedAdvancePC                      = 8, 9
		extEndSequence, extSetAddress                       = 1, 2
		extended                                      uint8 = 0
	)

	c := &cursor.Cursor{Bytes: p.code}
	start := lineRow{file: 1, line: 1}
	r := start
	for c.Left() > 0 && !c.Bad {
		op := c.Byte()
		switch {
		case op >= p.opcodeBase:
			n := uint64(op - p.opcodeBase)
			r.addr += n / p.lineRange * p.minInst
			r.line += p.lineBase + int64(n%p.lineRange)
			row(r)
		case op == extended:
			n := c.Uleb()
			if n == 0 || n > c.Left() {
				return
			}
			next := c.Off + n
			switch c.Byte() {
			case extEndSequence:
				r.end = true
				row(r)
				r = start
			case extSetAddress:
				if n-1 == 8 || n-1 == 4 {
					r.addr = c.Uint(n - 1)
				}
			}
			c.Off = next
		case op == opCopy:
			row(r)
		case op == opAdvancePC:
			r.addr += c.Uleb() * p.minInst
		case op == opAdvanceLine:
			r.line += c.Sleb()
		case op == opSetFile:
			r.file = c.Uleb()
		case op == opConstAddPC:
			r.addr += uint64(255-p.opcodeBase) / p.lineRange * p.minInst
		case op == opFixedAdvancePC:
			r.addr += c.Uint(2)
		default:
			for range p.operands[op-1] {
				c.Uleb()
			}
		}
	}
}
