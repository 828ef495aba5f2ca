package insn

import (
	"encoding/binary"
	"testing"
)

// A switch of stacks is found by its instruction, without names.
func TestStackSetter(t *testing.T) {
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
		var own stackAddressesARM64
		got := false
		for _, w := range c.words {
			got = own.sets(le.AppendUint32(nil, w))
		}
		if got != c.want {
			t.Errorf("%#x: %v", c.words, got)
		}
	}
}
