package page

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"utrace/analyze"
)

// FuzzWrite makes pages of damaged traces.
func FuzzWrite(f *testing.F) {
	sources, err := filepath.Glob("../../../testdata/traces/*.txt")
	if err != nil || len(sources) == 0 {
		f.Fatal("no traces", err)
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			f.Fatal(err)
		}
		trace, err := os.ReadFile(writeText(f, filepath.Join(f.TempDir(), "trace"), string(text)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(trace)
	}
	f.Fuzz(func(t *testing.T, trace []byte) {
		path := filepath.Join(t.TempDir(), "trace")
		if err := os.WriteFile(path, trace, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := analyze.MakeDigest([]string{path}, analyze.Options{})
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := Write(&out, &Input{Digest: d}); err != nil || out.Len() > MaxBytes {
			t.Errorf("%d bytes: %v", out.Len(), err)
		}
	})
}
