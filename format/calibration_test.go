package format

import "testing"

// TestCostFactor: the change of the dearest class, by medians of five.
func TestCostFactor(t *testing.T) {
	cal := func(nop, push int64) Calibration {
		return Calibration{Sites: []SiteCost{
			{Entry: "nop5", EntryNs: nop},
			{Entry: "emulated", Return: "trampoline", EntryNs: push / 2, CallNs: push},
		}}
	}
	times := func(n int, c Calibration) (list []Calibration) {
		for range n {
			list = append(list, c)
		}
		return list
	}
	for _, c := range []struct {
		what string
		list []Calibration
		want float64
	}{
		{"none", nil, 1},
		{"too few", append(times(5, cal(800, 1600)), times(4, cal(1600, 3200))...), 1},
		{"the same", times(20, cal(800, 1600)), 1},
		{"one class", append(times(5, cal(800, 1600)), times(5, cal(800, 4800))...), 3},
		{"cheaper", append(times(5, cal(800, 1600)), times(5, cal(400, 400))...), 0.5},
		{"two of five are disturbed", append(times(8, cal(800, 1600)), times(2, cal(8000, 16000))...), 1},
		{"a class that is not measured any more", append(times(5, cal(800, 1600)), times(5, Calibration{Sites: []SiteCost{{Entry: "nop5", EntryNs: 1600}}})...), 2},
	} {
		if got := CostFactor(c.list); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}
