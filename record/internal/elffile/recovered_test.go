package elffile

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/demangle"
	"utrace/record/internal/dwarf"
	"utrace/record/internal/elftest"
)

// withoutDebug opens a file as if no debug file were installed.
func withoutDebug(t testing.TB, path string) *File {
	t.Helper()
	f := open(t, path)
	f.debugDir = filepath.Join(t.TempDir(), "none")
	f.Path = filepath.Join(f.debugDir, filepath.Base(path))
	return f
}

// nmSymbols reads the output of nm -S: sizes and names of code symbols by address.
func nmSymbols(t testing.TB, path string) map[abi.Addr][]symbolFact {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[abi.Addr][]symbolFact{}
	for line := range strings.Lines(string(b)) {
		word := strings.Fields(line)
		if len(word) < 3 {
			continue
		}
		a, err := strconv.ParseUint(word[0], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		s := symbolFact{addr: abi.Addr(a), name: word[len(word)-1]}
		if len(word) == 4 {
			s.size, _ = strconv.ParseUint(word[1], 16, 64)
		}
		out[s.addr] = append(out[s.addr], s)
	}
	return out
}

// startup reports whether a function is from the compiler's start-up files. Some of those have
// unwind tables.
func startup(name string) bool {
	return strings.HasPrefix(name, "_") || slices.Contains([]string{"deregister_tm_clones", "register_tm_clones", "frame_dummy", "call_weak_fn", "data_start"}, name)
}

// Every recovered function is one of the file before it was stripped, with its size. Only start-up
// code is missing.
func TestRecoveredAgreesWithNM(t *testing.T) {
	for _, name := range []string{"pie", "nopie", "arm64"} {
		f := withoutDebug(t, filepath.Join(elftest.SplitDir, name+".elf"))
		funcs, err := f.Funcs()
		if err != nil {
			t.Fatal(err)
		}
		want := nmSymbols(t, filepath.Join(elftest.SplitDir, name+".nm"))
		for _, fn := range funcs {
			s := want[fn.Addr]
			if len(s) == 0 || demangle.IsCold(s[0].name) || !startup(s[0].name) && s[0].size != fn.Size {
				t.Errorf("%s: %s of %d bytes is %+v", name, fn.Name, fn.Size, s)
			}
			if !fn.Recovered || fn.SizeGuessed || fn.Name != "sub_"+hexAddr(fn.Addr) {
				t.Errorf("%s: %+v", name, fn)
			}
			if ok, err := f.IsInstruction(fn, fn.Addr); !ok {
				t.Errorf("%s: %s does not begin with an instruction: %v", name, fn.Name, err)
			}
			delete(want, fn.Addr)
		}
		for _, s := range want {
			if !demangle.IsCold(s[0].name) && !startup(s[0].name) {
				t.Errorf("%s: %v is missing", name, s)
			}
		}
	}
}

// Without section headers, the tables are found through the program headers.
func TestRecoveredWithoutSections(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(elftest.SplitDir, "pie.elf"))
	if err != nil {
		t.Fatal(err)
	}
	clear(b[40:48]) // e_shoff
	clear(b[60:64]) // e_shnum, e_shstrndx
	path := filepath.Join(t.TempDir(), "nosections")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	with, without := withoutDebug(t, filepath.Join(elftest.SplitDir, "pie.elf")), withoutDebug(t, path)
	want, err := with.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	got, err := without.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	for _, fn := range want {
		if !slices.ContainsFunc(got, func(g Func) bool { return g.Addr == fn.Addr && g.Size == fn.Size }) {
			t.Errorf("%s is missing", fn.Name)
		}
	}
}

// Tables that are cut short or damaged in any byte cause no panic, and no function outside the
// file.
func TestDamagedFrames(t *testing.T) {
	f := withoutDebug(t, filepath.Join(elftest.SplitDir, "pie.elf"))
	data, addr, err := f.ehFrame()
	if err != nil || len(dwarf.ParseFrames(data, addr, f.Machine)) < 10 {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	for i := range data {
		dwarf.ParseFrames(data[:i], addr, f.Machine)
		damaged := slices.Clone(data)
		for _, c := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			damaged[i] = c
			dwarf.ParseFrames(damaged, addr, f.Machine)
		}
	}
}

// The installed C library is compared with its debug file, if that is installed.
func TestRecoveredOfLibc(t *testing.T) {
	const path = "/lib/x86_64-linux-gnu/libc.so.6"
	if _, err := os.Stat(path); err != nil {
		t.Skip("not on this machine")
	}
	debug := open(t, path).DebugPath()
	if debug == "" {
		t.Skip("needs the debug file of libc (libc6-dbg)")
	}
	out, err := exec.Command("readelf", "-sW", debug).Output()
	if err != nil {
		t.Skipf("needs readelf: %v", err)
	}
	symbols := map[abi.Addr]string{}
	for line := range strings.Lines(string(out)) {
		word := strings.Fields(line)
		if len(word) < 8 || word[3] != "FUNC" && word[3] != "IFUNC" && word[3] != "NOTYPE" || word[6] == "UND" {
			continue
		}
		a, err := strconv.ParseUint(word[1], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		if name := symbols[abi.Addr(a)]; name == "" || demangle.IsCold(name) {
			symbols[abi.Addr(a)] = word[7]
		}
	}
	f := withoutDebug(t, path)
	funcs, err := f.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	exported, recovered := map[abi.Addr]bool{}, map[abi.Addr]bool{}
	wrong := 0
	for _, fn := range slices.Concat(funcs, f.IFuncs()) {
		if !fn.Recovered {
			exported[fn.Addr] = true
			continue
		}
		recovered[fn.Addr] = true
		if name := symbols[fn.Addr]; name == "" || demangle.IsCold(name) {
			wrong++
			t.Logf("%s is %q", fn.Name, name)
		}
	}
	missing := 0
	for a, name := range symbols {
		if s := f.codeSection(a); s == nil || s.Name != ".text" || demangle.IsCold(name) || exported[a] {
			continue
		}
		if !recovered[a] {
			missing++
			t.Logf("%s at %#x is missing", name, a)
		}
	}
	t.Logf("%d recovered, %d of them wrong, %d missing", len(recovered), wrong, missing)
	if len(recovered) < 1000 || wrong > 2 || missing*100 > len(recovered) {
		t.Error("too few agree")
	}
}
