package elffile

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"utrace/record/internal/elftest"
)

// installed copies a stripped file of elftest.SplitDir and its debug file to a directory each. It
// opens the file as if debug files were installed in debugDir. The names are relative to the
// temporary directory.
func installed(t *testing.T, name, elfPath, debugPath, debugDir string) *File {
	t.Helper()
	dir := t.TempDir()
	for from, to := range map[string]string{name + ".elf": elfPath, name + ".debug": debugPath} {
		b, err := os.ReadFile(filepath.Join(elftest.SplitDir, from))
		if err != nil {
			t.Fatal(err)
		}
		to = strings.ReplaceAll(filepath.Join(dir, to), "DIR", dir)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := open(t, filepath.Join(dir, elfPath))
	f.debugDir = filepath.Join(dir, debugDir)
	return f
}

// debugInfoSize unpacks the debug information of a file.
func debugInfoSize(t *testing.T, path string) uint64 {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := f.Section(".debug_info").Data()
	if err != nil {
		t.Fatal(err)
	}
	return uint64(len(data))
}

func TestDebugFileIsFound(t *testing.T) {
	for _, name := range []string{"pie", "nopie", "arm64"} {
		id := open(t, filepath.Join(elftest.SplitDir, name+".elf")).BuildID
		for _, c := range []struct{ how, debugPath string }{
			{"build ID", "lib/debug/.build-id/" + id[:2] + "/" + id[2:] + ".debug"},
			{"beside", "bin/" + name + ".debug"},
			{"in .debug", "bin/.debug/" + name + ".debug"},
			{"in the debug directory", "lib/debug/DIR/bin/" + name + ".debug"},
		} {
			f := installed(t, name, "bin/prog", c.debugPath, "lib/debug")
			if f.HasSymtab() || f.Stripped() || !strings.HasSuffix(f.DebugPath(), ".debug") {
				t.Fatalf("%s: %s: debug file %q", name, c.how, f.DebugPath())
			}
			// Its symbols are those of nm, at addresses in the file itself.
			want := nmSymbols(t, filepath.Join(elftest.SplitDir, name+".nm"))
			fn := find(t, f, "by_tail_call")[0]
			if s := want[fn.Addr]; fn.Recovered || fn.SourceFile != "split.c" || len(s) != 1 || s[0].size != fn.Size {
				t.Errorf("%s: %s: %+v, nm has %v", name, c.how, fn, s)
			}
			if e, err := f.Exits(fn); err != nil || len(e.Returns)+len(e.TailCalls) == 0 {
				t.Errorf("%s: its code cannot be read: %+v, %v", name, e, err)
			}
			if got, want := f.DebugInfoSize(), debugInfoSize(t, filepath.Join(elftest.SplitDir, name+".debug")); got == 0 || got != want {
				t.Errorf("%s: %s: %d bytes of debug information, want %d", name, c.how, got, want)
			}
			lines, err := f.Lines()
			if err != nil {
				t.Fatal(err)
			}
			if file, line, ok := lines.Func(fn.Addr); !ok || file != "/fixture/src/split.c" || line != 12 {
				t.Errorf("%s: %s: line %s:%d", name, c.how, file, line)
			}
		}
	}
}

func TestDebugFileOfAnotherBuildIsNotUsed(t *testing.T) {
	f := installed(t, "pie", "prog", "nopie.debug", "none")
	if f.DebugPath() != "" || !f.Stripped() {
		t.Errorf("used %s", f.DebugPath())
	}
	// The name is right and the content is not: another build ID, or another checksum.
	for what, change := range map[string]func(b []byte){
		"checksum": func(b []byte) { b[len(b)-1] ^= 1 },
		"build ID": func(b []byte) { b[bytes.Index(b, []byte("GNU\x00"))+4] ^= 1 },
	} {
		f := installed(t, "pie", "prog", "pie.debug", "none")
		path := filepath.Join(filepath.Dir(f.Path), "pie.debug")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		change(b)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if f.DebugPath() != "" {
			t.Errorf("a debug file with another %s is used", what)
		}
	}
	// A FIFO with the name of a debug file does not block.
	f = installed(t, "pie", "prog", "elsewhere", "none")
	if err := exec.Command("mkfifo", filepath.Join(filepath.Dir(f.Path), "pie.debug")).Run(); err == nil && f.DebugPath() != "" {
		t.Error("a FIFO is used")
	}
}

func TestDebugFileIsNoTarget(t *testing.T) {
	for _, name := range []string{"pie", "nopie", "arm64"} {
		if f, err := Open(filepath.Join(elftest.SplitDir, name+".debug")); !errors.Is(err, ErrDebugFile) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				f.Close()
			}
		}
	}
}

func TestParseDebugLink(t *testing.T) {
	for _, c := range []struct {
		data string
		name string
		ok   bool
	}{
		{"a.debug\x00\x01\x02\x03\x04", "a.debug", true},
		{"abc\x00\x01\x02\x03\x04", "abc", true},
		{"abcd\x00\x00\x00\x00\x01\x02\x03\x04", "abcd", true},
		{"abcd\x00\x00\x00\x00\x01\x02\x03", "", false},
		{"\x00\x00\x00\x00\x01\x02\x03\x04", "", false},
		{"../../etc/passwd\x00\x00\x00\x00\x01\x02\x03\x04", "", false},
		{"abcd", "", false},
		{"", "", false},
	} {
		name, crc, ok := parseDebugLink([]byte(c.data))
		if name != c.name || ok != c.ok || ok && crc != 0x04030201 {
			t.Errorf("%q: %q %#x %v", c.data, name, crc, ok)
		}
	}
}

