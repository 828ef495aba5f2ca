package elffile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"utrace/record/internal/cursor"
)

// Limits on the embedded symbol table. Fedora embeds one in each of its programs: they are below 1
// MiB.
const (
	maxEmbedded   = 128 << 20 // bytes, decompressed
	maxDictionary = 64 << 20  // bytes of memory that the compressed data may ask for; xz -9 asks for 64 MiB
)

// readEmbedded reads .gnu_debugdata: an ELF file compressed by xz, with the symbols of functions
// that are not in .dynsym (GDB manual, "Debugging information in a special section"). It returns
// nil if there is none that can be used.
func (f *File) readEmbedded() *File {
	s := f.elf.Section(".gnu_debugdata")
	if s == nil {
		return nil
	}
	packed, err := f.sectionData(s, maxEmbedded)
	if err != nil {
		return nil
	}
	b, err := unpack(packed, maxEmbedded)
	if err != nil {
		return nil
	}
	d, err := newDebugFile(bytes.NewReader(b), uint64(len(b)), f.Path+" .gnu_debugdata")
	if err != nil || d.Machine != f.Machine || d.BuildID != "" && d.BuildID != f.BuildID || !d.HasSymtab() {
		return nil
	}
	return d
}

// unpack decompresses an xz stream. It first looks up the size and the dictionary, because the
// library allocates whatever dictionary a stream asks for, up to 4 GiB.
func unpack(b []byte, limit uint64) ([]byte, error) {
	size, err := unpackedSize(b)
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("xz stream of %d bytes: %w", size, ErrTooLarge)
	}
	out := make([]byte, size)
	err = catchPanic(func() error {
		r, err := xz.ReaderConfig{DictCap: lzma.MinDictCap, SingleStream: true}.NewReader(bytes.NewReader(b))
		if err != nil {
			return err
		}
		if _, err := io.ReadFull(r, out); err != nil {
			return err
		}
		// The checksum is compared at the end.
		if n, err := io.CopyN(io.Discard, r, 1); n != 0 || err != io.EOF {
			return fmt.Errorf("no end after %d bytes: %w", size, err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: xz stream: %w", ErrMalformed, err)
	}
	return out, nil
}

// unpackedSize adds up the sizes in the headers of an xz stream (xz-file-format 1.2, sections 2 and
// 3). The stream is a header, then blocks, then the index. A block is a header, the chunks of
// LZMA2, padding and a checksum. It is an error if a block has a filter other than LZMA2, or needs
// more than maxDictionary bytes.
func unpackedSize(b []byte) (uint64, error) {
	const streamHeader = 12
	malformed := fmt.Errorf("%w: xz stream", ErrMalformed)
	if len(b) < streamHeader || string(b[:6]) != "\xfd7zXZ\x00" {
		return 0, malformed
	}

	// The size of the check in bytes, by its number (2.1.1.2).
	checkSize := [16]uint64{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}[b[7]&15]
	c := &cursor.Cursor{Bytes: b, Off: streamHeader}
	total := uint64(0)
	for {
		start := c.Off
		headerSize := c.Byte()
		if headerSize == 0 && !c.Bad { // the index
			return total, nil
		}
		if err := checkBlockHeader(c); err != nil {
			return 0, err
		}
		c.Off = min(start+(uint64(headerSize)+1)*4, uint64(len(b)))
		n := chunksSize(c)
		total += n
		c.Skip((4 - (c.Off-start)%4) % 4)
		c.Skip(checkSize)
		if c.Bad {
			return 0, malformed
		}
	}
}

// checkBlockHeader reads the flags, sizes and filters of a block (3.1).
func checkBlockHeader(c *cursor.Cursor) error {
	const lzma2 = 0x21
	flags := c.Byte()
	if flags&0x40 != 0 {
		c.Uleb() // compressed size
	}
	if flags&0x80 != 0 {
		c.Uleb() // uncompressed size
	}
	filter, size, property := c.Uleb(), c.Uleb(), c.Byte()
	if c.Bad || flags&0x3f != 0 || filter != lzma2 || size != 1 {
		return fmt.Errorf("%w: xz block with other filters than LZMA2", ErrUnsupported)
	}
	if dict, err := lzma.DecodeDictCap(property); err != nil || dict > maxDictionary {
		return fmt.Errorf("xz dictionary of %d bytes: %w", dict, ErrTooLarge)
	}
	return nil
}

// chunksSize skips the chunks of a block and returns how many bytes they expand to (LZMA SDK, lzma2
// chunk headers).
func chunksSize(c *cursor.Cursor) (total uint64) {
	for !c.Bad {
		control := c.Byte()
		switch {
		case control == 0:
			return total
		case control <= 2: // stored
			n := uint64(be16(c)) + 1
			total += n
			c.Skip(n)
		case control < 0x80:
			c.Bad = true
		default:
			total += uint64(control&0x1f)<<16 + uint64(be16(c)) + 1
			packed := uint64(be16(c)) + 1
			if control >= 0xc0 {
				c.Skip(1) // properties
			}
			c.Skip(packed)
		}
	}
	return total
}

func be16(c *cursor.Cursor) uint16 {
	return binary.BigEndian.Uint16([]byte{c.Byte(), c.Byte()})
}
