package elffile

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
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
		// glibc defines swapcontext, and in its debug build _Unwind_Resume.
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
			path = filepath.Join(elfDir, path+".elf")
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
		f := &File{Needed: append(c.needed, "libc.so.6"), symbols: func() (*symbolTable, error) { return table, nil }}
		if why, ok := f.Unwinds(); ok != c.unwinds {
			t.Errorf("%s: Unwinds: %q, %v", c.name, why, ok)
		}
		if why, ok := f.SwitchesStacks(); ok != c.switches {
			t.Errorf("%s: SwitchesStacks: %q, %v", c.name, why, ok)
		}
	}
}

// What switches stacks in a file without names is found by its code, with unwind tables or without.
func TestLoadsStackPointer(t *testing.T) {
	for _, c := range []struct {
		code string
		want bool
	}{
		{"\x48\x8b\x26", true},                  // mov (%rsi),%rsp
		{"\x48\x8b\xa7\xa0\x00\x00\x00", true},  // mov 0xa0(%rdi),%rsp
		{"\x49\x8b\x20", true},                  // mov (%r8),%rsp
		{"\x48\x89\xfc", true},                  // mov %rdi,%rsp
		{"\x4c\x89\xc4", true},                  // mov %r8,%rsp
		{"\x48\x8b\xe6", true},                  // mov %rsi,%rsp
		{"\x48\x87\x27", true},                  // xchg %rsp,(%rdi)
		{"\x48\x87\xe7", true},                  // xchg %rsp,%rdi
		{"\x48\x87\xfc", true},                  // xchg %rdi,%rsp
		{"\x48\x87\x65\x08", false},             // xchg %rsp,8(%rbp)
		{"\x4c\x87\xe0", false},                 // xchg %r12,%rax
		{"\x48\x89\xec", false},                 // mov %rbp,%rsp
		{"\x4c\x89\xe4", false},                 // mov %r12,%rsp
		{"\x48\x8b\x64\x24\x08", false},         // mov 8(%rsp),%rsp
		{"\x48\x8b\x65\xd0", false},             // mov -0x30(%rbp),%rsp
		{"\x48\x8b\x2e", false},                 // mov (%rsi),%rbp
		{"\x4c\x8b\x26", false},                 // mov (%rsi),%r12
		{"\x48\x89\x27", false},                 // mov %rsp,(%rdi)
		{"\x48\x8b\x25\x00\x00\x00\x00", false}, // mov 0(%rip),%rsp
	} {
		if got := setsStackX86([]byte(c.code)); got != c.want {
			t.Errorf("% x: %v", c.code, got)
		}
	}
	le := binary.LittleEndian
	for _, c := range []struct {
		words []uint32 // the last one is judged
		want  bool
	}{
		{[]uint32{0x9100003f}, true},                          // mov sp, x1
		{[]uint32{0x9100021f}, true},                          // mov sp, x16
		{[]uint32{0x910003bf}, false},                         // mov sp, x29
		{[]uint32{0x9100027f}, false},                         // mov sp, x19
		{[]uint32{0x910043ff}, false},                         // add sp, sp, #16
		{[]uint32{0x910003fd}, false},                         // mov x29, sp
		{[]uint32{0xf9405ba0, 0x9100001f}, false},             // ldr x0, [x29, #176]; mov sp, x0
		{[]uint32{0xf9400fe0, 0x9100001f}, false},             // ldr x0, [sp, #24]; mov sp, x0
		{[]uint32{0xf9400c20, 0x9100001f}, true},              // ldr x0, [x1, #24]; mov sp, x0
		{[]uint32{0xf9405ba0, 0x94000001, 0x9100001f}, true},  // ldr x0, [x29, #176]; bl; mov sp, x0
		{[]uint32{0xf9405ba0, 0xf9400000, 0x9100001f}, true},  // ldr x0, [x29, #176]; ldr x0, [x0]; mov sp, x0
		{[]uint32{0xf9405ba0, 0xa9400041, 0x9100001f}, true},  // ldr x0, [x29, #176]; ldp x1, x0, [x2]; mov sp, x0
		{[]uint32{0x910003e5, 0xcb0310a4, 0x9100009f}, false}, // mov x5, sp; sub x4, x5, x3, lsl #4; mov sp, x4
		{[]uint32{0xcb236be4, 0x9100009f}, false},             // sub x4, sp, x3, uxtx #2; mov sp, x4
		{[]uint32{0xcb0303e4, 0x9100009f}, true},              // neg x4, x3; mov sp, x4
		{[]uint32{0xd503201f, 0xa9407810, 0x9100021f}, true},  // ldp x16, x30, [x0]; mov sp, x16: libco
	} {
		var own ownStackARM64
		got := false
		for _, w := range c.words {
			got = own.sets(le.AppendUint32(nil, w))
		}
		if got != c.want {
			t.Errorf("%#x: %v", c.words, got)
		}
	}
}

// Data, and more code than is read at once, do not hide what comes behind them.
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
	// Where there are no sections, the segments tell where the code is.
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
