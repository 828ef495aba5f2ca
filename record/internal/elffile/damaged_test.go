package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"utrace/record/internal/elftest"
)

// damages are the values that a field of a header is set to. Added to them are the offset and the
// address of another section.
var damages = []uint64{0, 1, 7, 0xff, 0x1000, 1 << 16, 1<<31 - 1, 1 << 31, 1 << 40, 1 << 63, 1<<64 - 1}

// eachDamage calls fn with damaged copies of an ELF file:
//
//   - cut off;
//   - each field of each header wrong (offsets, sizes, counts, links), so that sections overlap or
//     are outside of the file;
//   - sections full of zeros, ones or their own first bytes.
func eachDamage(t *testing.T, b []byte, fn func(what string, b []byte)) {
	t.Helper()
	le := binary.LittleEndian
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	cuts := []int{0, 1, 4, 16, 63, 64}
	for i := 1; i < 64; i++ {
		cuts = append(cuts, len(b)*i/64)
	}
	for _, s := range f.Sections {
		cuts = append(cuts, int(s.Offset), int(s.Offset+s.FileSize)-1)
	}
	for _, n := range cuts {
		if n >= 0 && n < len(b) {
			fn(fmt.Sprintf("cut at %d", n), b[:n])
		}
	}
	set := func(what string, at uint64, bytes int, value uint64) {
		damaged := slices.Clone(b)
		switch bytes {
		case 2:
			le.PutUint16(damaged[at:], uint16(value))
		case 4:
			le.PutUint32(damaged[at:], uint32(value))
		case 8:
			le.PutUint64(damaged[at:], value)
		}
		fn(fmt.Sprintf("%s = %#x", what, value), damaged)
	}
	fields := func(what string, at uint64, sizes []int, more ...uint64) {
		for i, size := range sizes {
			for _, value := range append(more, damages...) {
				set(fmt.Sprintf("%s field %d", what, i), at, size, value)
			}
			at += uint64(size)
		}
	}
	fields("header", 16, []int{2, 2, 4, 8, 8, 8, 4, 2, 2, 2, 2, 2, 2})
	for i := range f.Progs {
		fields(fmt.Sprintf("segment %d", i), le.Uint64(b[32:])+56*uint64(i), []int{4, 4, 8, 8, 8, 8, 8, 8})
	}
	for i, s := range f.Sections {
		other := f.Sections[(i*7+3)%len(f.Sections)]
		fields("section "+s.Name, le.Uint64(b[40:])+64*uint64(i), []int{4, 4, 8, 8, 8, 8, 4, 4, 8, 8}, other.Offset, other.Addr)
		if s.Type == elf.SHT_NOBITS || s.FileSize == 0 {
			continue
		}
		for what, pattern := range map[string][]byte{"zeros": {0}, "ones": {0xff}, "of its first bytes": slices.Clone(b[s.Offset : s.Offset+min(s.FileSize, 24)])} {
			damaged := slices.Clone(b)
			for j := range s.FileSize {
				damaged[s.Offset+j] = pattern[j%uint64(len(pattern))]
			}
			fn("section "+s.Name+" full "+what, damaged)
		}
		for at := uint64(0); at+4 <= min(s.FileSize, 256); at += 4 { // most counts and offsets are at the beginning
			set(fmt.Sprintf("section %s byte %d", s.Name, at), s.Offset+at, 4, 1<<32-1)
			set(fmt.Sprintf("section %s byte %d", s.Name, at), s.Offset+at, 4, 0x7fffff00)
		}
	}
}

// Any damaged file is read or refused in bounded time and memory.
func TestDamagedFiles(t *testing.T) {
	const maxBytes = 256 << 20 // one file is 34 KB
	for _, c := range []struct {
		name  string
		every int // of the damages; what is compressed is slow
	}{
		{"pie.elf", 1}, {"stripped.elf", 1}, {"clang.elf", 1}, {"arm64.elf", 1},
		{"cet.elf", 7}, {"cxx.elf", 7}, {"split/pie.debug", 7}, {"split/mini.elf", 29},
	} {
		path := filepath.Join(elftest.Dir, c.name)
		t.Run(filepath.Base(path), func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			read := readAll
			if filepath.Ext(path) == ".debug" {
				read = readDebugFile
			}
			every := c.every
			if testing.Short() {
				every *= 5
			}
			files := 0
			var longest time.Duration
			var most uint64
			var m runtime.MemStats
			eachDamage(t, b, func(what string, b []byte) {
				if files++; files%every != 0 {
					return
				}
				runtime.ReadMemStats(&m)
				before, start := m.TotalAlloc, time.Now()
				read(t, b)
				took := time.Since(start)
				runtime.ReadMemStats(&m)
				if took > maxFuzzTime || m.TotalAlloc-before > maxBytes {
					t.Errorf("%s: %v, %d MiB", what, took, (m.TotalAlloc-before)>>20)
				}
				longest, most = max(longest, took), max(most, m.TotalAlloc-before)
			})
			t.Logf("one in %d of %d files, at most %v and %d KiB", every, files, longest, most>>10)
		})
	}
}

// readDebugFile reads b as the separate debug file of split/pie.elf.
func readDebugFile(t *testing.T, b []byte) {
	d, err := newDebugFile(bytes.NewReader(b), uint64(len(b)), "damaged")
	if err != nil {
		return
	}
	f := open(t, filepath.Join(elftest.SplitDir, "pie.elf"))
	defer f.Close()
	f.debug = func() *File { return d }
	f.isDebugFile(d)
	d.checksum()
	if _, err := f.Funcs(); err != nil {
		return
	}
	if l, err := f.Lines(); err == nil {
		for _, s := range f.Segments {
			l.Func(s.Addr)
		}
	}
}
