package compare

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"utrace/analyze"
)

// Threshold is a limit that a change must not exceed, such as "p99 > +10%".
type Threshold struct {
	text     string
	function *analyze.Pattern
	metric   Metric
	less     bool
	percent  bool
	limit    float64 // percent, calls or nanoseconds
}

// String returns the text that ParseThreshold has read.
func (c *Threshold) String() string { return c.text }

// ParseThreshold reads a threshold: [PATTERN:] METRIC >|< CHANGE. The change is in percent (+10%)
// or absolute (+1ms, for calls +100). Only a significant change can meet it. It fails for any other
// text.
func ParseThreshold(text string) (*Threshold, error) {
	c := &Threshold{text: text}
	rest := text
	at := strings.LastIndexAny(rest, "<>")
	if at < 0 {
		return nil, fmt.Errorf("condition %q: want METRIC > CHANGE or METRIC < CHANGE, such as 'p99 > +10%%'", text)
	}
	left, change := strings.TrimSpace(rest[:at]), strings.TrimSpace(rest[at+1:])
	c.less = rest[at] == '<'
	if colon := strings.LastIndex(left, ":"); colon >= 0 {
		var err error
		if c.function, err = analyze.ParsePattern(strings.TrimSpace(left[:colon])); err != nil {
			return nil, fmt.Errorf("condition %q: %w", text, err)
		}
		left = strings.TrimSpace(left[colon+1:])
	}
	names := metricNames()
	m := slices.Index(names[:], left)
	if m < 0 {
		return nil, fmt.Errorf("condition %q: no metric %q: want one of %s", text, left, strings.Join(names[:], ", "))
	}
	c.metric = Metric(m)
	if err := c.parseChange(change); err != nil {
		return nil, fmt.Errorf("condition %q: %w", text, err)
	}
	return c, nil
}

func (c *Threshold) parseChange(text string) error {
	if number, ok := strings.CutSuffix(text, "%"); ok {
		c.percent = true
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%q is no percentage", text)
		}
		c.limit = v
		return nil
	}
	if c.metric == Calls {
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is no change of a number of calls: want +10%% or +100", text)
		}
		c.limit = float64(v)
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is no change of a time: want +10%% or +1ms", text)
	}
	c.limit = float64(d)
	return nil
}

// Check returns the changes that meet the threshold. It returns an *analyze.ConditionError if none
// of its functions is on both sides, or the noise of none is known.
func (c *Threshold) Check(cmp *Comparison) ([]*Change, error) {
	var met []*Change
	matched, tested, dropped, bounds := 0, 0, 0, 0
	for i := range cmp.Changes {
		ch := &cmp.Changes[i]
		if ch.Old == nil || ch.New == nil || !c.function.MatchFunction(&ch.Function) {
			continue
		}
		matched++
		d := &ch.Deltas[c.metric]
		switch {
		case cmp.comparable(ch, c.metric):
		case c.metric.bound(ch.Old) || c.metric.bound(ch.New):
			bounds++
		default:
			dropped++
		}
		if d.Tested {
			tested++
		}
		if d.Significant && c.met(d) {
			met = append(met, ch)
		}
	}
	switch {
	case matched == 0:
		return nil, c.failed(0, "no function that it is for was called on both sides")
	case tested == 0 && dropped > 0:
		return nil, c.failed(analyze.RecordAllCalls, "calls were dropped while recording, so a change of %s cannot be told", c.metric)
	case tested == 0 && bounds > 0:
		return nil, c.failed(analyze.RaiseOverheadLimit, "functions were probed in windows that do not show it, so a change of %s cannot be told", c.metric)
	case tested == 0 && c.metric == Max && !cmp.ByRuns:
		return nil, c.failed(0, "a trace has one longest call only: give at least %d traces of either side", minRuns)
	case tested == 0:
		return nil, c.failed(0, "too few calls to tell a change of %s from noise: record for longer, or more traces", c.metric)
	}
	return met, nil
}

// failed is the error of a threshold that cannot be checked.
func (c *Threshold) failed(hint analyze.Hint, reason string, args ...any) error {
	return &analyze.ConditionError{Condition: c.text, Reason: fmt.Sprintf(reason, args...), Hint: hint}
}

func (c *Threshold) met(d *Delta) bool {
	change := float64(d.Absolute())
	if c.percent {
		change = 100 * d.Relative()
	}
	if c.less {
		return change < c.limit
	}
	return change > c.limit
}

// Describe says how a change meets the threshold.
func (c *Threshold) Describe(ch *Change) string {
	d := &ch.Deltas[c.metric]
	value := func(v int64) string {
		if c.metric == Calls {
			return fmt.Sprint(v)
		}
		return analyze.FormatDuration(time.Duration(v))
	}
	text := fmt.Sprintf("%s: %s from %s to %s", ch.Label, c.metric, value(d.Old), value(d.New))
	if d.Old > 0 {
		text += fmt.Sprintf(", %+.1f%%", 100*d.Relative())
		if d.Shift != 0 {
			text += fmt.Sprintf(" beyond the %+.1f%% of all functions", 100*d.Shift)
		}
	}
	return text
}
