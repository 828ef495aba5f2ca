//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runWith runs utrace in this process.
func runWith(t *testing.T, stdin []byte, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errOut bytes.Buffer
	status = run(t.Context(), args, bytes.NewReader(stdin), &out, &errOut)
	return out.String(), errOut.String(), status
}

// TestPackedTraces: every command that reads traces reads them from standard input, compressed.
func TestPackedTraces(t *testing.T) {
	trace := traceFile(t, "nesting")
	data, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"analyze"}, {"analyze", "--flow", "--tree", "--slowest", "2", "--json"}, {"analyze", "--pprof", "-"},
		{"diff", trace}, {"export", "--parquet", "-"},
	} {
		want, _, status := runWith(t, nil, append(args, trace)...)
		if status != 0 {
			t.Fatalf("%q: status %d", args, status)
		}
		got, stderr, status := runWith(t, packed.Bytes(), append(args, "-")...)
		if want = strings.ReplaceAll(want, trace, "-"); args[0] == "diff" {
			got = strings.ReplaceAll(got, trace, "-")
		}
		if status != 0 {
			t.Errorf("%q -: status %d: %s", args, status, stderr)
		} else if args[0] != "export" && got != want {
			t.Errorf("%q -:\n%s\nwant:\n%s", args, got, want)
		} else if len(got) == 0 {
			t.Errorf("%q -: nothing", args)
		}
	}
	if _, stderr, status := runWith(t, data, "analyze", "-", "-"); status != statusUsage || !strings.Contains(stderr, "standard input can only be one trace") {
		t.Errorf("standard input twice: status %d: %s", status, stderr)
	}
	out, _, status := runWith(t, data, "analyze", "--hist", "main", "-")
	if status != 0 || !strings.Contains(out, "main") {
		t.Errorf("--hist FUNC -: status %d:\n%s", status, out)
	}
}

// TestPackedTraceIsNoOutput: a view is not written over a compressed trace.
func TestPackedTraceIsNoOutput(t *testing.T) {
	data, err := os.ReadFile(traceFile(t, "nesting"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "trace.arrow.gz")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(data)
	w.Close()
	if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, status := runWith(t, nil, "analyze", "--folded", path, path); status != statusUsage {
		t.Errorf("status %d: %s", status, stderr)
	}
}
