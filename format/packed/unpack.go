package packed

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/klauspost/compress/zstd"

	"utrace/format"
)

// Limits of what a compressed trace may ask for.
const (
	maxWindowBytes = 128 << 20 // of zstd, as its own program accepts by default
	freeBytes      = 1 << 30   // of a copy, however small its source is
	maxRatio       = 100       // of a larger copy to its source
)

// codec is how a file is compressed.
type codec int

const (
	plain codec = iota
	zstandard
	gzipped
)

// codecOf recognises a compression by the first four bytes of a file.
func codecOf(head []byte) codec {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}): // RFC 1952
		return gzipped
	case len(head) < 4:
		return plain
	}
	// RFC 8878: a frame, or a skippable frame, of 16 kinds.
	if magic := binary.LittleEndian.Uint32(head); magic == 0xfd2fb528 || magic&^0xf == 0x184d2a50 {
		return zstandard
	}
	return plain
}

// countingReader counts the bytes that are read.
type countingReader struct {
	from io.Reader
	n    int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}

// unpack copies a trace, decompressed, to a temporary file without a name. A source that ends early
// gives a trace that ends early.
func unpack(from io.Reader) (*os.File, error) {
	source := &countingReader{from: from}
	content, done, err := decompressor(source)
	if err != nil {
		return nil, fmt.Errorf("cannot be decompressed: %w", err)
	}
	defer done()
	dir := directory()
	file, err := os.CreateTemp(dir, "utrace-*")
	if err == nil {
		err = os.Remove(file.Name())
	}
	if err != nil {
		return nil, fmt.Errorf("no temporary file for its contents: %w", err)
	}
	if err := copyTrace(file, content, source); err != nil {
		file.Close()
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			err = fmt.Errorf("its contents need more space than %s has: set TMPDIR to a directory that has more: %w", dir, err)
		}
		return nil, err
	}
	return file, nil
}

// directory is where temporary files are made.
func directory() string {
	const large = "/var/tmp"
	if os.Getenv("TMPDIR") == "" {
		if info, err := os.Stat(large); err == nil && info.IsDir() {
			return large
		}
	}
	return os.TempDir()
}

// decompressor reads the contents of a source, until done is called.
func decompressor(source io.Reader) (content io.Reader, done func(), err error) {
	buffered := bufio.NewReaderSize(source, 1<<16)
	head, err := buffered.Peek(4)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	switch codecOf(head) {
	case zstandard:
		z, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindowBytes))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	case gzipped:
		z, err := gzip.NewReader(buffered)
		return z, func() {}, err
	}
	return buffered, func() {}, nil
}

// copyTrace copies the contents of a source, within the limits.
func copyTrace(to io.Writer, content io.Reader, source *countingReader) error {
	buf := make([]byte, 1<<20)
	written := int64(0)
	for {
		n, err := io.ReadFull(content, buf)
		if written == 0 && n > 0 && !format.IsTrace(buf[:n]) {
			return fmt.Errorf("%w: it does not start like an Arrow file", format.ErrNotTrace)
		}
		if written += int64(n); written > max(freeBytes, maxRatio*source.n) {
			return fmt.Errorf("cannot be decompressed: %d bytes gave more than %d, which no trace does", source.n, written)
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return err
		}
		switch {
		case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF): // of the content, or a source that was cut
			return nil
		case err != nil:
			return fmt.Errorf("cannot be decompressed: after %d bytes: %w", written, err)
		}
	}
}
