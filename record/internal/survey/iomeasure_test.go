//go:build linux

package survey

import (
	"testing"
	"time"
)

// TestIOMeasure: IO calls are the measure if functions differ less by them from window to window.
func TestIOMeasure(t *testing.T) {
	of := func(used, io int) *window {
		return &window{kind: fewWindow, used: work{useful: time.Duration(used), ioCalls: uint64(io)}}
	}
	for _, c := range []struct {
		what    string
		windows []*window
		calls   []uint64
		unknown bool
		want    bool
	}{
		{"a server: two IO calls a request", []*window{of(100, 80), of(200, 80), of(80, 100), of(300, 200)}, []uint64{40, 40, 50, 100}, false, true},
		{"so, but of some process they are unknown", []*window{of(100, 80), of(200, 80), of(80, 100), of(300, 200)}, []uint64{40, 40, 50, 100}, true, false},
		{"a loop, and IO at times", []*window{of(100, 3), of(200, 900), of(150, 20), of(300, 1)}, []uint64{100, 200, 150, 300}, false, false},
		{"too few windows", []*window{of(100, 80), of(200, 80)}, []uint64{40, 40}, false, false},
		{"too few calls", []*window{of(100, 8), of(200, 8), of(80, 10), of(300, 20)}, []uint64{4, 4, 5, 10}, false, false},
		{"no IO", []*window{of(100, 0), of(200, 0), of(150, 0), of(300, 0)}, []uint64{100, 200, 150, 300}, false, false},
	} {
		var f surveyedFunc
		io := ioMeasure{unknown: c.unknown}
		for i, w := range c.windows {
			io.compare(&f, c.calls[i], w)
		}
		if got := io.isBetter(); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}
