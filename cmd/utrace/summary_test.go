//go:build linux

package main

import (
	"testing"
	"time"

	"utrace/record"
)

// Probes cannot take more than all the time of the traced threads.
func TestProbeTime(t *testing.T) {
	for _, c := range []struct {
		overhead, duration time.Duration
		threads            int
		dropped            uint64
		want               string
	}{
		{500 * time.Millisecond, time.Second, 1, 0, "about 500.000 ms of processor time, 50.0% of one processor"},
		{1182 * time.Millisecond, time.Second, 1, 0, "nearly all the time of 1 processor"},
		{1182 * time.Millisecond, time.Second, 2, 0, "about 1.182 s of processor time, 118.2% of one processor"},
		{2 * time.Second, time.Second, 2, 0, "nearly all the time of 2 processors"},
		{5 * time.Second, time.Second, 9, 0, "nearly all the time of 4 processors"},
		{3 * time.Second, time.Second, 1, 10, "about 3.000 s of processor time, 300.0% of one processor"},
		{time.Second, 0, 0, 0, "nearly all the time of 1 processor"},
	} {
		s := &record.Summary{Overhead: c.overhead, Duration: c.duration, Threads: c.threads, Dropped: c.dropped}
		if got := probeTime(record.Config{}, s, 4); got != c.want {
			t.Errorf("%+v: %q, want %q", c, got, c.want)
		}
	}
}
