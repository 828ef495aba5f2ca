package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// maxFuzzTime is what one small input may take at most, on a machine that does other things, too.
const maxFuzzTime = 5 * time.Second

// FuzzOpen reads everything there is to read from a mutated ELF file.
func FuzzOpen(f *testing.F) {
	split, _ := filepath.Glob(filepath.Join(splitDir, "*.elf"))
	for _, path := range append(fixtures(f), split...) {
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
	f.StaticProbes()
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
		Demangle(fn.Name)
		DemangleNoParams(fn.Name)
		if linesErr == nil {
			lines.Func(fn.Addr)
		}
		readSignature(t, f, fn)
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

// readSignature reads the signature of a function, the parts of its parameters, and follows the first members.
func readSignature(t *testing.T, f *File, fn Func) {
	s, err := f.Signature(fn, fn.Addr+4)
	if err != nil {
		return
	}
	values := append(s.Params, s.Results...)
	for _, parts := range Parts(values) {
		if len(parts) > maxParams {
			t.Errorf("%s: %d parts", fn.Name, len(parts))
		}
		for _, v := range parts {
			checkValue(t, v)
		}
	}
	for _, v := range values {
		checkValue(t, v)
		s.Find(v.Name + "x")
		for _, path := range []string{"*", "**", "[3]", "->x", ".x", ".next->next->next->next", "[1][1].x"} {
			if m, err := v.Member(path); err == nil {
				checkValue(t, m)
			}
		}
	}
}

// checkValue: a value that can be fetched can be fetched within the limits.
func checkValue(t *testing.T, v Value) {
	ops := []Operand{v.At}
	if v.Length != nil {
		ops = append(ops, *v.Length)
	}
	for _, op := range ops {
		if v.Why != "" || v.Kind == Aggregate {
			continue
		}
		size := op.Size == 1 || op.Size == 2 || op.Size == 4 || op.Size == 8
		if !size || len(op.Derefs) > MaxLoads-1 || op.Shift > 56 || op.Kind == InRegister && op.Base > 31 {
			t.Errorf("%s %s: %+v", v.TypeName, v.Name, op)
		}
	}
}

// FuzzSignature reads signatures from mutated debugging information.
func FuzzSignature(f *testing.F) {
	for _, command := range [][]string{{"gcc", "-g", "-O2"}, {"gcc", "-g", "-O0", "-gdwarf-4"}, {"clang-19", "-g", "-O2"}} {
		if _, err := exec.LookPath(command[0]); err != nil {
			continue
		}
		path := filepath.Join(f.TempDir(), "prog")
		if out, err := exec.Command(command[0], append(command[1:], "-o", path, "testdata/small.c")...).CombinedOutput(); err != nil {
			f.Fatalf("%v\n%s", err, out)
		}
		file := open(f, path)
		d, err := file.types()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(d.data.abbrev, d.data.info, d.data.str, d.data.loc, d.data.loclists, d.data.addr, false)
	}
	for _, h := range hostileTypes() {
		if d := h.unit.data(); len(d.info) < 1<<10 { // a large one is slow to mutate
			f.Add(d.abbrev, d.info, []byte{}, []byte{}, []byte{}, []byte{}, false)
		}
	}
	f.Fuzz(func(t *testing.T, abbrev, info, str, loc, loclists, addr []byte, arm bool) {
		start := time.Now()
		machine := elf.EM_X86_64
		if arm {
			machine = elf.EM_AARCH64
		}
		d := newDebugInfo(&dwarfData{abbrev: abbrev, info: info, str: str, loc: loc, loclists: loclists, addr: addr}, machine)
		file := &File{Path: "fuzz", types: func() (*debugInfo, error) { return d, nil }}
		for i, u := range d.units {
			u.once.Do(func() { d.readFunctions(u) })
			for _, fn := range u.functions[:min(len(u.functions), 20)] {
				readSignature(t, file, Func{Addr: fn.addr, Name: "f"})
			}
			if i == 20 {
				break
			}
		}
		if d := time.Since(start); d > maxFuzzTime {
			t.Errorf("took %v", d)
		}
	})
}

func FuzzMaps(f *testing.F) {
	f.Add("55d0a0000000-55d0a0001000 r-xp 00001000 fd:01 1234                       /usr/bin/a b\n")
	f.Add("7f0000002000-7f0000003000 r--s 00000000 00:05 99    /tmp/x\\012y (deleted)\n")
	f.Add("7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n")
	f.Add("-  :  \n")
	f.Fuzz(func(t *testing.T, s string) {
		maps, err := parseMaps(strings.NewReader(s))
		if err != nil {
			return
		}
		for _, m := range maps {
			if m.Start > m.End {
				t.Errorf("%+v", m)
			}
		}
	})
}

func FuzzLdCache(f *testing.F) {
	f.Add(cacheFile(false, "libz.so.1", "/lib/libz.so.1"))
	f.Add(cacheFile(true, "libz.so.1", "/lib/libz.so.1", "libc.so.6", "/lib/libc.so.6"))
	f.Add([]byte("ld.so-1.7.0\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := parseCache(b)
		if err == nil && len(entries) > len(b)/24 {
			t.Errorf("%d entries in %d bytes", len(entries), len(b))
		}
	})
}

// FuzzDecode: an instruction is never longer than the bytes there are, nor than 15, and needs all of its own.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("\xf3\x0f\x1e\xfa"))
	f.Add([]byte("\x62\xf1\x7c\x48\x58\xc2"))
	f.Add([]byte("\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		in, ok := decodeX86(b, 0)
		if !ok {
			return
		}
		if in.len <= 0 || in.len > len(b) || in.len > maxInst {
			t.Fatalf("%d bytes of %d", in.len, len(b))
		}
		if _, ok := decodeX86(b[:in.len-1], 0); ok {
			t.Errorf("decodes without its last byte")
		}
		if again, ok := decodeX86(b[:in.len], 0); !ok || again != in {
			t.Errorf("depends on what follows")
		}
	})
}

func FuzzFrames(f *testing.F) {
	for _, name := range []string{"pie", "nopie", "arm64"} {
		file := open(f, filepath.Join(splitDir, name+".elf"))
		data, addr, err := file.ehFrame()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, addr, name == "arm64")
	}
	f.Fuzz(func(t *testing.T, data []byte, addr uint64, arm bool) {
		machine := elf.EM_X86_64
		if arm {
			machine = elf.EM_AARCH64
		}
		for _, fr := range parseFrames(data, addr, machine) {
			if fr.size == 0 || fr.end() < fr.start {
				t.Errorf("%+v", fr)
			}
		}
	})
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
	_, bare := buildGo(f, false)
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
