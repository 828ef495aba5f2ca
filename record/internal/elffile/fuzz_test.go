package elffile

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"utrace/record/internal/demangle"
	"utrace/record/internal/dwarf"
	"utrace/record/internal/elftest"
)

// maxFuzzTime is the time that one small input may take, on a busy machine.
const maxFuzzTime = 5 * time.Second

// FuzzOpen reads everything from a mutated ELF file.
func FuzzOpen(f *testing.F) {
	split, _ := filepath.Glob(filepath.Join(elftest.SplitDir, "*.elf"))
	for _, path := range append(elftest.Fixtures(f), split...) {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		start := time.Now()
		readAll(t, b)
		if d := time.Since(start); d > maxFuzzTime {
			t.Errorf("took %v", d)
		}
	})
}

func readAll(t *testing.T, b []byte) {
	f, err := newFile(bytes.NewReader(b), uint64(len(b)), "fuzz")
	if err != nil {
		return
	}
	defer f.Close()
	f.Unwinds()
	f.SwitchesStacks()
	f.LoadsStackPointer()
	f.HoldsLibc()
	f.IFuncs()
	f.USDTProbes()
	f.Inlined(func(name string) bool { return len(name)%2 == 0 })
	funcs, err := f.Funcs()
	if err != nil {
		return
	}
	lines, linesErr := f.Lines()
	for i, fn := range funcs {
		if off, ok := f.FileOff(fn.Addr); !ok {
			t.Errorf("%s at %#x has no offset", fn.Name, fn.Addr)
		} else if _, ok := f.Addr(off); !ok {
			t.Errorf("offset %#x has no address", off)
		}
		if i > 0 && funcs[i-1].Addr >= fn.Addr {
			t.Errorf("not sorted: %#x before %#x", funcs[i-1].Addr, fn.Addr)
		}
		demangle.Full(fn.Name)
		demangle.Short(fn.Name)
		if linesErr == nil {
			lines.Func(fn.Addr)
		}
		if s, err := f.Signature(fn, fn.Addr+4); err == nil {
			dwarf.Parts(append(s.Params, s.Results...))
		}
		e, err := f.Exits(fn)
		if err != nil {
			continue
		}
		for _, r := range append(e.Returns, e.TailCalls...) {
			if _, cold := f.findColdPart(r); !cold && uint64(r-fn.Addr) >= fn.Size {
				t.Errorf("%s: return at %#x is outside", fn.Name, r)
			}
		}
	}
	if linesErr == nil {
		for _, s := range f.Segments {
			lines.Func(s.Addr)
		}
	}
}

func FuzzDebugLink(f *testing.F) {
	f.Add([]byte("a.debug\x00\x01\x02\x03\x04"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if name, _, ok := parseDebugLink(b); ok && (name == "" || strings.Contains(name, "/")) {
			t.Errorf("%q", name)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	packed, err := packedFixture(f)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Fuzz(func(t *testing.T, b []byte) {
		if out, err := unpack(b, 1<<20); err == nil && len(out) > 1<<20 {
			t.Errorf("%d bytes", len(out))
		}
	})
}

func FuzzPclntab(f *testing.F) {
	_, bare := elftest.BuildGo(f, false)
	file := open(f, bare)
	data, err := file.sectionData(file.elf.Section(".gopclntab"), maxPclntab)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(smallPclntab(data))
	f.Fuzz(func(t *testing.T, b []byte) {
		table, err := parsePclntab(b)
		if err != nil {
			return
		}
		start := time.Now()
		if n := len(table.funcs()); n > len(b)/8 {
			t.Errorf("%d functions in %d bytes", n, len(b))
		}
		if d := time.Since(start); d > maxFuzzTime {
			t.Errorf("took %v", d)
		}
	})
}

// smallPclntab makes a table of the first functions of a large one.
func smallPclntab(b []byte) []byte {
	const funcs, part = 3, 256
	le := binary.LittleEndian
	out := append([]byte(nil), b[:pclnHeader]...)
	le.PutUint64(out[8:], funcs)
	for i := 3; i < 8; i++ { // the first bytes of each table
		from := le.Uint64(b[8+8*i:])
		le.PutUint64(out[8+8*i:], uint64(len(out)))
		if i == 7 {
			at := len(out)
			out = append(out, b[from:from+8*funcs+4]...)
			for n := range uint64(funcs) {
				desc := from + uint64(le.Uint32(b[from+8*n+4:]))
				le.PutUint32(out[at+8*int(n)+4:], uint32(len(out)-at))
				out = append(out, b[desc:desc+44]...)
			}
			break
		}
		out = append(out, b[from:from+part]...)
	}
	return out
}
