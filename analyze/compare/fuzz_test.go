package compare

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"utrace/analyze"
)

// FuzzDiff compares damaged traces with themselves.
func FuzzDiff(f *testing.F) {
	for _, name := range []string{"sched", "dropped", "nesting"} {
		text, err := os.ReadFile("../../testdata/traces/" + name + ".txt")
		if err != nil {
			f.Fatal(err)
		}
		data, err := os.ReadFile(wholeTrace(f, string(text)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)*2/3])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "trace")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := analyze.Report([]string{path}, analyze.Options{}); err != nil {
			return
		}
		if _, err := Diff([]string{path}, []string{path}, analyze.Options{}, 0); err != nil && !errors.Is(err, analyze.ErrUnreadable) {
			t.Error(err)
		}
	})
}
