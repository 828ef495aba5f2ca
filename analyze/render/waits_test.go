package render

import (
	"slices"
	"testing"

	"utrace/analyze"
)

// TestUncertainWaits: the parts of the time are shown even if no call is certain.
func TestUncertainWaits(t *testing.T) {
	s := &analyze.Stats{Calls: 1, Uncertain: 1, Total: 3000, UncertainTime: 3000, Waits: analyze.Waits{Blocked: 1000}}
	if line := waitCells(s, 3); !slices.Equal(line, []string{"2.000 us", "0.000 us", "1.000 us"}) {
		t.Errorf("%q", line)
	}
	if s.Uncertain = 0; waitCells(s, 1)[0] != "-" {
		t.Error("figures of a function without complete calls")
	}
}
