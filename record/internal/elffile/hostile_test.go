package elffile

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"utrace/record/internal/elftest"
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
		b, err := os.ReadFile(filepath.Join(elftest.Dir, "pie.elf"))
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
	b, err := os.ReadFile(filepath.Join(elftest.Dir, "cet.elf"))
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

// A section that has 100 KiB in the file and expands to 100 MiB is not expanded.
func TestExpandingSection(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(elftest.Dir, "pie.elf"))
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	const expanded = 100 << 20
	z := le.AppendUint32(nil, uint32(elf.COMPRESS_ZLIB))
	z = le.AppendUint64(le.AppendUint64(le.AppendUint32(z, 0), expanded), 1)
	packed := bytes.NewBuffer(z)
	w := zlib.NewWriter(packed)
	if _, err := w.Write(make([]byte, expanded)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	h := sectionHeader(t, b, ".debug_abbrev")
	le.PutUint64(h[8:], uint64(elf.SHF_COMPRESSED))
	le.PutUint64(h[24:], uint64(len(b)))
	le.PutUint64(h[32:], uint64(packed.Len()))
	b = append(b, packed.Bytes()...)
	f, err := newFile(bytes.NewReader(b), uint64(len(b)), "bomb")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Lines(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

// Many unwind entries that each claim all of the code are read in bounded time.
func TestOverlappingFrames(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(elftest.SplitDir, "pie.elf"))
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	plain, err := newFile(bytes.NewReader(b), uint64(len(b)), "plain")
	if err != nil {
		t.Fatal(err)
	}
	text := plain.elf.Section(".text")
	// A table beyond the end of the file: one common entry, then frames one byte apart.
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

// repeatHeader returns an ELF file with n more copies of the header of section name, or of its
// first executable segment if name is "".
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

// The same code is not decoded once for each of many equal headers.
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
