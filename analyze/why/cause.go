package why

import (
	"fmt"
	"strings"
	"time"

	"utrace/analyze"
)

// Cause is something that distinguishes slow calls from typical ones.
type Cause struct {
	Kind  CauseKind
	Name  string  // of an argument or a result; of the function that ran elsewhere
	Share Share   // of the difference
	P     float64 // probability of such a share by chance
	// SlowPart and TypicalPart are how many of the slow and of the typical calls have it, from 0 to 1.
	// If the cause is about time, they are parts of the time of these calls.
	SlowPart, TypicalPart float64
	// Values are the most frequent ones that slow calls have more often. More counts the others.
	Values []analyze.Value
	More   int
	// Threshold is where the slow calls are, if HasThreshold: at Threshold or above or, with Below,
	// below it.
	Threshold float64
	Below     bool
	Within    time.Duration // of a CauseBurst
}

// CauseKind is what a Cause is about.
type CauseKind string

// Kinds of a Cause.
const (
	CauseArgument  CauseKind = "argument"
	CauseResult    CauseKind = "result"
	CauseFailed    CauseKind = "failed"    // the calls failed
	CauseThread    CauseKind = "thread"    // they were on some threads
	CauseProcess   CauseKind = "process"   // they were in some processes
	CauseCPU       CauseKind = "cpu"       // they began on some processors
	CauseFirst     CauseKind = "first"     // they were the first ones of their threads
	CauseElsewhere CauseKind = "elsewhere" // a function ran on another thread meanwhile
	CauseBurst     CauseKind = "burst"     // Threshold calls of the function began within Within
	CauseRecorder  CauseKind = "recorder"  // the recorder ran instead
	CauseTrend     CauseKind = "trend"     // calls became slower or, with Below, faster
)

// String says it of the slow calls, such as `key is "a" or "b"`.
func (c *Cause) String() string {
	switch c.Kind {
	case CauseArgument, CauseResult:
		name := c.Name
		if c.Kind == CauseResult {
			name = "result " + c.Name
		}
		if len(c.Values) > 0 {
			return name + " is " + c.valueList()
		}
		return name + " is " + c.bound(fmt.Sprintf("%.6g", c.Threshold))
	case CauseFailed:
		if c.isTrue() {
			return "the call failed"
		}
		return "the call did not fail"
	case CauseThread:
		return "the thread is " + c.valueList()
	case CauseProcess:
		return "the process is " + c.valueList()
	case CauseCPU:
		return "the call began on CPU " + c.valueList()
	case CauseFirst:
		if c.isTrue() {
			return "it was the thread's first call"
		}
		return "it was not the thread's first call"
	case CauseElsewhere:
		return c.Name + " ran on another thread"
	case CauseBurst:
		return fmt.Sprintf("%s calls of it began in the same %s", c.bound(fmt.Sprintf("%.0f", c.Threshold)), analyze.FormatDuration(c.Within))
	case CauseRecorder:
		return "the recorder of the trace ran instead"
	case CauseTrend:
		if c.Below {
			return "it was early in the recording: calls became faster"
		}
		return "it was late in the recording: calls became slower"
	}
	return string(c.Kind)
}

// distinguishes reports whether slow calls have much better odds to have the cause than typical
// ones. One processor often has more interrupts, and more of the other programs, than the next one.
func (c *Cause) distinguishes() bool {
	least := minOdds
	if c.Kind == CauseCPU {
		least = minCPUOdds
	}
	return c.SlowPart*(1-c.TypicalPart) >= least*c.TypicalPart*(1-c.SlowPart)
}

// HasThreshold reports whether the cause is about a number of each call.
func (c *Cause) HasThreshold() bool {
	switch c.Kind {
	case CauseArgument, CauseResult, CauseBurst:
		return len(c.Values) == 0
	}
	return false
}

// isTrue reports whether the first value is the bool true.
func (c *Cause) isTrue() bool { return len(c.Values) > 0 && c.Values[0].Plain == true }

// bound writes which side of the threshold the slow calls are on.
func (c *Cause) bound(at string) string {
	if c.Below {
		return "less than " + at
	}
	return at + " or more"
}

// valueList writes the values as a list in words, the first ones of a long list.
func (c *Cause) valueList() string {
	var texts []string
	length := 0
	for i := range c.Values {
		text := shortened(c.Values[i].Text)
		if length += len(text); i == 0 || length <= maxCauseList {
			texts = append(texts, text)
		}
	}
	last := len(texts) - 1
	switch more := c.More + len(c.Values) - len(texts); {
	case more > 0:
		return fmt.Sprintf("%s or one of %d more", strings.Join(texts, ", "), more)
	case last <= 0:
		return strings.Join(texts, "")
	}
	return strings.Join(texts[:last], ", ") + " or " + texts[last]
}

// Limits of a sentence.
const (
	maxCauseText = 60  // characters of a value
	maxCauseList = 150 // bytes of all values
)

// shortened leaves out the middle of a long value, as the end may be what distinguishes it.
func shortened(text string) string {
	runes := []rune(text)
	if len(runes) <= maxCauseText {
		return text
	}
	const half = maxCauseText / 2
	return string(runes[:half]) + "…" + string(runes[len(runes)-half:])
}
