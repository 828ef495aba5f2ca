package render

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"utrace/analyze"
	"utrace/analyze/render/terminal"
	"utrace/analyze/why"
)

// TestFileNames: views of several traces show file names, which must be harmless for a terminal.
func TestFileNames(t *testing.T) {
	dir := t.TempDir()
	paths := []string{filepath.Join(dir, "a\x1b[31m"), filepath.Join(dir, "b\x1b[31m")}
	for _, path := range paths {
		writeTrace(t, filepath.Join("..", "..", "testdata", "traces", "dropped.txt"), path)
	}
	opts := analyze.Options{TIDs: []int{100}} // it is unknown which threads made dropped calls, so the report also warns
	for name, view := range map[string]func(io.Writer) ([]analyze.Warning, error){
		"flow":        func(w io.Writer) ([]analyze.Warning, error) { return Flow(w, paths, opts, DefaultFields()) },
		"arrows":      func(w io.Writer) ([]analyze.Warning, error) { return FlowArrows(w, paths, opts) },
		"trace event": func(w io.Writer) ([]analyze.Warning, error) { return TraceEvent(w, paths, opts, nil, &analyze.Trace{}) },
		"report": func(w io.Writer) ([]analyze.Warning, error) {
			r, err := analyze.Report(paths, opts)
			if err != nil {
				return nil, err
			}
			return r.Warnings, Report(w, r, Style{})
		},
		"slowest": func(w io.Writer) ([]analyze.Warning, error) {
			s, err := analyze.Slowest(paths, 3, opts)
			if err != nil {
				return nil, err
			}
			return s.Warnings, Slowest(w, s)
		},
		"why": func(w io.Writer) ([]analyze.Warning, error) {
			x, err := why.Explain(paths, nil, why.Than{}, opts)
			if err != nil {
				return nil, err
			}
			return x.Warnings, Why(w, x, Words{}, terminal.Screen{})
		},
	} {
		var out strings.Builder
		warnings, err := view(&out)
		if err != nil {
			t.Fatal(err)
		}
		text := out.String() + strings.Join(Words{}.Warnings(warnings), "\n")
		if strings.Contains(text, "\x1b") || !strings.Contains(text, `a\x1b[31m: `) {
			t.Errorf("%s: %q", name, text)
		}
	}
}
