package cursor

import "testing"

func TestCursor(t *testing.T) {
	c := Cursor{Bytes: []byte("\x01\x02\x03\x04\x05\x06\x07\x08\x09" + "\xe5\x8e\x26" + "\xc0\xbb\x78" + "text\x00" + "open")}
	if a, b, d := c.Byte(), c.Uint(3), c.Uint(5); a != 1 || b != 0x040302 || d != 0x0908070605 {
		t.Errorf("numbers: %#x %#x %#x", a, b, d)
	}
	if u, s := c.Uleb(), c.Sleb(); u != 624485 || s != -123456 { // DWARF 5, appendix C, and its like
		t.Errorf("LEB128: %d %d", u, s)
	}
	if s := c.Text(); string(s) != "text" || c.Bad || c.Left() != 4 {
		t.Errorf("text: %q, %+v", s, c)
	}
	if s := c.Text(); s != nil || !c.Bad || c.Left() != 0 {
		t.Errorf("text without an end: %q, %+v", s, c)
	}
	if c.Byte() != 0 || c.Uint(8) != 0 || c.Uleb() != 0 || c.Sleb() != 0 || !c.Bad {
		t.Errorf("beyond the end: %+v", c)
	}
}

// Numbers of any length end with the bytes.
func TestLongNumbers(t *testing.T) {
	long := make([]byte, 100)
	for i := range long {
		long[i] = 0xff
	}
	c := Cursor{Bytes: long}
	if c.Uleb(); !c.Bad {
		t.Error("a number without an end")
	}
	long[99] = 0x7f
	c = Cursor{Bytes: long}
	if n := c.Uleb(); n != 1<<64-1 || c.Bad {
		t.Errorf("%#x, %+v", n, c)
	}
	c = Cursor{Bytes: append(make([]byte, MaxText+1), "x\x00"...)}
	for i := range MaxText + 1 {
		c.Bytes[i] = 'a'
	}
	if s := c.Text(); s != nil || c.Bad || c.Left() != 0 {
		t.Errorf("a long text: %d bytes, %v", len(s), c.Bad)
	}
}
