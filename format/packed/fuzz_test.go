package packed

import (
	"bytes"
	"os"
	"testing"

	"utrace/format"
)

// FuzzOpen: no stream makes it panic.
func FuzzOpen(f *testing.F) {
	var trace bytes.Buffer
	text, err := os.ReadFile("../../testdata/traces/nesting.txt")
	if err != nil {
		f.Fatal(err)
	}
	file, err := os.CreateTemp(f.TempDir(), "")
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	if err := format.ReadText(bytes.NewReader(text), file); err != nil {
		f.Fatal(err)
	}
	if _, err := file.Seek(0, 0); err != nil {
		f.Fatal(err)
	}
	if _, err := trace.ReadFrom(file); err != nil {
		f.Fatal(err)
	}
	f.Add(trace.Bytes())
	f.Add(gzipOf(trace.Bytes()))
	f.Add(zstdOf(f, trace.Bytes()))
	f.Setenv("TMPDIR", f.TempDir())
	f.Fuzz(func(t *testing.T, data []byte) {
		o := NewOpener(bytes.NewReader(data))
		defer o.Close()
		r, err := o.Open(Stdin)
		if err != nil {
			return
		}
		defer r.Close()
		var m format.Message
		for r.Next(&m) == nil {
		}
	})
}
