package insn

import (
	"debug/elf"
	"testing"
)

func TestIsBreakpoint(t *testing.T) {
	const x86, arm64 = elf.EM_X86_64, elf.EM_AARCH64
	for _, c := range []struct {
		machine        elf.Machine
		code, original string
		want           bool
	}{
		{x86, "\xcc", "\x55", true},
		{x86, "\xcc\x89\xe5", "\x48\x89\xe5", true},
		{x86, "\xcc\x12\x34\x56\x00", "\x0f\x1f\x44\x00\x00", true}, // on the way to a call
		{x86, "\x48\x89\xe5", "\x48\x89\xe5", false},
		{x86, "\xe9\x12\x34", "\x48\x89\xe5", false},
		{x86, "\xcc\x12\x34", "\x48\x89\xe5", false}, // on a changed instruction
		{x86, "", "", false},
		{arm64, "\xa0\x00\x20\xd4", "\xfd\x7b\xbf\xa9", true}, // brk #5
		{arm64, "\x00\x00\x20\xd4", "\xfd\x7b\xbf\xa9", true}, // brk #0
		{arm64, "\x01\x00\x00\x14", "\xfd\x7b\xbf\xa9", false},
	} {
		if got := IsBreakpoint(c.machine, []byte(c.code), []byte(c.original)); got != c.want {
			t.Errorf("% x for % x: %v", c.code, c.original, got)
		}
	}
}
