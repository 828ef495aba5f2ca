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

// others counts the processes after the first one, for people.
func (c *processCount) others() string {
	if c.count == 1 {
		return ""
	}
	return fmt.Sprintf(", also in %s", english.Plural(c.count-1, "other process", "other processes"))
}

// lateness says how long processes ran before they got their probes.
type lateness struct {
	processCount
	most  time.Duration
	ended int // processes that ended without
}

// warnings says what is missing.
func (l *lateness) warnings() (list []string) {
	switch most := rounded(l.most); {
	case l.count == 1:
		list = append(list, fmt.Sprintf("%s got its probes %v after it began to run: its earlier calls are missing", l.first, most))
	case l.count > 1:
		list = append(list, fmt.Sprintf("%d processes, the first of them %s, got their probes up to %v after they began to run: their earlier calls are missing", l.count, l.first, most))
	}
	if l.ended > 0 {
		list = append(list, fmt.Sprintf("%s before they got their probes: their calls are missing", english.Plural(l.ended, "process ended", "processes ended")))
	}
	return list
}

// rounded rounds a time to what matters to people.
func rounded(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}
