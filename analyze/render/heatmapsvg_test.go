package render

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/analyze"
)

// TestHeatmapAxis: the axis has the time since the start and by the clock, and a legend says how
// many calls a colour is.
func TestHeatmapAxis(t *testing.T) {
	m := analyze.Heatmap{Label: "f", Slice: time.Second, Slices: 20, From: time.Second, Calls: 17, Rows: []analyze.HeatmapRow{{Low: 1, High: 2}}}
	m.Rows[0].Calls[0], m.Rows[0].Calls[19] = 1, 16
	m.Start = time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
	svg := func() []string {
		var out bytes.Buffer
		if err := HeatmapSVG(&out, []analyze.Heatmap{m}); err != nil {
			t.Fatal(err)
		}
		return texts(t, out.Bytes(), "text")[2:]
	}
	want := []string{"1.000 s", "2026-11-29 10:00:01.000 UTC", "17.000 s", "10:00:17.000", "calls in a cell:", "1", "2", "4", "8", "16"}
	if got := svg(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	m.Start = time.Time{}
	if got := svg(); slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, ":0") }) {
		t.Errorf("several recordings: %q", got)
	}
}
