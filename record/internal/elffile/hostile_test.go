package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// sectionHeader returns the header of a section in the bytes of an ELF file.
func sectionHeader(t *testing.T, b []byte, name string) []byte {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range f.Sections {
		if s.Name == name {
			return b[binary.LittleEndian.Uint64(b[40:])+64*uint64(i):]
		}
	}
	t.Fatalf("no section %s", name)
	return nil
}

func TestLargeSectionsAreRefused(t *testing.T) {
	le := binary.LittleEndian
	for _, c := range []struct {
		section string
		read    func(f *File) error
	}{
		{".symtab", func(f *File) error { _, err := f.Funcs(); return err }},
		{".strtab", func(f *File) error { _, err := f.Funcs(); return err }},
		{".dynsym", func(f *File) error { _, err := f.Funcs(); return err }},
		{".debug_info", func(f *File) error { _, err := f.Lines(); return err }},
		{".debug_str", func(f *File) error { _, err := f.Lines(); return err }},
	} {
		b, err := os.ReadFile(filepath.Join(elfDir, "pie.elf"))
		if err != nil {
			t.Fatal(err)
		}
		le.PutUint64(sectionHeader(t, b, c.section)[32:], 1<<40)
		f, err := newFile(bytes.NewReader(b), uint64(len(b)), "large")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.read(f); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", c.section, err)
		}
		if why, ok := f.Unwinds(); !ok && c.section[1] != 'd' {
			t.Errorf("%s: unreadable symbols do not count as a hazard: %q", c.section, why)
		}
	}
	// A compressed section that claims to expand to 2^40 bytes.
	b, err := os.ReadFile(filepath.Join(elfDir, "cet.elf"))
	if err != nil {
		t.Fatal(err)
	}
	le.PutUint64(b[le.Uint64(sectionHeader(t, b, ".debug_info")[24:])+8:], 1<<40)
	f, err := newFile(bytes.NewReader(b), uint64(len(b)), "bomb")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Lines(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("compressed: %v", err)
	}
}

// unitOf returns .debug_info with one version 4 unit of the DIEs.
func unitOf(dies []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(dies)+7))
	b = append(b, 4, 0, 0, 0, 0, 0, 8)
	return append(b, dies...)
}

func TestHostileDWARF(t *testing.T) {
	const subprogram, children = tagSubprogram, 1
	deep := append([]byte{1, tagCompileUnit, children, 0, 0, 2, subprogram, children, 0, 0}, 0)
	backward := []byte{
		1, tagCompileUnit, children, 0, 0,
		2, subprogram, children, attrSibling, formRef1, 0, 0, 0,
	}
	wide := []byte{1, tagCompileUnit, children, 0, 0, 2, subprogram, 0}
	for range maxAttrs - 1 {
		wide = append(wide, attrDeclLine, formImplicitConst, 7)
	}
	wide = append(wide, 0, 0, 0)
	// A function at an address, which refers to another DIE of its unit for its name and line.
	refers := func(form byte) []byte {
		return []byte{
			1, tagCompileUnit, children, 0, 0,
			2, subprogram, 0, attrLowPC, formAddr, attrSpecification, form, 0, 0, 0,
		}
	}
	at := []byte{2, 0, 0x10, 0, 0, 0, 0, 0, 0} // up to the reference
	refTo := func(offsets ...byte) []byte {
		dies := []byte{1}
		for _, o := range offsets {
			dies = append(append(dies, at...), o)
		}
		return unitOf(append(dies, 0))
	}
	indirect := func(n int) []byte { // forms that say that the form follows
		return unitOf(append(append([]byte{1}, at...), bytes.Repeat([]byte{formIndirect}, n)...))
	}
	units := func(unit []byte, n int) []byte { return bytes.Repeat(unit, n) }
	for _, c := range []struct {
		name string
		data dwarfData
	}{
		{"unit shorter than its header", dwarfData{info: []byte{4, 0, 0, 0, 5, 0, 1, 8}, abbrev: deep}},
		{"nesting", dwarfData{info: unitOf(append([]byte{1}, bytes.Repeat([]byte{2}, 20<<20)...)), abbrev: deep}},
		{"sibling that leads back", dwarfData{info: unitOf([]byte{1, 2, 11, 2, 11, 0, 0}), abbrev: backward}},
		{"a function that refers to itself", dwarfData{info: refTo(12), abbrev: refers(formRef1)}},
		{"functions that refer to each other", dwarfData{info: refTo(22, 12), abbrev: refers(formRef1)}},
		{"a function that refers behind its unit", dwarfData{info: refTo(255), abbrev: refers(formRef1)}},
		{"a form that is indirect, and so on", dwarfData{info: indirect(20 << 20), abbrev: refers(formIndirect)}},
		{"attributes without bytes", dwarfData{info: unitOf(append([]byte{1}, bytes.Repeat([]byte{2}, 20<<20)...)), abbrev: wide}},
		{"many units with one large abbreviation table", dwarfData{
			info:   units(unitOf([]byte{1, 0}), 1<<20),
			abbrev: bytes.Repeat([]byte{1, tagCompileUnit, 0, 0, 0}, 4<<20),
		}},
		{"overlapping line programs", dwarfData{
			line: bytes.Repeat([]byte{0x80}, 8<<20), info: overlapping(100_000),
			abbrev: []byte{1, tagCompileUnit, 0, attrStmtList, formData4, 0, 0, 0},
		}},
		{"an endless string", dwarfData{
			str: bytes.Repeat([]byte{'a'}, 16<<20), info: units(unitOf([]byte{1, 0, 0, 0, 0}), 100_000),
			abbrev: []byte{1, tagCompileUnit, 0, attrCompDir, formStrp, 0, 0, 0},
		}},
	} {
		start := time.Now()
		l := newLines(&c.data)
		l.Func(0x1000)
		search := inlinedSearch{match: func(string) bool { return true }, dies: map[uint64]bool{}, names: map[string]bool{}, in: map[Addr]bool{}}
		search.Lines = &Lines{data: &c.data}
		search.run()
		if d := time.Since(start); d > maxFuzzTime {
			t.Errorf("%s: took %v", c.name, d)
		} else {
			t.Logf("%s: %v", c.name, d)
		}
	}
}

