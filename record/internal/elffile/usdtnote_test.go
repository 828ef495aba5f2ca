package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/record/internal/abi"
	"utrace/record/internal/elftest"
)

// readelfUSDT returns the USDT probes of a file as readelf prints them, and their names. There is
// one line for each, sorted, with prelink undone.
func readelfUSDT(t *testing.T, path string) (lines []string, names map[string]bool) {
	t.Helper()
	readelf := func(flags string) string {
		out, err := exec.Command("readelf", flags, path).Output()
		if err != nil {
			t.Fatalf("readelf %s %s: %v", flags, path, err)
		}
		return string(out)
	}
	hex := func(s string) uint64 {
		n, err := strconv.ParseUint(s, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	base := uint64(0)
	if m := regexp.MustCompile(`\.stapsdt\.base +PROGBITS +([0-9a-f]+)`).FindStringSubmatch(readelf("-SW")); m != nil {
		base = hex(m[1])
	}
	note := regexp.MustCompile(`(?m)^    Provider: (.*)\n    Name: (.*)\n    Location: 0x([0-9a-f]+), Base: 0x([0-9a-f]+), Semaphore: 0x([0-9a-f]+)\n    Arguments: ?(.*)$`)
	names = map[string]bool{}
	for _, m := range note.FindAllStringSubmatch(readelf("-n"), -1) {
		moved := uint64(0)
		if base != 0 {
			moved = base - hex(m[4])
		}
		semaphore := hex(m[5])
		if semaphore != 0 {
			semaphore += moved
		}
		names[m[1]+":"+m[2]] = true
		lines = append(lines, fmt.Sprintf("%s:%s 0x%x 0x%x %s", m[1], m[2], hex(m[3])+moved, semaphore, m[6]))
	}
	slices.Sort(lines)
	return lines, names
}

// compareUSDT compares the USDT probes of a file with readelf's, and returns them.
func compareUSDT(t *testing.T, path string) []USDTProbe {
	t.Helper()
	probes, err := open(t, path).USDTProbes()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range probes {
		got = append(got, fmt.Sprintf("%s:%s 0x%x 0x%x %s", p.Provider, p.Name, uint64(p.Addr), uint64(p.Semaphore), p.ArgText))
		var texts []string
		for _, a := range p.Args {
			texts = append(texts, a.Text)
		}
		if strings.Join(texts, " ") != p.ArgText {
			t.Errorf("%s:%s: operands %q of %q", p.Provider, p.Name, texts, p.ArgText)
		}
	}
	slices.Sort(got)
	want, _ := readelfUSDT(t, path)
	if !slices.Equal(got, want) {
		t.Errorf("%s: %d locations, readelf has %d", path, len(got), len(want))
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Errorf(" got %s\nwant %s", got[i], want[i])
				break
			}
		}
	}
	return probes
}

// In programs that people trace, every probe, location, semaphore and operand is the same in
// readelf, and all operands can be read.
func TestUSDTAgreesWithReadelf(t *testing.T) {
	elftest.NeedsTool(t, "readelf")
	for _, c := range []struct {
		glob       string
		provider   string
		names      int // at least
		semaphores bool
	}{
		{"/usr/bin/python3.11", "python", 8, true},
		{"/usr/lib/postgresql/15/bin/postgres", "postgresql", 57, true},
		{"/usr/lib/*/libruby-3.1.so.3.1", "ruby", 22, true},
		{"/usr/bin/php8.2", "php", 11, true},
		{"/usr/lib/*/libvirt.so.0", "libvirt", 30, true},
		{"/usr/lib/*/libstdc++.so.6", "libstdcxx", 3, false},
		{"/usr/lib/jvm/java-17-openjdk-*/lib/server/libjvm.so", "hotspot", 500, false},
	} {
		t.Run(c.provider, func(t *testing.T) {
			paths, err := filepath.Glob(c.glob)
			if err != nil || len(paths) == 0 {
				t.Skipf("no %s", c.glob)
			}
			probes := compareUSDT(t, paths[0])
			f := open(t, paths[0])
			if harmful := f.UnprobeableUSDT(probes); len(harmful) > 0 {
				t.Errorf("no place for a breakpoint: %v", harmful)
			}
			names := map[string]bool{}
			for _, p := range probes {
				names[p.Name] = true
				if _, ok := f.FileOff(p.Addr); !ok {
					t.Errorf("%s:%s at %#x: no code", p.Provider, p.Name, p.Addr)
				}
				if code, err := f.Code(p.Addr, 1); err != nil || code[0] != 0x90 && f.Machine == elf.EM_X86_64 {
					t.Errorf("%s:%s at %#x: %x is no nop (%v)", p.Provider, p.Name, p.Addr, code, err)
				}
				if (p.Semaphore != 0) != c.semaphores {
					t.Errorf("%s:%s: semaphore at %#x", p.Provider, p.Name, p.Semaphore)
				}
				if _, ok := f.DataOff(p.Semaphore); !ok && c.semaphores {
					t.Errorf("%s:%s: the semaphore at %#x is not in the file", p.Provider, p.Name, p.Semaphore)
				}
				for _, a := range p.Args {
					if a.Unreadable != "" && !strings.HasPrefix(a.Unreadable, "no symbol table") {
						t.Errorf("%s:%s: %s: %s", p.Provider, p.Name, a.Text, a.Unreadable)
					}
				}
			}
			if len(names) < c.names {
				t.Errorf("%d names", len(names))
			}
		})
	}
}

