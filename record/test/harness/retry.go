//go:build linux

package harness

import "testing"

// Retry measures until nothing is off, at most n times. Other work on the machine may spoil times
// and estimates for some seconds. Counts that must be exact are no matter for it.
func Retry(t *testing.T, n int, measure func() (off string)) {
	t.Helper()
	var off string
	for i := range n {
		if off = measure(); off == "" {
			return
		}
		t.Logf("try %d: %s", i+1, off)
	}
	t.Errorf("%d times: %s", n, off)
}
