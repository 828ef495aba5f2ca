//go:build linux

package record

import (
	"slices"
	"testing"
	"time"
)

func TestLatenessWarnings(t *testing.T) {
	l := lateness{since: "began to run"}
	if list := l.warnings(); list != nil {
		t.Errorf("%q", list)
	}
	l.add("process 7 (a)")
	l.most = 1234567 * time.Nanosecond
	want := []string{"process 7 (a) got its probes 1.2 ms after it began to run: its earlier calls are missing"}
	if list := l.warnings(); !slices.Equal(list, want) {
		t.Errorf("%q", list)
	}
	l.add("process 8 (b)")
	l.most, l.ended = 123456*time.Microsecond, 1
	want = []string{
		"2 processes, the first of them process 7 (a), got their probes up to 123 ms after they began to run: their earlier calls are missing",
		"a process ended before it got its probes: its calls are missing",
	}
	if list := l.warnings(); !slices.Equal(list, want) {
		t.Errorf("%q", list)
	}
}
