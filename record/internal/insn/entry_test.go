package insn

import (
	"encoding/hex"
	"strings"
	"testing"

	"utrace/record/internal/abi"
)

// Prologues as compilers write them, and the site of the breakpoint.
func TestFindEntry(t *testing.T) {
	const entry = 0x1000
	for _, c := range []struct {
		name     string
		code     string // hexadecimal
		branches []abi.Addr
		more     bool // not all branches are known
		keepArgs keptArgs
		site     abi.Addr
		class    Class
		why      string
	}{
		{name: "gcc -O0", code: "55 4889e5", site: entry, class: Emulated},
		{name: "gcc -O0 -fcf-protection: endbr64; push", code: "f30f1efa 55 4889e5", site: entry + 4, class: Emulated},
		{name: "push %r15", code: "4157 4156", site: entry, class: Emulated},
		{name: "nop5 of -fpatchable-function-entry", code: "0f1f440000 55", site: entry, class: NopCall},
		{name: "endbr64; nop5", code: "f30f1efa 0f1f440000 55", site: entry + 4, class: NopCall},
		{name: "mov; mov; push", code: "4889f8 488b17 53", site: entry + 6, class: Emulated},
		{name: "test; je", code: "4885ff 7405 c3", site: entry + 3, class: Emulated},
		{name: "free of glibc: test; je far", code: "4885ff 0f84a2000000", site: entry + 3, class: Emulated},
		{name: "cmpb $0,x(%rip); jne (read of glibc)", code: "803d91830d0000 7413", site: entry + 7, class: Emulated},
		{name: "sub $8,%rsp; call", code: "4883ec08 e800000000", site: entry, why: "stack pointer"},
		{name: "lea -8(%rsp),%rsp", code: "488d6424f8 55", site: entry, why: "stack pointer"},
		{name: "ret", code: "c3", site: entry, why: "RET"},
		{name: "xor; ret", code: "31c0 c3", site: entry, why: "RET"},
		{name: "a branch to the push", code: "4889f8 55 4883c001 ebf6", branches: []abi.Addr{entry + 3}, site: entry, why: "branch"},
		{name: "a branch before the push", code: "4889f8 488b17 55", branches: []abi.Addr{entry + 3}, site: entry, why: "branch"},
		{name: "a branch behind the push", code: "4889f8 55 488b17", branches: []abi.Addr{entry + 4}, site: entry + 3, class: Emulated},
		{name: "a jump table, and a push", code: "4889f8 488b17 53", more: true, site: entry + 6, class: Emulated},
		{name: "a jump table, endbr64, and a nop5", code: "f30f1efa 0f1f440000 31c0", more: true, site: entry + 4, class: NopCall},
		{name: "a jump table, and ja", code: "488d1500100000 0fb607 3c0c 7705", more: true, site: entry, why: "may lead to the instruction at +0xc"},
		{name: "a jump table, and je at the entry", code: "7405 c3", more: true, site: entry, class: Emulated},
		{name: "arguments not wanted", code: "89f7 55", site: entry + 2, class: Emulated},
		{name: "arguments wanted", code: "89f7 55", keepArgs: keepArgs, site: entry, why: "argument"},
		{name: "lea %rdi,8(%rdi) with arguments", code: "488d7f08 55", keepArgs: keepArgs, site: entry, why: "argument"},
		{name: "store below the stack with arguments", code: "48897c24f8 55", keepArgs: keepArgs, site: entry + 5, class: Emulated},
		{name: "store to the stack with arguments", code: "48897c2408 55", keepArgs: keepArgs, site: entry, why: "memory is written"},
		{name: "movl $0,(%rdi) with arguments", code: "c70700000000 55", keepArgs: keepArgs, site: entry, why: "memory is written"},
		{name: "movups %xmm0,(%rdi) with arguments", code: "0f1107 55", keepArgs: keepArgs, site: entry, why: "memory is written"},
		{name: "incl x(%rip) with arguments of Go", code: "ff0500100000 55", keepArgs: keepGoArgs, site: entry, why: "memory is written"},
		{name: "cmpl $0,(%rdi) with arguments", code: "833f00 7405", keepArgs: keepArgs, site: entry + 3, class: Emulated},
		{name: "movl $0,(%rdi)", code: "c70700000000 55", site: entry + 6, class: Emulated},
		{name: "mov of eax with arguments of C", code: "89d8 55", keepArgs: keepArgs, site: entry + 2, class: Emulated},
		{name: "mov of eax with arguments of Go", code: "89d8 55", keepArgs: keepGoArgs, site: entry, why: "argument"},
		{name: "mul: writes what it does not name", code: "48f7e6 55", site: entry, why: "MUL"},
		{name: "syscall", code: "0f05 55", site: entry, why: "SYSCALL"},
		{name: "string instruction", code: "f348ab 55", site: entry, why: "STOSQ"},
		{name: "AVX", code: "c5f857c0 55", site: entry, why: "VXORPS"},
		{name: "AVX-512", code: "62f17c4857c0 55", site: entry, why: "VXORPS"},
		{name: "data", code: "06 55", site: entry, why: "not all understood"},
		{name: "cut off", code: "48", site: entry, why: "not all understood"},
		{name: "nothing", code: "", site: entry, why: "not all understood"},
		{name: "jmp: a tail call at once", code: "e900000000", site: entry, class: Emulated},
		{name: "multiply, then push", code: "480fafc6 55", site: entry + 4, class: Emulated},
	} {
		code, err := hex.DecodeString(strings.ReplaceAll(c.code, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		fn := Func{Addr: entry, Code: code, Targets: c.branches, MoreTargets: c.more}
		got := findEntryX86(code, fn, c.keepArgs, NewKernel(6, 18))
		if got.Addr != c.site || got.Class != c.class || !strings.Contains(got.Why, c.why) || (got.Why == "") != (c.why == "") {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestClassByKernel(t *testing.T) {
	nop5 := []byte{0x0f, 0x1f, 0x44, 0, 0}
	for _, c := range []struct {
		major, minor int
		at           abi.Addr
		want         Class
	}{{6, 18, 0x1000, NopCall}, {6, 18, 0x1ffd, Emulated}, {7, 0, 0x1000, NopCall}, {6, 17, 0x1000, Emulated}, {6, 1, 0x1000, Stepped}} {
		if got := classifyX86(nop5, c.at, NewKernel(c.major, c.minor)); got != c.want {
			t.Errorf("%d.%d at %#x: %v, want %v", c.major, c.minor, uint64(c.at), got, c.want)
		}
	}
}

func FuzzFindEntry(f *testing.F) {
	f.Add([]byte("\xf3\x0f\x1e\xfa\x55"))
	f.Fuzz(func(t *testing.T, code []byte) {
		got := findEntryX86(code, Func{Addr: 0x1000, Code: code}, keepArgs, NewKernel(6, 18))
		if got.Addr < 0x1000 || got.Addr > 0x1000+abi.Addr(len(code)) || got.Class == Stepped && got.Addr != 0x1000 {
			t.Fatalf("%+v", got)
		}
	})
}
