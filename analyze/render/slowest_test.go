package render

import (
	"bytes"
	"path/filepath"
	"testing"

	"utrace/analyze"
)

// TestGoldenValues compares groups by value, errors and the slowest calls of a trace with arguments
// and results.
func TestGoldenValues(t *testing.T) {
	golden, err := filepath.Abs("../../testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(golden, "..", "traces", "values.txt")
	t.Chdir(t.TempDir())
	writeTrace(t, source, "values.arrow")
	paths := []string{"values.arrow"}
	t.Run("argument", func(t *testing.T) {
		checkGolden(t, filepath.Join(golden, "byargument.golden"), views(t, paths, analyze.Options{By: "path"}))
	})
	t.Run("result", func(t *testing.T) {
		rule, err := analyze.ParseErrorRule("serve: ret > 0 && flags == 16")
		if err != nil {
			t.Fatal(err)
		}
		opts := analyze.Options{By: "ret", Errors: []*analyze.ErrorRule{rule}}
		checkGolden(t, filepath.Join(golden, "byresult.golden"), views(t, paths, opts))
	})
	t.Run("slowest", func(t *testing.T) {
		s, err := analyze.Slowest(paths, 10, analyze.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := Slowest(&out, s); err != nil {
			t.Fatal(err)
		}
		checkGolden(t, filepath.Join(golden, "slowest.golden"), out.Bytes())
	})
}
