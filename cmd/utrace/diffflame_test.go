//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDiffFlame: diff writes the flame graph beside the table, or to standard output instead.
func TestDiffFlame(t *testing.T) {
	trace := traceFile(t, "nesting")
	svg := filepath.Join(t.TempDir(), "diff.svg")
	out, stderr, status := runWith(t, nil, "diff", "--flame", svg, trace, trace)
	if status != 0 || !strings.Contains(out, "Function") {
		t.Fatalf("status %d: %s\n%s", status, stderr, out)
	}
	picture, err := os.ReadFile(svg)
	if err != nil || !strings.Contains(string(picture), "3.000 s in complete calls, was 3.000 s") {
		t.Errorf("%v: %.500s", err, picture)
	}
	if out, _, _ := runWith(t, nil, "diff", "--flame", "-", trace, trace); out != string(picture) {
		t.Errorf("standard output has %.500s", out)
	}
	survey := traceFile(t, "survey")
	if _, stderr, _ := runWith(t, nil, "diff", "--flame", svg, trace, survey); !strings.Contains(stderr, "new: 2 functions were probed only in windows without all others") {
		t.Errorf("no warning that callers are unknown: %s", stderr)
	}
	for want, args := range map[string][]string{
		"exclude each other":     {"--flame", "-", "--json"},
		"both write to":          {"--flame", svg, "--pprof", svg},
		"one of the traces":      {"--flame", trace},
		"there is no directory":  {"--flame", filepath.Join(svg, "x")},
		"explains one function,": {"--flame", svg, "--why", "main"},
	} {
		if _, stderr, status := runWith(t, nil, append(append([]string{"diff"}, args...), trace, trace)...); status == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%q: status %d, %s, want %q", args, status, stderr, want)
		}
	}
}
