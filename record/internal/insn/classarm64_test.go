package insn

import (
	"encoding/binary"
	"testing"

	"utrace/record/internal/abi"
)

func arm64Code(words ...uint32) (code []byte) {
	for _, w := range words {
		code = binary.LittleEndian.AppendUint32(code, w)
	}
	return code
}

// The words come from GNU as.
func TestARM64Instructions(t *testing.T) {
	for _, c := range []struct {
		word    uint32
		text    string
		class   Class
		refused bool
	}{
		{0x14000001, "b", Emulated, false},
		{0x94000001, "bl", Emulated, false},
		{0x54000020, "b.eq", Emulated, false},
		{0xb4000020, "cbz x0", Emulated, false},
		{0x35000020, "cbnz w0", Emulated, false},
		{0x36000020, "tbz w0, #0", Emulated, false},
		{0xd61f0200, "br x16", Emulated, false},
		{0xd63f0000, "blr x0", Emulated, false},
		{0xd65f03c0, "ret", Emulated, false},
		{0x10000000, "adr x0", Emulated, false},
		{0x90000000, "adrp x0", Emulated, false},
		{0xa9be7bfd, "stp x29, x30, [sp, #-32]!", Stepped, false},
		{0xd10083ff, "sub sp, sp, #32", Stepped, false},
		{0x2a0003e0, "mov w0, w0", Stepped, false},
		{0xd503245f, "bti c", Stepped, false},
		{0xd503233f, "paciasp", Stepped, false},
		{0xd50323bf, "autiasp", Stepped, true},
		{0xd503203f, "yield", Stepped, true},
		{0xd5033bbf, "dmb ish", Stepped, false},
		{0xd53bd040, "mrs x0, tpidr_el0", Stepped, false},
		{0xd51bd040, "msr tpidr_el0, x0", Stepped, true},
		{0xd4000001, "svc #0", Stepped, true},
		{0xd4200000, "brk #0", Stepped, true},
		{0xd65f0bff, "retaa", Stepped, true},
		{0xd71f0801, "braa x0, x1", Stepped, true},
		{0xd63f081f, "blraaz x0", Stepped, true},
		{0x58000040, "ldr x0, literal", Stepped, true},
		{0x98000040, "ldrsw x0, literal", Stepped, true},
		{0x5c000040, "ldr d0, literal", Stepped, true},
		{0x9c000040, "ldr q0, literal", Stepped, true},
		{0xf9400000, "ldr x0, [x0]", Stepped, false},
		{0xc85ffc20, "ldaxr x0, [x1]", Stepped, true},
		{0x885f7c20, "ldxr w0, [x1]", Stepped, true},
		{0xc8dffc20, "ldar x0, [x1]", Stepped, false},
		{0x19010440, "cpyfp [x0]!, [x1]!, x2!", Stepped, true},
	} {
		if got := classifyARM64(c.word, NewKernel(6, 12)); got != c.class {
			t.Errorf("%s: %v, want %v", c.text, got, c.class)
		}
		if why := refusedARM64(c.word); (why != "") != c.refused {
			t.Errorf("%s: refused %q, want %v", c.text, why, c.refused)
		}
	}
	for minor, want := range map[int]Class{12: Stepped, 13: Emulated} {
		if got := classifyARM64(nopARM64, NewKernel(6, minor)); got != want {
			t.Errorf("nop on Linux 6.%d: %v", minor, got)
		}
	}
}

// The beginnings are from functions that Go 1.26 compiled.
func TestARM64Entry(t *testing.T) {
	const push = 0xf81e0ffe // str x30, [sp, #-32]!
	small := []uint32{0xf9400b90, 0xeb3063ff, 0x54000229}
	for _, c := range []struct {
		name       string
		code       []uint32
		startsOver bool
		branches   []abi.Addr
		want       abi.Addr // 0: left out
	}{
		{"small frame", append(small, push), true, nil, 0x100c},
		{"system stack", []uint32{0xf9400f90, 0xeb3063ff, 0x54000229, push}, true, nil, 0x100c},
		{"large frame", []uint32{0xf9400b90, 0xd10143f1, 0xeb10023f, 0x54000229, push}, true, nil, 0x1010},
		{"very large frame", []uint32{0xf9400b90, 0xd294001b, 0xf2a0003b, 0xeb3b63f1, 0x54000303, 0xeb10023f, 0x540002c9, push}, true, nil, 0x101c},
		{"no check", []uint32{push}, false, nil, 0x1000},
		{"no comparison with the limit", []uint32{0xeb3063ff, 0x54000229, push}, true, nil, 0},
		{"something else first", []uint32{0xd503201f, 0xf9400b90, 0xeb3063ff, 0x54000229, push}, true, nil, 0},
		{"branch behind the check", append(small, push), true, []abi.Addr{0x100c}, 0},
		{"nothing behind the check", small, true, nil, 0},
	} {
		site, ok := findEntryARM64(arm64Code(c.code...), 0x1000, c.branches, c.startsOver, NewKernel(6, 18))
		if ok != (c.want != 0) || ok && site.Addr != c.want {
			t.Errorf("%s: %#x, %v; want %#x", c.name, uint64(site.Addr), ok, uint64(c.want))
		}
	}
}
