//go:build linux

package survey

import (
	"testing"
	"time"
)

// TestSlowdown: a server uses 4 us for each IO call, and more in windows. The factor is the real cost
// of windows divided by their estimated cost.
func TestSlowdown(t *testing.T) {
	const us, ms = time.Microsecond, time.Millisecond
	for _, c := range []struct {
		what            string
		perIO           time.Duration // of IO calls, without probes
		real, estimated time.Duration // cost of a window
		steady          float64       // estimated cost of functions that are always probed, of CPU time
		disturb         func(*slowdown, totals, time.Time)
		want            float64
	}{
		{what: "as estimated", perIO: 4 * us, real: 2 * ms, estimated: 2 * ms, want: 1},
		{what: "twice the estimate", perIO: 4 * us, real: 4 * ms, estimated: 2 * ms, want: 2},
		{what: "so, while other functions are always probed", perIO: 4 * us, real: 4 * ms, estimated: 2 * ms, steady: 0.02, want: 2},
		{what: "less than estimated: the estimate holds", perIO: 4 * us, real: ms, estimated: 2 * ms, want: 1},
		{what: "a tenfold cost is not believed", perIO: 4 * us, real: 20 * ms, estimated: 2 * ms, want: mostFactor},
		{what: "too few IO calls", perIO: 2 * ms, real: 4 * ms, estimated: 2 * ms, want: 1},
		{what: "windows that stay on say nothing", perIO: 4 * us, real: 4 * ms, estimated: 2 * ms, disturb: func(s *slowdown, now totals, _ time.Time) { s.keep(now) }, want: 1},
		{what: "nor do two windows in one", perIO: 4 * us, real: 4 * ms, estimated: 2 * ms, disturb: func(s *slowdown, now totals, at time.Time) {
			s.close(at)
			s.begin(now)
		}, want: 1},
	} {
		var s slowdown
		var now totals
		at := time.Unix(0, 0)
		run := func(cpu, real, estimated time.Duration) {
			now.ioCalls += uint64(cpu / c.perIO)
			now.cpu += cpu + real
			now.estimated += estimated + time.Duration(c.steady*float64(cpu))
		}
		for range 200 {
			run(40*ms, 0, 0)
			s.begin(now)
			run(10*ms, c.real, c.estimated)
			if c.disturb != nil {
				c.disturb(&s, now, at)
			}
			s.close(at)
			if s.hasClosed(at) {
				t.Errorf("%s: breakpoints are removed at once", c.what)
			}
			if at = at.Add(closingLasts); s.hasClosed(at) {
				s.end(now)
			}
		}
		if got := s.factor(); got < 0.95*c.want || got > 1.05*c.want {
			t.Errorf("%s: factor %.2f, want %.2f", c.what, got, c.want)
		}
	}
}

// TestSlowdownFollows: windows become twice as dear, which shows after less than a second of probes.
func TestSlowdownFollows(t *testing.T) {
	var s slowdown
	for _, c := range []struct{ cost, want float64 }{{1, 1}, {2, 2}, {1, 1}} {
		for range 100 {
			s.learnCost(c.cost*2e6, 2e6)
		}
		if got := s.factor(); got < 0.8*c.want || got > 1.2*c.want {
			t.Errorf("factor %.2f, want %.2f", got, c.want)
		}
	}
}
