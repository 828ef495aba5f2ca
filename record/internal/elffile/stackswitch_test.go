package elffile

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"utrace/record/internal/elftest"
)

func TestHazards(t *testing.T) {
	const system = "/usr/lib/x86_64-linux-gnu/"
	for _, c := range []struct {
		path     string
		unwinds  bool
		switches string
	}{
		{"pie", false, ""},
		{"arm64", false, ""},
		{"stripped", false, ""},
		{"cleanup", false, ""}, // imports _Unwind_Resume and __gcc_personality_v0, being C with -fexceptions
		{"cxx", true, ""},
		{"switch", false, "swapcontext"},
		// glibc defines swapcontext, and its debug build defines _Unwind_Resume.
		{system + "libc.so.6", false, ""},
		{system + "libz.so.1", false, ""},
		{system + "libssl.so.3", false, ""},
		{system + "libcrypto.so.3", false, "setcontext"}, // asynchronous jobs
		{system + "libstdc++.so.6", true, ""},
		{system + "libgcc_s.so.1", true, ""},
		{"/usr/bin/python3.11", false, "sigaltstack"}, // faulthandler
		{"/bin/ls", false, ""},
	} {
		path := c.path
		if !filepath.IsAbs(path) {
			path = filepath.Join(elftest.Dir, path+".elf")
		} else if _, err := os.Stat(path); err != nil {
			continue // not on this machine
		}
		f := open(t, path)
		if why, ok := f.Unwinds(); ok != c.unwinds || ok != (why != "") {
			t.Errorf("%s: Unwinds: %q, %v; want %v", c.path, why, ok, c.unwinds)
		}
		if why, ok := f.SwitchesStacks(); why != c.switches || ok != (why != "") {
			t.Errorf("%s: SwitchesStacks: %q, %v; want %q", c.path, why, ok, c.switches)
		}
	}
}

func TestHazardRules(t *testing.T) {
	def := func(name string, dyn bool) symbol { return symbol{name: name, dyn: dyn} }
	for _, c := range []struct {
		name              string
		defined           []symbol
		imports           []string
		needed            []string
		unwinds, switches bool
	}{
		{name: "static C", defined: []symbol{def("_Unwind_RaiseException", false), def("_Unwind_Resume", false), def("__gcc_personality_v0", false)}},
		{name: "static C++", defined: []symbol{def("__gxx_personality_v0", false)}, unwinds: true},
		{name: "Rust", defined: []symbol{def("rust_eh_personality", false)}, unwinds: true},
		{name: "stripped Rust", imports: []string{"_Unwind_RaiseException"}, unwinds: true},
		{name: "the unwinder", defined: []symbol{def("_Unwind_RaiseException", true)}, unwinds: true},
		{name: "C that prints backtraces", imports: []string{"_Unwind_Backtrace"}},
		{name: "C++ without a destructor", needed: []string{"libm.so.6", "libstdc++.so.6"}, unwinds: true},
		{name: "libc", defined: []symbol{def("__libc_start_main", true), def("swapcontext", true)}},
		{name: "static coroutines", defined: []symbol{def("swapcontext", false)}, switches: true},
		{name: "Boost", defined: []symbol{def("jump_fcontext", false)}, switches: true},
	} {
		table := &symbolTable{defined: c.defined, imports: map[string]bool{}}
		for _, i := range c.imports {
			table.imports[i] = true
		}
		f := &File{Needed: append(c.needed, "libc.so.6"), symbols: func() (*symbolTable, error) { return table, nil }, imports: func() map[string]bool { return table.imports }}
		if why, ok := f.Unwinds(); ok != c.unwinds {
			t.Errorf("%s: Unwinds: %q, %v", c.name, why, ok)
		}
		if why, ok := f.SwitchesStacks(); ok != c.switches {
			t.Errorf("%s: SwitchesStacks: %q, %v", c.name, why, ok)
		}
	}
}

// Data, and more code than is read at once, do not hide the code after them.
func TestLoadsStackPointerBehind(t *testing.T) {
	const setter = "\nsetter: mov (%rdi),%rsp\nret"
	for name, text := range map[string]string{
		"data":                    ".fill 100,1,0x06" + setter,
		"data of its function":    asmFunction("f", ".fill 100,1,0x06"+setter),
		"much code":               ".fill 0x500000,1,0x90" + setter,
		"as much as is read":      ".fill 0x400000-1,1,0x90" + setter, // and of the instruction the first byte
		"much code of a function": asmFunction("f", ".fill 0x500000,1,0x90"+setter),
	} {
		f, symbols := assembled(t, ".text\n"+asmFunction("_start", "hlt")+text)
		if at, ok := f.LoadsStackPointer(); !ok || at != symbols["setter"] {
			t.Errorf("behind %s: the stack pointer is loaded at %#x (%v), not at %#x", name, at, ok, symbols["setter"])
		}
	}
	// Without sections, the segments say where the code is.
	f, symbols := assembled(t, ".text\n"+asmFunction("_start", "hlt")+setter)
	b, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	clear(b[40:48]) // e_shoff
	clear(b[60:64]) // e_shnum, e_shstrndx
	if f, err = newFile(bytes.NewReader(b), uint64(len(b)), "no sections"); err != nil {
		t.Fatal(err)
	}
	if at, ok := f.LoadsStackPointer(); !ok || at != symbols["setter"] {
		t.Errorf("without sections: the stack pointer is loaded at %#x (%v), not at %#x", at, ok, symbols["setter"])
	}
}
