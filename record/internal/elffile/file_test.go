package elffile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/elftest"
)

// facts are what readelf says of a fixture: see testdata/elf/build.sh.
type facts struct {
	entry          abi.Addr
	interp, soname string
	needed         []string
	rpath, runpath string
	buildID        string
	segments       []Segment
	funcs          []symbolFact
}

type symbolFact struct {
	addr abi.Addr
	size uint64
	kind string // FUNC, IFUNC
	bind string // LOCAL, GLOBAL, WEAK
	name string
	file string
}

func readFacts(t testing.TB, path string) facts {
	t.Helper()
	b, err := os.ReadFile(strings.TrimSuffix(path, ".elf") + ".readelf")
	if err != nil {
		t.Fatal(err)
	}
	hex := func(s string) uint64 {
		n, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	bracketed := regexp.MustCompile(`\((\w+)\).*\[(.*)\]`)
	var out facts
	file := ""
	for line := range strings.Lines(string(b)) {
		word := strings.Fields(line)
		switch {
		case strings.Contains(line, "Entry point"):
			out.entry = abi.Addr(hex(word[3]))
		case strings.Contains(line, "interpreter:"):
			out.interp = strings.TrimSuffix(word[3], "]")
		case strings.Contains(line, "Build ID:"):
			out.buildID = word[len(word)-1]
		case word[0] == "LOAD":
			out.segments = append(out.segments, Segment{abi.Addr(hex(word[2])), FileOff(hex(word[1])), hex(word[4]), hex(word[5]), strings.Contains(word[6], "W")})
		case strings.HasPrefix(word[0], "0x"):
			switch m := bracketed.FindStringSubmatch(line); m[1] {
			case "NEEDED":
				out.needed = append(out.needed, m[2])
			case "SONAME":
				out.soname = m[2]
			case "RPATH":
				out.rpath = m[2]
			case "RUNPATH":
				out.runpath = m[2]
			}
		case word[3] == "FILE":
			file = strings.Join(word[7:], " ")
		case word[6] != "UND":
			name, _, _ := strings.Cut(word[7], "@")
			s := symbolFact{abi.Addr(hex(word[1])), 0, word[3], word[4], name, ""}
			s.size, _ = strconv.ParseUint(word[2], 0, 64)
			if s.bind == "LOCAL" {
				s.file = file
			}
			out.funcs = append(out.funcs, s)
		}
	}
	return out
}

func TestOpenAgreesWithReadelf(t *testing.T) {
	for _, path := range elftest.Fixtures(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			f, want := open(t, path), readFacts(t, path)
			got := fmt.Sprintln(f.Entry, f.Interp, f.Soname, f.Needed, f.BuildID, f.Segments,
				strings.Join(f.RPath, ":"), strings.Join(f.RunPath, ":"))
			if want := fmt.Sprintln(want.entry, want.interp, want.soname, want.needed, want.buildID, want.segments,
				want.rpath, want.runpath); got != want {
				t.Errorf("got  %swant %s", got, want)
			}
		})
	}
}

func TestAddressArithmetic(t *testing.T) {
	f := &File{Segments: []Segment{
		{Addr: 0x401000, FileOff: 0x1000, FileSize: 0x100, MemSize: 0x200},
		{Addr: 0x501800, FileOff: 0x1100, FileSize: 0x80, MemSize: 0x80},
		{Addr: ^abi.Addr(0) - 0xfff, FileOff: 0x2000, FileSize: 0xfff, MemSize: 0xfff},
	}}
	for _, c := range []struct {
		addr abi.Addr
		off  FileOff
		ok   bool
	}{
		{0x401000, 0x1000, true},
		{0x4010ff, 0x10ff, true},
		{0x401100, 0, false}, // in memory, not in the file
		{0x400fff, 0, false},
		{0x501800, 0x1100, true},
		{0x50187f, 0x117f, true},
		{0x501880, 0, false},
		{^abi.Addr(0) - 0xfff, 0x2000, true},
		{^abi.Addr(0), 0, false},
		{0, 0, false},
	} {
		off, ok := f.FileOff(c.addr)
		if off != c.off || ok != c.ok {
			t.Errorf("FileOff(%#x) = %#x, %v; want %#x, %v", c.addr, off, ok, c.off, c.ok)
		}
		if !ok {
			continue
		}
		if back, ok := f.Addr(off); back != c.addr || !ok {
			t.Errorf("Addr(%#x) = %#x, %v; want %#x", off, back, ok, c.addr)
		}
	}
	if _, ok := f.Addr(0x1180); ok {
		t.Error("an offset behind the segments has an address")
	}
}

func TestCodeIsBounded(t *testing.T) {
	f := fixture(t, "pie")
	s := f.Segments[0]
	last := s.Addr + abi.Addr(s.FileSize) - 1
	if b, err := f.Code(last, 1); err != nil || len(b) != 1 {
		t.Errorf("last byte: %v", err)
	}
	for _, n := range []uint64{2, 1 << 40, ^uint64(0)} {
		if _, err := f.Code(last, n); !errors.Is(err, ErrNoCode) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := f.Code(0xdead0000, 1); !errors.Is(err, ErrNoCode) {
		t.Errorf("outside: %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	good, err := os.ReadFile(filepath.Join(elftest.Dir, "pie.elf"))
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	with := func(change func(b []byte)) []byte {
		b := bytes.Clone(good)
		change(b)
		return b
	}
	for _, c := range []struct {
		name string
		data []byte
		want error
	}{
		{"empty", nil, ErrNotELF},
		{"script", []byte("#!/bin/sh\n"), ErrNotELF},
		{"header cut short", good[:40], ErrMalformed},
		{"sections cut off", good[:len(good)-100], ErrMalformed},
		{"32-bit", with(func(b []byte) { b[4] = 1 }), ErrUnsupported},
		{"big-endian", with(func(b []byte) { b[5] = 2 }), ErrUnsupported},
		{"object file", with(func(b []byte) { le.PutUint16(b[16:], 1) }), ErrUnsupported},
		{"core dump", with(func(b []byte) { le.PutUint16(b[16:], 4) }), ErrUnsupported},
		{"riscv", with(func(b []byte) { le.PutUint16(b[18:], 243) }), ErrUnsupported},
		{"no segments", with(func(b []byte) { le.PutUint16(b[56:], 0) }), ErrUnsupported},
		{"many segments", with(func(b []byte) { le.PutUint16(b[56:], 0xffff) }), ErrTooLarge},
		{"extended numbering", with(func(b []byte) { le.PutUint16(b[60:], 0) }), ErrTooLarge},
		{"name table out of range", with(func(b []byte) { le.PutUint16(b[62:], 0xfff0) }), ErrMalformed},
		{"large name table", with(func(b []byte) {
			s := le.Uint64(b[40:]) + 64*uint64(le.Uint16(b[62:]))
			le.PutUint64(b[s+32:], 1<<40)
		}), ErrTooLarge},
		{"segment behind the end", with(func(b []byte) {
			for i := range int(le.Uint16(b[56:])) {
				if p := b[64+56*i:]; le.Uint32(p) == 1 && le.Uint32(p[4:])&1 != 0 {
					le.PutUint64(p[32:], 1<<40)
				}
			}
		}), ErrMalformed},
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if f, err := Open(path); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
			if err == nil {
				f.Close()
			}
		}
	}
	if _, err := Open("/does/not/exist"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNotELF) {
		t.Errorf("directory: %v", err)
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(fifo); !errors.Is(err, ErrNotELF) {
		t.Errorf("fifo: %v", err)
	}
}
