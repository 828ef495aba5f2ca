package ldso

import (
	"encoding/binary"
	"strings"
	"testing"
)

// cacheFile builds an ld.so.cache of name and path pairs.
func cacheFile(old bool, pairs ...string) []byte {
	var out []byte
	le := binary.LittleEndian
	if old { // the table of the older format comes first
		out = append(out, "ld.so-1.7.0\x00"...)
		out = le.AppendUint32(out, 1)
		out = append(out, make([]byte, 12+4)...)
	}
	n := len(pairs) / 2
	out = append(out, "glibc-ld.so.cache1.1"...)
	out = le.AppendUint32(out, uint32(n))
	out = append(out, make([]byte, 48-24)...)
	strs := ""
	for i := range n {
		text := 48 + 24*n + len(strs)
		out = le.AppendUint32(out, flagX8664)
		out = le.AppendUint32(out, uint32(text))
		out = le.AppendUint32(out, uint32(text+len(pairs[2*i])+1))
		out = append(out, make([]byte, 12)...)
		strs += pairs[2*i] + "\x00" + pairs[2*i+1] + "\x00"
	}
	return append(out, strs...)
}

func TestParseCache(t *testing.T) {
	for _, old := range []bool{false, true} {
		b := cacheFile(old, "libz.so.1", "/lib/libz.so.1", "libc.so.6", "/lib/libc.so.6", "bad", "relative")
		got, err := parseCache(b)
		if err != nil || len(got) != 2 || got[0] != (cacheEntry{"libz.so.1", "/lib/libz.so.1", flagX8664}) || got[1].path != "/lib/libc.so.6" {
			t.Errorf("old %v: %+v, %v", old, got, err)
		}
		for n := range b {
			parseCache(b[:n]) // must not panic
		}
	}
	for _, bad := range []string{"", "ld.so-1.7.0\x00\xff\xff\xff\xff", "glibc-ld.so.cache1.1\xff\xff\xff\xff" + strings.Repeat("\x00", 24)} {
		if got, err := parseCache([]byte(bad)); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func FuzzLdCache(f *testing.F) {
	f.Add(cacheFile(false, "libz.so.1", "/lib/libz.so.1"))
	f.Add(cacheFile(true, "libz.so.1", "/lib/libz.so.1", "libc.so.6", "/lib/libc.so.6"))
	f.Add([]byte("ld.so-1.7.0\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := parseCache(b)
		if err == nil && len(entries) > len(b)/24 {
			t.Errorf("%d entries in %d bytes", len(entries), len(b))
		}
	})
}
