package render

import (
	"strings"
	"testing"

	"utrace/analyze"
)

// A heatmap and a histogram of a function that was probed in windows say that their counts are
// those of recorded calls, and only these do.
func TestSampledCounts(t *testing.T) {
	path := trace(t, "survey")
	maps, _, err := analyze.Heatmaps([]string{path}, analyze.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var heat, hist strings.Builder
	if err := Heatmap(&heat, maps); err != nil {
		t.Fatal(err)
	}
	if err := Hist(&hist, report(t, path).Rows, ""); err != nil {
		t.Fatal(err)
	}
	for text, n := range map[string]int{"# a sample: 6 recorded calls, in": 1, "# a sample: 1 recorded call, in": 1, "a sample": 2} {
		if strings.Count(heat.String(), text) != n {
			t.Errorf("want %d times %q in\n%s", n, text, heat.String())
		}
	}
	for text, n := range map[string]int{"a sample: 5 recorded calls, which stand for about 29\n": 1, "a sample": 2} {
		if strings.Count(hist.String(), text) != n {
			t.Errorf("want %d times %q in\n%s", n, text, hist.String())
		}
	}
}
