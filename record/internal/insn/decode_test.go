package insn

import (
	"testing"

	"utrace/record/internal/abi"
)

func TestDecodeX86(t *testing.T) {
	for _, c := range []struct {
		name   string
		code   string
		len    int // 0: not decodable
		flow   Flow
		target abi.Addr
	}{
		{"ret", "\xc3", 1, FlowReturn, 0},
		{"bnd ret", "\xf2\xc3", 2, FlowReturn, 0},
		{"rep ret", "\xf3\xc3", 2, FlowReturn, 0},
		{"ret 8", "\xc2\x08\x00", 3, FlowReturn, 0},
		{"jmp -2", "\xeb\xfe", 2, FlowJump, 0x1000},
		{"jmp rel32", "\xe9\x00\x01\x00\x00", 5, FlowJump, 0x1105},
		{"bnd jmp", "\xf2\xe9\x00\x01\x00\x00", 6, FlowJump, 0x1106},
		{"jne", "\x75\x10", 2, FlowBranch, 0x1012},
		{"je rel32", "\x0f\x84\xfa\xff\xff\xff", 6, FlowBranch, 0x1000},
		{"loop", "\xe2\xfe", 2, FlowBranch, 0x1000},
		{"call", "\xe8\xfb\xff\xff\xff", 5, FlowCall, 0x1000},
		{"call *%rax", "\xff\xd0", 2, FlowCallIndirect, 0},
		{"notrack jmp *%rax", "\x3e\xff\xe0", 3, FlowJumpIndirect, 0},
		{"jmp *table(,%rax,8)", "\xff\x24\xc5\x00\x10\x40\x00", 7, FlowJumpIndirect, 0},
		{"data16 rex call", "\x66\x66\x48\xe8\x00\x00\x00\x00", 8, FlowCall, 0x1008},
		{"jmpw: 4 or 6 bytes", "\x66\xe9\x00\x00\x00\x00", 0, 0, 0},
		{"endbr64", "\xf3\x0f\x1e\xfa", 4, FlowNext, 0},
		{"nop5", "\x0f\x1f\x44\x00\x00", 5, FlowNext, 0},
		{"cut short", "\xe8\x00\x00\x00", 0, 0, 0},
		{"nothing", "", 0, 0, 0},
		{"prefixes only", "\x66\x66", 0, 0, 0},
		{"16 bytes", "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90", 0, 0, 0},
		{"push %es", "\x06", 0, 0, 0},
		{"rex2", "\xd5\x00\x90", 0, 0, 0},
		{"vex behind 66", "\x66\xc5\xf8\x77", 0, 0, 0},
		{"evex with the fixed bit clear", "\x62\xf1\x78\x48\x58\xc0", 0, 0, 0},
	} {
		in, ok := decodeX86([]byte(c.code), 0x1000)
		if in.Len != c.len || ok != (c.len > 0) || in.Flow != c.flow || in.Target != c.target {
			t.Errorf("%s: %+v, %v; want %d bytes, flow %d to %#x", c.name, in, ok, c.len, c.flow, c.target)
		}
	}
}

func TestDecodeARM64(t *testing.T) {
	for _, c := range []struct {
		name   string
		word   uint32
		ok     bool
		flow   Flow
		target abi.Addr
	}{
		{"ret", 0xd65f03c0, true, FlowReturn, 0},
		{"ret x1", 0xd65f0020, true, FlowReturn, 0},
		{"retaa", 0xd65f0bff, true, FlowReturn, 0},
		{"retab", 0xd65f0fff, true, FlowReturn, 0},
		{"b .-4", 0x17ffffff, true, FlowJump, 0xffc},
		{"b .+8", 0x14000002, true, FlowJump, 0x1008},
		{"bl .+4", 0x94000001, true, FlowCall, 0x1004},
		{"b.ne .-4", 0x54ffffe1, true, FlowBranch, 0xffc},
		{"cbz x0, .+16", 0xb4000080, true, FlowBranch, 0x1010},
		{"cbnz w0, .+16", 0x35000080, true, FlowBranch, 0x1010},
		{"tbz w0, #0, .+16", 0x36000080, true, FlowBranch, 0x1010},
		{"tbnz x0, #63, .+16", 0xb7f80080, true, FlowBranch, 0x1010},
		{"br x16", 0xd61f0200, true, FlowJumpIndirect, 0},
		{"braa x16, x17", 0xd71f0a11, true, FlowJumpIndirect, 0},
		{"braaz x16", 0xd61f0a1f, true, FlowJumpIndirect, 0},
		{"blr x8", 0xd63f0100, true, FlowCallIndirect, 0},
		{"blraaz x8", 0xd63f091f, true, FlowCallIndirect, 0},
		{"paciasp", 0xd503233f, true, FlowNext, 0},
		{"udf", 0, false, 0, 0},
		{"small number", 0x1234, false, 0, 0},
	} {
		b := []byte{byte(c.word), byte(c.word >> 8), byte(c.word >> 16), byte(c.word >> 24)}
		in, ok := decodeARM64(b, 0x1000)
		if ok != c.ok || in.Flow != c.flow || in.Target != c.target {
			t.Errorf("%s: %+v, %v; want flow %d to %#x", c.name, in, ok, c.flow, c.target)
		}
	}
}

// An instruction is never longer than the bytes there are, nor than 15, and needs all of its own
// bytes.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("\xf3\x0f\x1e\xfa"))
	f.Add([]byte("\x62\xf1\x7c\x48\x58\xc2"))
	f.Add([]byte("\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		in, ok := decodeX86(b, 0)
		if !ok {
			return
		}
		if in.Len <= 0 || in.Len > len(b) || in.Len > MaxLen {
			t.Fatalf("%d bytes of %d", in.Len, len(b))
		}
		if _, ok := decodeX86(b[:in.Len-1], 0); ok {
			t.Errorf("decodes without its last byte")
		}
		if again, ok := decodeX86(b[:in.Len], 0); !ok || again != in {
			t.Errorf("depends on what follows")
		}
	})
}
