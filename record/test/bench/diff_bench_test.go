//go:build linux

package bench

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"utrace/record/test/harness"
)

// BenchmarkDiff compares recordings of a program of a few stages, twenty times: with another run of
// itself, where nothing is significant, and with a run in which one stage computes 20% longer. diff
// must find and name that stage.
func BenchmarkDiff(b *testing.B) {
	harness.NeedKernel(b)
	bin := harness.Target(b, "stages.c", "-O1", "-fno-omit-frame-pointer")
	stages := []string{"parse", "check", "lookup", "encode", "pack", "filter"}
	const tries = 20
	for b.Loop() {
		dir := b.TempDir()
		record := func(name string, args ...string) string {
			trace := filepath.Join(dir, name)
			flags := []string{"record", "-o", trace}
			for _, f := range append(stages, "store", "render", "handle") {
				flags = append(flags, "-e", f)
			}
			flags = append(flags, "--", bin, "1500")
			if _, stderr, status := harness.Utrace(b, append(flags, args...)...); status != 0 {
				b.Fatal(stderr)
			}
			return trace
		}
		quiet, found := 0, 0
		for i := range tries {
			slow := stages[i%len(stages)]
			one, two := record(fmt.Sprint("one", i)), record(fmt.Sprint("two", i))
			three := record(fmt.Sprint("slow", i), slow, "20")
			same, changed := significant(b, one, two), significant(b, two, three)
			if len(same) == 0 {
				quiet++
			} else {
				b.Logf("try %d: the same program: %v", i, same)
			}
			if changed[slow] {
				found++
			} else {
				b.Logf("try %d: %s is slower: %v", i, slow, changed)
			}
		}
		b.ReportMetric(float64(quiet), "quiet-of-20")
		b.ReportMetric(float64(found), "found-of-20")
	}
	b.ReportMetric(0, "ns/op")
}

// significant returns the functions that a comparison calls significant.
func significant(b *testing.B, before, after string) map[string]bool {
	b.Helper()
	stdout, stderr, status := harness.Utrace(b, "diff", "--json", before, after)
	if status != 0 {
		b.Fatal(stderr)
	}
	var diff struct {
		Functions []struct {
			Name        string
			Significant bool
		}
	}
	if err := json.Unmarshal([]byte(stdout), &diff); err != nil {
		b.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range diff.Functions {
		if f.Significant {
			names[f.Name] = true
		}
	}
	return names
}
