package render

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"utrace/analyze"
	"utrace/format"
)

// update is the flag -update, which writes the golden files.
var update = flag.Bool("update", false, "write the golden files")

// TestGolden compares all views of the traces in testdata/traces with the files of the same names
// in testdata/golden.
func TestGolden(t *testing.T) {
	root, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob(filepath.Join(root, "traces", "*.txt"))
	if err != nil || len(sources) == 0 {
		t.Fatal("no traces", err)
	}
	t.Chdir(t.TempDir())
	for _, source := range sources {
		name := strings.TrimSuffix(filepath.Base(source), ".txt")
		t.Run(name, func(t *testing.T) {
			trace := name + ".arrow"
			writeTrace(t, source, trace)
			checkGolden(t, filepath.Join(root, "golden", name+".golden"), views(t, []string{trace}, analyze.Options{}))
		})
	}
	t.Run("several", func(t *testing.T) {
		checkGolden(t, filepath.Join(root, "golden", "several.golden"), views(t, []string{"nesting.arrow", "open.arrow", "threads.arrow"}, analyze.Options{}))
	})
	t.Run("selected", func(t *testing.T) {
		pattern, err := analyze.ParsePattern("[sw]*")
		if err != nil {
			t.Fatal(err)
		}
		opts := analyze.Options{Function: pattern, TIDs: []int{100, 101}, From: 5, To: 25}
		checkGolden(t, filepath.Join(root, "golden", "selected.golden"), views(t, []string{"threads.arrow"}, opts))
	})
}

func writeTrace(t *testing.T, source, path string) {
	t.Helper()
	in, err := os.Open(source)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := format.ReadText(in, out); err != nil {
		t.Fatalf("%s: %v", source, err)
	}
}

// views renders all views of traces.
func views(t *testing.T, paths []string, opts analyze.Options) []byte {
	t.Helper()
	var out bytes.Buffer
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := analyze.Report(paths, opts)
	check(err)
	fmt.Fprintln(&out, "== report")
	check(Report(&out, r, Style{}))
	fmt.Fprintln(&out, "== warnings")
	for _, text := range r.Warnings {
		fmt.Fprintln(&out, text)
	}
	fmt.Fprintln(&out, "== info")
	check(Info(&out, &r.Trace))
	fmt.Fprintln(&out, "== flow")
	_, err = Flow(&out, paths, opts, DefaultFields())
	check(err)
	fmt.Fprintln(&out, "== arrows")
	_, err = FlowArrows(&out, paths, opts)
	check(err)
	fmt.Fprintln(&out, "== tree")
	tree, err := analyze.CallTree(paths, opts)
	check(err)
	check(Tree(&out, tree))
	fmt.Fprintln(&out, "== json")
	check(JSON(&out, r, Words{}))
	fmt.Fprintln(&out, "== profile")
	p, _, err := analyze.Profile(paths, opts)
	check(err)
	fmt.Fprintln(&out, p)
	return out.Bytes()
}

// checkGolden compares a result with a golden file.
func checkGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./analyze/render -update writes it)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what it was; got:\n%s", path, got)
	}
}
