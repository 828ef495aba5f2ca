//go:build linux

package record

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize/english"
)

// processCount counts processes, and describes the first one.
type processCount struct {
	count int
	first string
}

func (c *processCount) add(first string) {
	if c.count == 0 {
		c.first = first
	}
	c.count++
}

// others counts the processes after the first one, and adds the verb for one or several.
func (c *processCount) others(one, several string) string {
	if c.count == 1 {
		return " " + one
	}
	return fmt.Sprintf(" and %s %s", english.Plural(c.count-1, "other process", "other processes"), several)
}

// lateness says how long processes lacked their probes.
type lateness struct {
	processCount
	since string // what they had done before: "began to run"
	most  time.Duration
	ended int // processes that ended without
}

// warnings says what is missing.
func (l *lateness) warnings() (list []string) {
	switch {
	case l.count == 1:
		list = append(list, fmt.Sprintf("%s got its probes %s after it %s: its earlier calls are missing", l.first, milliseconds(l.most), l.since))
	case l.count > 1:
		list = append(list, fmt.Sprintf("%d processes, the first of them %s, got their probes up to %s after they %s: their earlier calls are missing",
			l.count, l.first, milliseconds(l.most), l.since))
	}
	switch {
	case l.ended == 1:
		list = append(list, "a process ended before it got its probes: its calls are missing")
	case l.ended > 1:
		list = append(list, fmt.Sprintf("%d processes ended before they got their probes: their calls are missing", l.ended))
	}
	return list
}

// milliseconds shows a time.
func milliseconds(d time.Duration) string {
	ms := d.Seconds() * 1e3
	if ms < 10 {
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}
