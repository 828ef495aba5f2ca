package abi

import (
	"debug/elf"
	"fmt"
	"testing"
)

// A register has the name in assembly that registerName gives it, in all its sizes.
func TestRegisterNames(t *testing.T) {
	for r := R15; r <= RSP; r++ {
		name := registerName(r, elf.EM_X86_64)
		got, size, high := NamedX86(name)
		if r == origRAX || r == segmentCS || r == flags {
			if got != NoRegister {
				t.Errorf("%s is register %d", name, got)
			}
			continue
		}
		if got != r || size != 8 || high {
			t.Errorf("%s is register %d of %d bytes, want %d", name, got, size, r)
		}
	}
	for name, want := range map[string]string{
		"eax": "10 4 false", "ax": "10 2 false", "al": "10 1 false", "ah": "10 1 true", "sil": "13 1 false", "r9d": "8 4 false", "r15b": "0 1 false", "r10w": "7 2 false",
		"r16": "255 0 false", "r8q": "255 0 false", "xmm0": "255 0 false", "": "255 0 false", "r": "255 0 false",
	} {
		reg, size, high := NamedX86(name)
		if got := fmt.Sprint(reg, size, high); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	for name, want := range map[string]string{"x0": "0 8", "w30": "30 4", "sp": "31 8", "wsp": "31 4", "fp": "29 8", "lr": "30 8", "x31": "255 0", "x05": "255 0", "v0": "255 0", "x": "255 0"} {
		reg, size := NamedARM64(name)
		if got := fmt.Sprint(reg, size); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

func TestConventions(t *testing.T) {
	for _, c := range []struct {
		machine elf.Machine
		isGo    bool
		word    int
		want    string
	}{
		{elf.EM_X86_64, false, 0, "%rdi, 8 bytes"},
		{elf.EM_X86_64, false, 5, "%r9, 8 bytes"},
		{elf.EM_X86_64, false, 6, "0x8(%rsp), 8 bytes"}, // above the return address
		{elf.EM_X86_64, false, 8, "0x18(%rsp), 8 bytes"},
		{elf.EM_X86_64, true, 0, "%rax, 8 bytes"},
		{elf.EM_X86_64, true, 8, "%r11, 8 bytes"},
		{elf.EM_X86_64, true, 9, ""},
		{elf.EM_AARCH64, false, 7, "%x7, 8 bytes"},
		{elf.EM_AARCH64, false, 8, "(%sp), 8 bytes"},
		{elf.EM_AARCH64, true, 15, "%x15, 8 bytes"},
		{elf.EM_AARCH64, true, 16, ""},
	} {
		op, err := ConventionOf(c.machine, c.isGo).Argument(c.word)
		if got := op.LocationName(c.machine); (err == nil) != (c.want != "") || err == nil && got != c.want {
			t.Errorf("%v, Go %v, argument %d: %s, %v; want %s", c.machine, c.isGo, c.word, got, err, c.want)
		}
	}
	for word, want := range []Register{RAX, RDX} {
		if op, err := SysV().Result(word); err != nil || op.Base != want {
			t.Errorf("result %d: %+v, %v", word, op, err)
		}
	}
	if op, err := SysV().Result(2); err == nil {
		t.Errorf("a third word of a result: %+v", op)
	}
}

func TestLocationName(t *testing.T) {
	for want, op := range map[string]Operand{
		"nowhere: it is gone":        {Unreadable: "it is gone", Text: "8@%xmm0"},
		"-4@%edi":                    {Text: "-4@%edi"},
		"$-5":                        {Disp: -5},
		"%rdi>>32, 4 bytes":          {Kind: InRegister, Base: RDI, Shift: 32, Size: 4},
		"*(0x10(%rdi))+0x8, 2 bytes": {Kind: InMemory, Base: RDI, Disp: 16, Derefs: []int64{8}, Size: 2},
		"0x4000(%rip), 8 bytes":      {Kind: InMemory, Base: NoRegister, Disp: 0x4000, Relative: true, Size: 8},
		"&0x8(%rsp)":                 {Kind: AddressOf, Base: RSP, Disp: 8, Size: 8},
	} {
		if got := op.LocationName(elf.EM_X86_64); got != want {
			t.Errorf("%+v: %s, want %s", op, got, want)
		}
	}
}