// overlapping returns n units, each with its own offset of a line program.
func overlapping(n int) []byte {
	var out []byte
	for i := range n {
		out = append(out, unitOf(binary.LittleEndian.AppendUint32([]byte{1}, uint32(i)))...)
	}
	return out
}

// Many unwind entries that each claim all of the code are read in bounded time.
func TestOverlappingFrames(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(splitDir, "pie.elf"))
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	plain, err := newFile(bytes.NewReader(b), uint64(len(b)), "plain")
	if err != nil {
		t.Fatal(err)
	}
	text := plain.elf.Section(".text")
	// A table behind the end of the file: one common entry, then frames of one byte's distance.
	const frames = 500_000
	addr := uint64(1 << 32)
	table := []byte{16, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x04, 0x0c, 7, 8}
	for i := range uint64(frames) {
		at := len(table)
		table = le.AppendUint32(table, 24)
		table = le.AppendUint32(table, uint32(at+4))
		table = le.AppendUint64(table, text.Addr+i%text.Size)
		table = le.AppendUint64(table, text.Size-i%text.Size)
		table = append(table, 0, 0, 0, 0)
	}
	h := sectionHeader(t, b, ".eh_frame")
	le.PutUint64(h[16:], addr)
	le.PutUint64(h[24:], uint64(len(b)))
	le.PutUint64(h[32:], uint64(len(table)))
	b = append(b, table...)
	f, err := newFile(bytes.NewReader(b), uint64(len(b)), "overlapping")
	if err != nil {
		t.Fatal(err)
	}
	f.debugDir = t.TempDir()
	start := time.Now()
	funcs, err := f.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	f.LoadsStackPointer()
	t.Logf("%d functions in %v", len(funcs), time.Since(start))
	if d := time.Since(start); d > maxFuzzTime || len(funcs) < 100 {
		t.Errorf("%d functions took %v", len(funcs), d)
	}
}

// repeatHeader returns an ELF file with n more headers that say the same as one of section name, or as the one of its first executable segment
// with "".
func repeatHeader(t *testing.T, b []byte, name string, n int) []byte {
	t.Helper()
	le := binary.LittleEndian
	table, count, size := b[40:], b[60:], 64 // Elf64_Ehdr: e_shoff, e_shnum
	if name == "" {
		table, count, size = b[32:], b[56:], 56 // e_phoff, e_phnum
	}
	headers := b[le.Uint64(table):][:size*int(le.Uint16(count))]
	one := headers
	if name != "" {
		one = sectionHeader(t, b, name)
	} else {
		for le.Uint32(one) != uint32(elf.PT_LOAD) || elf.ProgFlag(le.Uint32(one[4:]))&elf.PF_X == 0 {
			one = one[size:]
		}
	}
	more := append(bytes.Clone(headers), bytes.Repeat(one[:size], n)...)
	le.PutUint64(table, uint64(len(b)))
	le.PutUint16(count, uint16(len(more)/size))
	return append(b, more...)
}

// Headers that say the same many times are no reason to decode the same code as often.
func TestRepeatedHeaders(t *testing.T) {
	text := ".text\n" + asmFunction("_start", "hlt") + "many: .fill 0x100000,1,0x90\n"
	for i := range 100 {
		text += fmt.Sprintf(".type f%d,@function\n.set f%d,many+%d\n.size f%d,0xf0000\n", i, i, i, i)
	}
	plain, _ := assembled(t, text)
	for _, repeated := range []string{"", ".text"} {
		b, err := os.ReadFile(plain.Path)
		if err != nil {
			t.Fatal(err)
		}
		b = repeatHeader(t, b, repeated, 100)
		f, err := newFile(bytes.NewReader(b), uint64(len(b)), "repeated")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Exits(find(t, f, "f0")[0]); !errors.Is(err, ErrOverlapping) {
			t.Errorf("%q: functions that lie in each other: %v", repeated, err)
		}
		code := uint64(0)
		for _, r := range f.codeRanges() {
			code += r.Size
		}
		if code < 1<<20 || code > f.size {
			t.Errorf("%q: %d bytes of code in a file of %d", repeated, code, f.size)
		}
	}
}
