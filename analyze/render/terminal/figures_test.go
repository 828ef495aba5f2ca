package terminal

import (
	"slices"
	"testing"
)

// TestFigures: columns go by rank, the text keeps its room before it is shortened, and a width of 0
// leaves all as it is.
func TestFigures(t *testing.T) {
	table := func() *Figures {
		return &Figures{
			Lines: [][]string{{"Calls", "P50", "P99", "Function"}, {"1", "漢字", "3", "handle_request"}},
			Ranks: []int{0, 2, 1}, MinWidth: 4, MinText: 10, Indent: 1,
		}
	}
	for _, c := range []struct {
		width   int
		dropped []string
		want    []string
	}{
		{0, nil, []string{" Calls   P50   P99  Function", "     1  漢字     3  handle_request"}},
		{34, nil, []string{" Calls   P50   P99  Function", "     1  漢字     3  handle_request"}},
		{33, nil, []string{" Calls   P50   P99  Function", "     1  漢字     3  handle…equest"}},
		{29, []string{"P50"}, []string{" Calls   P99  Function", "     1     3  handle_request"}},
		{23, []string{"P50", "P99"}, []string{" Calls  Function", "     1  handle_request"}},
		{12, []string{"P50", "P99"}, []string{" Calls  F…on", "     1  h…st"}},
	} {
		f := table()
		if dropped := f.Fit(c.width); !slices.Equal(dropped, c.dropped) {
			t.Errorf("%d columns: left out %q, want %q", c.width, dropped, c.dropped)
		}
		if got := f.Text(); !slices.Equal(got, c.want) {
			t.Errorf("%d columns: %q, want %q", c.width, got, c.want)
		}
	}
	for width := 10; width < 40; width++ {
		f := table()
		f.Fit(width)
		for _, line := range f.Text() {
			if Width(line) > width {
				t.Errorf("%d columns: %q", width, line)
			}
		}
	}
}
