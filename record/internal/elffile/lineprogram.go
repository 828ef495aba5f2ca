package elffile

import (
	"fmt"
	"path"
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

// maxLineFiles bounds the files, and the directories, of one program.
const maxLineFiles = 1 << 20

// parseLineProgram reads the header at off in .debug_line.
func parseLineProgram(d *dwarfData, off uint64, compDir []byte) (*lineProgram, error) {
	if off > uint64(len(d.line)) {
		return nil, fmt.Errorf("%w: line program at %#x", errDWARF, off)
	}
	malformed := fmt.Errorf("%w: header of the line program at %#x", errDWARF, off)
	c := &cursor{b: d.line, off: off}
	u := &unit{offSize: 4, addrSize: 8}
	length := c.uint(4)
	if length == 0xffffffff {
		u.offSize, length = 8, c.uint(8)
	}
	if c.bad || length > c.left() {
		return nil, malformed
	}
	c.b = c.b[:c.off+length]
	p := &lineProgram{compDir: compDir, version: c.uint(2), addrSize: 8}
	u.version = p.version
	if p.version < 2 || p.version > 5 {
		return nil, fmt.Errorf("%w %d", malformed, p.version)
	}
	if p.version == 5 {
		p.addrSize = c.uint(1)
		c.skip(1) // segment selector size
	}
	headerLength := c.uint(u.offSize)
	if headerLength > c.left() {
		return nil, malformed
	}
	p.code = c.b[c.off+headerLength:]
	c.b = c.b[:c.off+headerLength]
	p.minInst = c.uint(1)
	if p.version >= 4 {
		c.skip(1) // operations per instruction: VLIW only
	}
	c.skip(1) // default is_stmt
	p.lineBase = int64(int8(c.byte()))
	p.lineRange = c.uint(1)
	p.opcodeBase = c.byte()
	for i := byte(1); i < p.opcodeBase; i++ {
		p.operands = append(p.operands, c.byte())
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
	p.size = c.off - off
	if c.bad {
		return nil, malformed
	}
	return p, nil
}

// oldTables reads the directories and files of versions 2 to 4. Numbers start at 1; directory 0 is that of the
// compilation.
func (p *lineProgram) oldTables(c *cursor) {
	p.dirs = [][]byte{p.compDir}
	for {
		s := c.str()
		if len(s) == 0 || c.bad || len(p.dirs) == maxLineFiles {
			break
		}
		p.dirs = append(p.dirs, s)
	}
	p.files = []lineFile{{}}
	for {
		s := c.str()
		if len(s) == 0 || c.bad || len(p.files) == maxLineFiles {
			break
		}
		p.files = append(p.files, lineFile{name: s, dir: c.uleb()})
		c.uleb() // time
		c.uleb() // size
	}
}

// entryTable reads the directories or the files of version 5: a description of the columns, then the rows.
func (p *lineProgram) entryTable(c *cursor, u *unit, d *dwarfData) []lineFile {
	const contentPath, contentDir = 1, 2
	type column struct {
		content uint64
		form    attrForm
	}
	columns := make([]column, c.byte())
	for i := range columns {
		columns[i].content = c.uleb()
		form := c.uleb()
		switch form {
		case formString, formLineStrp, formStrp, formStrx, formStrx1, formStrx2, formStrx3, formStrx4,
			formUdata, formData1, formData2, formData4, formData8, formData16, formBlock:
		default: // forms without bytes would make rows for nothing
			c.bad = true
		}
		columns[i].form.form = uint16(form)
	}
	rows := c.uleb()
	if rows > c.left() || rows > maxLineFiles || rows > 0 && len(columns) == 0 {
		c.bad = true
	}
	var out []lineFile
	for range rows {
		if c.bad {
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

// file returns the path of file number i, "" if there is none. It is absolute if the compiler knew its directory.
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

// lineRow says that from addr on the code is of this line; in a sequence, addresses do not decrease.
type lineRow struct {
	addr uint64
	file uint64
	line int64
	end  bool // the first address behind the sequence
}

// run executes the program (DWARF 5, 6.2.5) and calls row for each row of the table.
func (p *lineProgram) run(row func(lineRow)) {
	const (
		opCopy, opAdvancePC, opAdvanceLine, opSetFile       = 1, 2, 3, 4
		opConstAddPC, opFixedAdvancePC                      = 8, 9
		extEndSequence, extSetAddress                       = 1, 2
		extended                                      uint8 = 0
	)
	c := &cursor{b: p.code}
	start := lineRow{file: 1, line: 1}
	r := start
	for c.left() > 0 && !c.bad {
		op := c.byte()
		switch {
		case op >= p.opcodeBase:
			n := uint64(op - p.opcodeBase)
			r.addr += n / p.lineRange * p.minInst
			r.line += p.lineBase + int64(n%p.lineRange)
			row(r)
		case op == extended:
			n := c.uleb()
			if n == 0 || n > c.left() {
				return
			}
			next := c.off + n
			switch c.byte() {
			case extEndSequence:
				r.end = true
				row(r)
				r = start
			case extSetAddress:
				if n-1 == 8 || n-1 == 4 {
					r.addr = c.uint(n - 1)
				}
			}
			c.off = next
		case op == opCopy:
			row(r)
		case op == opAdvancePC:
			r.addr += c.uleb() * p.minInst
		case op == opAdvanceLine:
			r.line += c.sleb()
		case op == opSetFile:
			r.file = c.uleb()
		case op == opConstAddPC:
			r.addr += uint64(255-p.opcodeBase) / p.lineRange * p.minInst
		case op == opFixedAdvancePC:
			r.addr += c.uint(2)
		default:
			for range p.operands[op-1] {
				c.uleb()
			}
		}
	}
}
