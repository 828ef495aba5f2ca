package format

import "testing"

func TestUnnamed(t *testing.T) {
	for _, c := range []struct {
		name string
		addr uint64
		want bool
	}{
		{"sub_4a10", 0x4a10, true},
		{"0x4a10", 0x4a10, true}, // a place on a stack
		{"", 0x4a10, true},
		{"sub_4a10", 0x4a11, false}, // somebody's name
		{"sub_04a10", 0x4a10, false},
		{"sub_4A10", 0x4a10, false},
		{"sub_", 0x4a10, false},
		{"4a10", 0x4a10, false},
		{"main", 0x4a10, false},
		{"", 0, false}, // of an interpreter, or in no file
		{"0x0", 0, false},
	} {
		f := Func{Name: c.name, Addr: c.addr}
		if got := f.Unnamed(); got != c.want {
			t.Errorf("%q at %#x: %v", c.name, c.addr, got)
		}
	}
}
