package packed

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"utrace/format"
)

const demo = "../../testdata/traces/demo.arrow"

func readDemo(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(demo)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func gzipOf(data []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(data)
	w.Close()
	return out.Bytes()
}

// zstdOf has many blocks, like that of a large trace.
func zstdOf(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	for chunk := range slices.Chunk(data, 8<<10) {
		w.Write(chunk)
		w.Flush()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// textOf is all that a reader reads.
func textOf(t *testing.T, r *format.Reader) string {
	t.Helper()
	var out strings.Builder
	if err := format.WriteText(&out, r); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestOpen: a trace holds the same however it is packed, in every pass, whatever its name.
func TestOpen(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	data := readDemo(t)
	plain, err := format.Open(demo)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	want := textOf(t, plain)

	skippable := append([]byte{0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3}, zstdOf(t, data)...)
	for name, packed := range map[string][]byte{
		"plain": data, "gzip": gzipOf(data), "zstd": zstdOf(t, data), "zstd, with a skippable frame": skippable,
	} {
		path := filepath.Join(t.TempDir(), "trace.arrow")
		if err := os.WriteFile(path, packed, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{path, Stdin} {
			t.Run(name+" "+filepath.Base(path), func(t *testing.T) {
				o := NewOpener(bytes.NewReader(packed))
				defer o.Close()
				for range 2 {
					r, err := o.Open(path)
					if err != nil {
						t.Fatal(err)
					}
					if got := textOf(t, r); got != want || r.Damage() != "" {
						t.Errorf("another trace of %d bytes, want %d: %s", len(got), len(want), r.Damage())
					}
					r.Close()
				}
			})
		}
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestOpenCut: a compressed file that was cut gives the beginning of its trace.
func TestOpenCut(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	data := readDemo(t)
	for name, packed := range map[string][]byte{"gzip": gzipOf(data), "zstd": zstdOf(t, data)} {
		o := NewOpener(bytes.NewReader(packed[:len(packed)*9/10]))
		defer o.Close()
		r, err := o.Open(Stdin)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var m format.Message
		batches := 0
		for r.Next(&m) == nil {
			batches++
		}
		if batches == 0 || r.Damage() == "" {
			t.Errorf("%s: %d batches, damage %q", name, batches, r.Damage())
		}
	}
}

// TestOpenRefuses: what is no trace ends early and with a reason.
func TestOpenRefuses(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	data := readDemo(t)
	broken := gzipOf(data)
	broken[len(broken)/2] ^= 0xff
	for name, c := range map[string]struct {
		input []byte
		want  string
	}{
		"empty":            {nil, "standard input: not a utrace trace: the file is empty"},
		"text":             {[]byte("hello, world\n"), "it does not start like an Arrow file"},
		"compressed text":  {gzipOf([]byte("hello, world\n")), "it does not start like an Arrow file"},
		"compressed twice": {gzipOf(gzipOf(data)), "it does not start like an Arrow file"},
		"zeros":            {zstdOf(t, make([]byte, 64<<20)), "it does not start like an Arrow file"},
		"damaged":          {broken, "cannot be decompressed: "},
		"only a magic":     {[]byte{0x1f, 0x8b, 8, 0}, "cannot be decompressed: "},
	} {
		o := NewOpener(bytes.NewReader(c.input))
		if _, err := o.Open(Stdin); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		o.Close()
	}
	o := NewOpener(strings.NewReader(""))
	if _, err := o.Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	o = NewOpener(bytes.NewReader(data))
	if _, err := o.Open(Stdin); err == nil || !strings.Contains(err.Error(), "no temporary file for its contents") {
		t.Errorf("no directory for temporary files: %v", err)
	}
}

// endless is the start of a trace, and zeros without end.
type endless struct{ started bool }

func (e *endless) Read(p []byte) (int, error) {
	clear(p)
	if !e.started {
		e.started = true
		copy(p, "ARROW1\x00\x00")
	}
	return len(p), nil
}

// TestBomb: a small source cannot fill the disk.
func TestBomb(t *testing.T) {
	var written countingWriter
	err := copyTrace(&written, &endless{}, &countingReader{n: 1000})
	if err == nil || !strings.Contains(err.Error(), "1000 bytes gave more than") {
		t.Fatal(err)
	}
	if written > freeBytes {
		t.Errorf("%d bytes were written", written)
	}
}

type countingWriter int64

func (c *countingWriter) Write(p []byte) (int, error) {
	*c += countingWriter(len(p))
	return len(p), nil
}
