package render

import (
	"slices"
	"strings"
	"testing"
)

// TestSparklines: the column is one field before the name. The columns to its left do not change.
func TestSparklines(t *testing.T) {
	for _, name := range traces() {
		r := report(t, trace(t, name))
		var plain, sparks strings.Builder
		if err := Report(&plain, r, Style{}); err != nil {
			t.Fatal(err)
		}
		if err := Report(&sparks, r, Style{Sparks: true}); err != nil {
			t.Fatal(err)
		}
		with := strings.Split(sparks.String(), "\n")
		header := with[slices.IndexFunc(with, func(s string) bool { return strings.Contains(s, "  Function") })]
		at := strings.Index(header, "Distribution")
		for i, line := range strings.Split(plain.String(), "\n") {
			if line == "" && i > 12 {
				break // below the table
			}
			if line == "" || line[0] == '#' || strings.Contains(line, "Function") {
				continue
			}
			runes := []rune(with[i])
			spark := string(runes[at:][:sparkWidth])
			if got := strings.Replace(with[i], spark+"  ", "", 1); got != line || strings.ContainsAny(spark, " ") {
				t.Errorf("%s: %q with %q, want %q", name, got, spark, line)
			}
		}
	}
	var counts [64]uint64
	counts[10], counts[12], counts[25] = 8, 4, 1
	if got := sparkline(counts[10:26], 1); got != "█.▄............▁" {
		t.Errorf("%s", got)
	}
}