func TestEmbeddedSymbols(t *testing.T) {
	f := open(t, filepath.Join(elftest.SplitDir, "mini.elf"))
	if f.HasSymtab() || f.Stripped() || f.DebugPath() != "" {
		t.Fatal("the embedded symbol table is not used")
	}
	want := nmSymbols(t, filepath.Join(elftest.SplitDir, "mini.nm"))
	for _, name := range []string{"leaf", "middle", "main"} {
		fn := find(t, f, name)[0]
		if s := want[fn.Addr]; len(s) != 1 || s[0].name != name || s[0].size != fn.Size {
			t.Errorf("%+v, nm has %v", fn, s)
		}
	}
}

// A stream that asks for a dictionary of 4 GiB, or expands beyond the limit, is refused before it
// is read.
func TestUnpackIsBounded(t *testing.T) {
	packed, err := packedFixture(t)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := unpack(packed, maxEmbedded)
	if err != nil || !bytes.HasPrefix(plain, []byte("\x7fELF")) {
		t.Fatal(err)
	}
	if _, err := unpack(packed, uint64(len(plain))-1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("limit: %v", err)
	}
	dictionary := bytes.Clone(packed)
	at := bytes.Index(dictionary, []byte{0x21, 0x01})
	dictionary[at+2] = 40 // 4 GiB
	if _, err := unpack(dictionary, maxEmbedded); !errors.Is(err, ErrTooLarge) {
		t.Errorf("dictionary: %v", err)
	}
	for i := range packed {
		unpack(packed[:i], 1<<20)
		damaged := bytes.Clone(packed)
		damaged[i] ^= 0xff
		if b, err := unpack(damaged, 1<<20); err == nil && i < len(packed)-40 && !bytes.Equal(b, plain) {
			t.Errorf("byte %d: damage is not noticed", i)
		}
	}
}

// packedFixture is the xz stream of the fixture.
func packedFixture(t testing.TB) ([]byte, error) {
	f := open(t, filepath.Join(elftest.SplitDir, "mini.elf"))
	return f.sectionData(f.elf.Section(".gnu_debugdata"), maxEmbedded)
}

// A cached debug file is used if none is installed, and if it is of the same build.
func TestCachedDebugFile(t *testing.T) {
	cached := func(name string) func(string) string {
		return func(string) string { return filepath.Join(elftest.SplitDir, name) }
	}
	for _, c := range []struct {
		cached, debugPath string
		used              bool
	}{
		{"pie.debug", "elsewhere", true},
		{"nopie.debug", "elsewhere", false},
		{"pie.elf", "elsewhere", false}, // as stripped as the file itself
		{"missing", "elsewhere", false},
	} {
		f := installed(t, "pie", "bin/prog", c.debugPath, "lib/debug")
		if !f.LacksDebug() {
			t.Fatalf("%s: has the debug file %q", c.cached, f.DebugPath())
		}
		f.CachedDebug = cached(c.cached)
		if f.Stripped() == c.used {
			t.Errorf("%s: stripped %v, debug file %q", c.cached, f.Stripped(), f.DebugPath())
		}
		if _, err := f.Lines(); (err == nil) != c.used {
			t.Errorf("%s: lines: %v", c.cached, err)
		}
	}

	f := installed(t, "pie", "bin/prog", "bin/pie.debug", "lib/debug")
	f.CachedDebug = func(string) string { t.Error("a debug file is installed, and the cache was asked"); return "" }
	if f.LacksDebug() || f.Stripped() {
		t.Error("the installed debug file is not used")
	}
}

// OpenNames gives the names and lines of debug files and of programs, as nm has them.
func TestOpenNames(t *testing.T) {
	for _, name := range []string{"pie", "nopie", "arm64"} {
		f, err := OpenNames(filepath.Join(elftest.SplitDir, name+".debug"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		want := nmSymbols(t, filepath.Join(elftest.SplitDir, name+".nm"))
		fn := find(t, f, "by_tail_call")[0]
		if s := want[fn.Addr]; len(s) != 1 || s[0].size != fn.Size {
			t.Errorf("%s: %+v, nm has %v", name, fn, s)
		}
		if at, ok := f.FuncAt(fn.Addr + 1); !ok || at.Name != "by_tail_call" {
			t.Errorf("%s: at %#x is %+v", name, fn.Addr+1, at)
		}
		lines, err := f.Lines()
		if err != nil {
			t.Fatal(err)
		}
		if file, line, ok := lines.Func(fn.Addr); !ok || file != "/fixture/src/split.c" || line != 12 {
			t.Errorf("%s: line %s:%d", name, file, line)
		}
	}
	f, err := OpenNames(filepath.Join(elftest.SplitDir, "pie.elf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Code(f.Entry, 4); err != nil {
		t.Errorf("the code of a program: %v", err)
	}
}
