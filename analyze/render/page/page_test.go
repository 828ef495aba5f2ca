package page

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/analyze"
	"utrace/format"
)

// fixtures are the traces in testdata/traces, as files.
func fixtures(t *testing.T) (paths []string) {
	t.Helper()
	root, err := filepath.Abs("../../../testdata/traces")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob(filepath.Join(root, "*.txt"))
	if err != nil || len(sources) < 20 {
		t.Fatal(len(sources), err)
	}
	dir := t.TempDir()
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, writeText(t, filepath.Join(dir, strings.TrimSuffix(filepath.Base(source), ".txt")), string(text)))
	}
	return append(paths, filepath.Join(root, "demo.arrow"))
}

// writeText makes a trace of its text.
func writeText(t testing.TB, path, text string) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := format.ReadText(strings.NewReader(text), f); err != nil {
		t.Fatal(path, err)
	}
	return path
}

func digestOf(t *testing.T, opts analyze.Options, paths ...string) *analyze.Digest {
	t.Helper()
	d, err := analyze.MakeDigest(paths, opts)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// write makes the page of a digest, and returns its path.
func write(t *testing.T, in *Input) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, in); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, out.Bytes())
}

func writeFile(t *testing.T, page []byte) string {
	t.Helper()
	if len(page) > MaxBytes {
		t.Errorf("a page of %d bytes", len(page))
	}
	path := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(path, page, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sum adds up the numbers in attributes. Of several in one text, the first counts.
func sum(texts []string) (sum uint64) {
	for _, text := range texts {
		n, _ := strconv.ParseUint(strings.Fields(text)[0], 10, 64)
		sum += n
	}
	return sum
}

// demo is the page of a trace of a small server.
func demo(t *testing.T) (string, *analyze.Digest) {
	t.Helper()
	d := digestOf(t, analyze.Options{}, "../../../testdata/traces/demo.arrow")
	return write(t, &Input{Digest: d, Version: "1"}), d
}

// TestSize: a page of a trace with very many functions, values and paths is not too large, and says
// what it lacks.
func TestSize(t *testing.T) {
	d := digestOf(t, analyze.Options{}, "../../../testdata/traces/demo.arrow")
	row := d.Rows[1]
	large := &analyze.Digest{Result: &analyze.Result{Trace: d.Trace}, Details: map[analyze.Function]*analyze.Detail{}}
	state := uint64(1)
	random := func() uint64 { state = state*6364136223846793005 + 1442695040888963407; return state >> 33 }
	for i := range 30_000 {
		r := row
		r.Name = fmt.Sprintf("function_%d_%x", i, random())
		r.Label = r.Name
		r.Stats = analyze.Stats{Calls: random(), Total: time.Duration(random()), Self: time.Duration(random())}
		for range 50 {
			r.Durations.Add(time.Duration(random()))
		}
		large.Rows = append(large.Rows, r)
		f := r.Function
		large.Details[f] = d.Details[row.Function]
		large.Roots = append(large.Roots, &analyze.Node{Function: &f, Calls: 1 + random()%1000, Total: time.Duration(random())})
	}
	var out bytes.Buffer
	if err := Write(&out, &Input{Digest: large}); err != nil {
		t.Fatal(err)
	}
	if out.Len() > MaxBytes || out.Len() < MaxBytes/4 {
		t.Errorf("%d bytes", out.Len())
	}
	p := newBrowser(t).open(t, writeFile(t, out.Bytes()), "view=summary")
	text := strings.Join(p.list(".summary li"), "\n")
	for _, part := range []string{"of 30000 rows", "the distributions of the functions after", "heatmaps and slowest calls of functions after", "call paths of less than", "callers and callees after"} {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q: %s", part, text)
		}
	}
	p.quiet()
}
