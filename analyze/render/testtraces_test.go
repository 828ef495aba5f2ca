package render

import (
	"path/filepath"
	"testing"

	"utrace/analyze"
)

// trace writes a trace of testdata/traces, and returns its path.
func trace(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".arrow")
	writeTrace(t, filepath.Join("..", "..", "testdata", "traces", name+".txt"), path)
	return path
}

// traces are those of testdata/traces whose names, threads and ends of calls differ.
func traces() []string {
	return []string{"nesting", "names", "threads", "recursion", "open", "longjmp", "noreturn", "coroutine", "lost", "deep",
		"sched", "values", "probecost", "stacks", "tailcall"}
}

func report(t *testing.T, path string) *analyze.Result {
	t.Helper()
	r, err := analyze.Report([]string{path}, analyze.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
