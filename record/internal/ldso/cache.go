package ldso

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"utrace/record/internal/elffile"
)

const (
	maxCache = 64 << 20 // bytes; a distribution's cache is some 100 KiB
	maxPath  = 4096
)

// cacheEntry is one library in the dynamic linker's cache.
type cacheEntry struct {
	name  string // the soname that programs ask for
	path  string
	flags uint32 // kind of library: flagX8664, flagAArch64
}

// Kinds of libraries in the cache (glibc, sysdeps/generic/ldconfig.h). The low byte is 3 for ELF
// with libc 6.
const (
	flagX8664   = 0x0303
	flagAArch64 = 0x0a03
)

// parseCache reads /etc/ld.so.cache in the format glibc-ld.so.cache1.1 (glibc,
// sysdeps/generic/dl-cache.h). glibc has had it since 2.2, and writes no other since 2.32. It may
// follow the table of the older format.
//
//	magic and version [20]byte, entries u32, bytes of strings u32, flags u8, 3 bytes, extensions u32, 12 bytes
//	per entry: flags u32, name u32, path u32, OS version u32, hwcap u64
//
// name and path are offsets of NUL-terminated strings, counted from the magic.
func parseCache(b []byte) ([]cacheEntry, error) {
	const magic, oldMagic = "glibc-ld.so.cache1.1", "ld.so-1.7.0"
	const headerSize, entrySize = 48, 24
	le := binary.LittleEndian
	if bytes.HasPrefix(b, []byte(oldMagic)) && len(b) >= 16 {
		skip := (16 + uint64(le.Uint32(b[12:]))*12 + 7) &^ 7
		b = b[min(skip, uint64(len(b))):]
	}
	if len(b) < headerSize || !bytes.HasPrefix(b, []byte(magic)) {
		return nil, fmt.Errorf("ld.so.cache: not in the format %s", magic)
	}
	n := uint64(le.Uint32(b[20:]))
	if n > uint64(len(b)-headerSize)/entrySize {
		return nil, fmt.Errorf("ld.so.cache: %d entries do not fit into %d bytes", n, len(b))
	}
	text := func(off uint32) string {
		if uint64(off) >= uint64(len(b)) {
			return ""
		}
		s := b[off:min(uint64(off)+maxPath, uint64(len(b)))]
		s, _, found := bytes.Cut(s, []byte{0})
		if !found {
			return ""
		}
		return string(s)
	}

	var out []cacheEntry
	for e := b[headerSize : headerSize+n*entrySize]; len(e) > 0; e = e[entrySize:] {
		c := cacheEntry{flags: le.Uint32(e), name: text(le.Uint32(e[4:])), path: text(le.Uint32(e[8:]))}
		if c.name != "" && strings.HasPrefix(c.path, "/") {
			out = append(out, c)
		}
		if uint64(len(out))*64 > maxCache {
			return nil, fmt.Errorf("ld.so.cache: %w", elffile.ErrTooLarge)
		}
	}
	return out, nil
}