// usdtNote returns a note with a descriptor.
func usdtNote(owner string, typ uint32, desc []byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(len(owner)))
	b = le.AppendUint32(b, uint32(len(desc)))
	b = le.AppendUint32(b, typ)
	pad := func() {
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	b = append(b, owner...)
	pad()
	b = append(b, desc...)
	pad()
	return b
}

func usdtDesc(addr, base, semaphore uint64, texts string) []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(nil, addr)
	b = le.AppendUint64(b, base)
	b = le.AppendUint64(b, semaphore)
	return append(b, texts...)
}

func TestUSDTNotes(t *testing.T) {
	good := usdtNote("stapsdt\x00", 3, usdtDesc(0x1000, 0x2000, 0x3000, "p\x00n\x008@%rdi -4@$1\x00"))
	base := &elf.Section{SectionHeader: elf.SectionHeader{Addr: 0x2500}}
	for _, c := range []struct {
		name           string
		notes          []byte
		base           *elf.Section
		probes, bad    int
		addr, semapore abi.Addr
	}{
		{"one", good, nil, 1, 0, 0x1000, 0x3000},
		{"moved by prelink", good, base, 1, 0, 0x1500, 0x3500},
		{"no semaphore, moved", usdtNote("stapsdt\x00", 3, usdtDesc(0x1000, 0x2000, 0, "p\x00n\x00\x00")), base, 1, 0, 0x1500, 0},
		{"other notes", slices.Concat(usdtNote("GNU\x00", 3, []byte("id")), good, usdtNote("stapsdt\x00", 4, nil)), nil, 1, 0, 0x1000, 0x3000},
		{"short", slices.Concat(usdtNote("stapsdt\x00", 3, []byte("short")), good), nil, 1, 1, 0x1000, 0x3000},
		{"no operands", slices.Concat(usdtNote("stapsdt\x00", 3, usdtDesc(1, 2, 3, "p\x00n\x00")), good), nil, 1, 1, 0x1000, 0x3000},
		{"no name", slices.Concat(usdtNote("stapsdt\x00", 3, usdtDesc(1, 2, 3, "p\x00\x00\x00")), good), nil, 1, 1, 0x1000, 0x3000},
		{"not terminated", slices.Concat(usdtNote("stapsdt\x00", 3, usdtDesc(1, 2, 3, "p\x00n\x008@%rdi")), good), nil, 1, 1, 0x1000, 0x3000},
		{"cut short", slices.Concat(good, good[:len(good)-8]), nil, 1, 1, 0x1000, 0x3000},
		{"padded", slices.Concat(good, []byte{0, 0, 0, 0}), nil, 1, 0, 0x1000, 0x3000},
		{"too many operands", slices.Concat(usdtNote("stapsdt\x00", 3, usdtDesc(1, 2, 3, "p\x00n\x00"+strings.Repeat("1@$1 ", 33)+"\x00")), good), nil, 1, 1, 0x1000, 0x3000},
		{"a long name", slices.Concat(usdtNote("stapsdt\x00", 3, usdtDesc(1, 2, 3, "p\x00"+strings.Repeat("n", 5000)+"\x00\x00")), good), nil, 1, 1, 0x1000, 0x3000},
		{"sizes that overflow", slices.Concat(good, bytes.Repeat([]byte{0xff}, 12)), nil, 1, 1, 0x1000, 0x3000},
	} {
		probes, refs, bad := parseUSDTNotes(c.notes, elf.EM_X86_64, c.base)
		if len(probes) != c.probes || bad != c.bad {
			t.Errorf("%s: %d probes, %d bad", c.name, len(probes), bad)
			continue
		}
		if p := probes[0]; p.Addr != c.addr || p.Semaphore != c.semapore || len(p.Args) != len(refs) {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
}

// The maximum number of notes and operands is read in bounded time.
func TestHostileUSDTNotes(t *testing.T) {
	for _, operands := range []string{strings.Repeat("a ", maxOperands), strings.Repeat("(", maxString), strings.Repeat("+", maxString), strings.Repeat("1+", maxString/2), ""} {
		one := usdtNote("stapsdt\x00", 3, usdtDesc(0, 0, 0, "p\x00n\x00"+operands+"\x00"))
		start := time.Now()
		probes, _, _ := parseUSDTNotes(bytes.Repeat(one, maxUSDTNotes/len(one)), elf.EM_X86_64, nil)
		if d := time.Since(start); d > maxFuzzTime {
			t.Errorf("%d notes took %v", len(probes), d)
		} else {
			t.Logf("%d notes in %v", len(probes), d)
		}
	}
}

// FuzzUSDT reads the notes of a section.
func FuzzUSDT(f *testing.F) {
	f.Add(usdtNote("stapsdt\x00", 3, usdtDesc(0x1000, 0x2000, 0x3000, "python\x00gc__start\x00-4@%edi 8@8(%rsp)\x00")), uint64(0x2000), false)
	f.Add(usdtNote("stapsdt\x00", 3, usdtDesc(0, 0, 0, "a\x00b\x00-4@w1 8@[x0, 16]\x00")), uint64(0), true)
	f.Add(usdtNote("stapsdt\x00", 3, []byte("short")), uint64(1), false)
	f.Fuzz(func(t *testing.T, b []byte, base uint64, arm bool) {
		machine := elf.EM_X86_64
		if arm {
			machine = elf.EM_AARCH64
		}
		probes, refs, bad := parseUSDTNotes(b, machine, &elf.Section{SectionHeader: elf.SectionHeader{Addr: base}})
		args := 0
		for _, p := range probes {
			args += len(p.Args)
			if p.Name == "" || p.Provider == "" || len(p.Args) > maxOperands {
				t.Errorf("%+v", p)
			}
		}
		if args != len(refs) || (len(probes)+bad-1)*12 > len(b) {
			t.Errorf("%d operands, %d symbols, %d probes, %d bad in %d bytes", args, len(refs), len(probes), bad, len(b))
		}
	})
}

// A debug file repeats the notes, and is refused. The file itself finds its variables in the debug
// file.
func TestUSDTOfDebugFile(t *testing.T) {
	elftest.NeedsTool(t, "gcc", "objcopy")
	dir := t.TempDir()
	src, bin, debug := filepath.Join(dir, "a.c"), filepath.Join(dir, "a"), filepath.Join(dir, "a.debug")
	elftest.WriteFile(t, src, `#include <sys/sdt.h>
static volatile int counter; __thread volatile int local;
int main(void) { STAP_PROBE2(test, vars, counter, local); return 0; }
`)
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			if bytes.Contains(out, []byte("sys/sdt.h: No such file")) {
				t.Skip("no sys/sdt.h (systemtap-sdt-dev)")
			}
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	run("gcc", "-O2", "-g", "-o", bin, src)
	whole, err := open(t, bin).USDTProbes()
	if err != nil || len(whole) != 1 || whole[0].Args[0].Unreadable != "" || !whole[0].Args[0].Relative {
		t.Fatalf("%+v %v", whole, err)
	}
	run("objcopy", "--only-keep-debug", bin, debug)
	run("strip", bin)
	stripped, err := open(t, bin).USDTProbes()
	if err != nil || stripped[0].Args[0].Unreadable != "no symbol table has the variable counter" {
		t.Errorf("stripped: %+v %v", stripped, err)
	}
	run("objcopy", "--add-gnu-debuglink", debug, bin)
	linked, err := open(t, bin).USDTProbes()
	if err != nil || !reflect.DeepEqual(linked[0].Args[0], whole[0].Args[0]) {
		t.Errorf("with its debug file: %+v, want %+v (%v)", linked, whole, err)
	}
	if _, err := Open(debug); err == nil || !strings.Contains(err.Error(), ErrDebugFile.Error()) {
		t.Errorf("debug file: %v", err)
	}
	if _, err := os.Stat(debug); err != nil {
		t.Error(err)
	}
}

// USDT probes of 0 to 12 arguments, as compilers place them, are the same in readelf. Globals are
// at the address that nm prints.
func TestUSDTOfCompilers(t *testing.T) {
	elftest.NeedsTool(t, "gcc", "readelf", "nm")
	counts := []string{"none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"}
	for _, build := range []string{
		"gcc -O0", "gcc -O1", "gcc -O2", "gcc -O3 -DSEMAPHORES", "gcc -O2 -static", "gcc -O2 -fPIE -pie", "gcc -O2 -fno-pie -no-pie",
		"g++ -x c++ -O2 -DSEMAPHORES", "clang-19 -O0", "clang-19 -O2", "clang-19 -O3 -DSEMAPHORES", "clang-19 -O2 -fno-pie -no-pie",
	} {
		t.Run(build, func(t *testing.T) {
			cc := strings.Fields(build)
			elftest.NeedsTool(t, cc[0])
			bin := filepath.Join(t.TempDir(), "statics")
			if out, err := exec.Command(cc[0], append(cc[1:], "-w", "-o", bin, "../../../testdata/targets/statics.c")...).CombinedOutput(); err != nil {
				if bytes.Contains(out, []byte("sdt.h")) {
					t.Skip("no sys/sdt.h (systemtap-sdt-dev)")
				}
				t.Fatalf("%v\n%s", err, out)
			}
			probes := compareUSDT(t, bin)
			variables := symbolsOf(t, bin)
			f := open(t, bin)
			if harmful := f.UnprobeableUSDT(probes); len(harmful) > 0 {
				t.Errorf("no place for a breakpoint: %v", harmful)
			}
			many := 0
			for _, p := range probes {
				if n := slices.Index(counts, p.Name); n >= 0 && len(p.Args) != n {
					t.Errorf("%s has %d arguments", p.Name, len(p.Args))
				}
				if p.Name == "many" {
					many++
				}
				if _, ok := f.DataOff(p.Semaphore); (ok && p.Semaphore != 0) != strings.Contains(build, "SEMAPHORES") {
					t.Errorf("%s: semaphore at %#x", p.Name, p.Semaphore)
				}
				for _, a := range p.Args {
					checkOperand(t, p.Name, a, variables)
				}
			}
			if many != 32 {
				t.Errorf("%d locations of one name", many)
			}
		})
	}
}

func symbolsOf(t *testing.T, bin string) map[string]abi.Addr {
	t.Helper()
	out, err := exec.Command("nm", bin).Output()
	if err != nil {
		t.Fatal(err)
	}
	symbols := map[string]abi.Addr{}
	for line := range strings.Lines(string(out)) {
		var addr uint64
		var typ, name string
		if n, _ := fmt.Sscanf(line, "%x %s %s", &addr, &typ, &name); n == 3 {
			symbols[name] = abi.Addr(addr)
		}
	}
	return symbols
}

// checkOperand checks that an unreadable operand has its reason, and that a global is where nm
// says.
func checkOperand(t *testing.T, probe string, a abi.Operand, symbols map[string]abi.Addr) {
	t.Helper()
	for part, why := range map[string]string{".L": "label", "@tpoff": threadLocal, "%xmm": notGeneral} {
		if strings.Contains(a.Text, part) {
			if !strings.Contains(a.Unreadable, why) {
				t.Errorf("%s: %s: %q, want %q", probe, a.Text, a.Unreadable, why)
			}
			return
		}
	}
	if a.Unreadable != "" {
		t.Errorf("%s: %s: %s", probe, a.Text, a.Unreadable)
	}
	_, place, _ := strings.Cut(a.Text, "@")
	place, _, _ = strings.Cut(place, "(")
	name := regexp.MustCompile(`[A-Za-z_]\w*`).FindString(place)
	if addr, ok := symbols[name]; ok && a.Kind == abi.InMemory {
		delta := 0
		fmt.Sscan(regexp.MustCompile(`-?\b[0-9]+`).FindString(place), &delta)
		if !a.Relative || a.Disp != int64(addr)+int64(delta) {
			t.Errorf("%s: %s is at %#x: %+v", probe, a.Text, addr, a)
		}
	} else if a.Relative {
		t.Errorf("%s: %s: %+v", probe, a.Text, a)
	}
}
