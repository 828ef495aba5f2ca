package elffile

import (
	"bytes"
	"io"
	"os"
	"testing"

	"utrace/record/internal/abi"
)

// countingReader counts how often a file is read.
type countingReader struct {
	io.ReaderAt
	count int
}

func (r *countingReader) ReadAt(b []byte, off int64) (int, error) {
	r.count++
	return r.ReaderAt.ReadAt(b, off)
}

// TestCodeBlocks checks that going to and fro between a function and its unlikely part, which is
// elsewhere, reads each of them once.
func TestCodeBlocks(t *testing.T) {
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skipf("needs a large ELF file: %v", err)
	}
	r := &countingReader{ReaderAt: bytes.NewReader(data)}
	f, err := newFile(r, uint64(len(data)), "test")
	if err != nil {
		t.Fatal(err)
	}
	text := f.Segments[0]
	const apart, size = 10 * blockSize, 100
	if text.FileSize < 2*apart {
		t.Fatalf("the test has only %d bytes of code", text.FileSize)
	}

	r.count = 0
	for i := range 10 {
		for _, at := range []uint64{0, apart} {
			at += uint64(i) * size
			code, err := f.Code(text.Addr+abi.Addr(at), size)
			if want := data[uint64(text.FileOff)+at:][:size]; err != nil || !bytes.Equal(code, want) {
				t.Fatalf("the code at +%#x is % x, %v, want % x", at, code, err, want)
			}
		}
	}
	if r.count != 2 {
		t.Errorf("two blocks were read %d times", r.count)
	}
}
