package analyze

import (
	"fmt"
	"slices"
)

// Warning is something to know before a result is used: one sentence, without a full stop. It does
// not say how the user sets an option, as only the caller knows that: Option and Hint are values
// that the caller puts into words.
type Warning struct {
	// Source is the trace that the warning is about or, of a comparison, the side and the trace; ""
	// for all traces.
	Source string
	Option Option // the option that the warning is about; zero for none
	Value  string // of the option
	Text   string
	Hint   Hint // what would help; zero for nothing
}

// Option is an option that a Warning is about.
type Option uint8

const (
	// OptionBy is Options.By.
	OptionBy Option = iota + 1
	// OptionError is one of Options.Errors.
	OptionError
	// OptionSort is the key of Result.Sort.
	OptionSort
)

// String names the option as this package does; "" for an unknown one.
func (o Option) String() string {
	switch o {
	case OptionBy:
		return "by"
	case OptionError:
		return "error"
	case OptionSort:
		return "sort"
	}
	return ""
}

// Hint says what the user can do about a Warning or an error.
type Hint uint8

const (
	// RecordSched: record when threads run and wait.
	RecordSched Hint = iota + 1
	// RecordAllCalls: keep all calls while recording, whatever they return and however long they
	// take.
	RecordAllCalls
	// RaiseOverheadLimit: let probes cost more while recording, or probe fewer functions.
	RaiseOverheadLimit
	// SelectLongCalls: select calls by Options.Min.
	SelectLongCalls
	// SelectFewerCalls: select fewer calls by time, duration or function.
	SelectFewerCalls
)

// String puts the hint into words that name no flag; "" for an unknown one.
func (h Hint) String() string {
	switch h {
	case RecordSched:
		return "record the scheduler"
	case RecordAllCalls:
		return "record all calls, without conditions on their duration or result"
	case RaiseOverheadLimit:
		return "record with a higher limit on the overhead, or fewer functions"
	case SelectLongCalls:
		return "select calls by their minimum duration"
	case SelectFewerCalls:
		return "select fewer calls, by time, duration or function"
	}
	return ""
}

// String puts the warning into words: its source, its option and its hint where it has them.
func (w Warning) String() string {
	return w.In(Option.String, Hint.String)
}

// In is String with the words of a caller for options and hints.
func (w Warning) In(option func(Option) string, hint func(Hint) string) string {
	text := w.Text
	if w.Option != 0 {
		text = fmt.Sprintf("%s %s: %s", option(w.Option), w.Value, text)
	}
	if w.Source != "" {
		text = w.Source + ": " + text
	}
	if w.Hint != 0 {
		text += "; " + hint(w.Hint)
	}
	return text
}

// warn adds a warning, which names the trace if there are several.
func (s *summary) warn(path, text string, args ...any) {
	s.addWarning(path, Warning{Text: fmt.Sprintf(text, args...)})
}

// addWarning adds a warning once. It sets the warning's Source if there are several traces.
func (s *summary) addWarning(path string, w Warning) {
	if s.several && path != "" {
		w.Source = FileName(path)
	}
	if !slices.Contains(s.warnings, w) {
		s.warnings = append(s.warnings, w)
	}
}

// ConditionError says why a condition cannot be used, and what would help.
type ConditionError struct {
	Condition string
	Reason    string
	Hint      Hint
}

// Error names the condition, the reason and the hint.
func (e *ConditionError) Error() string { return e.In(Hint.String) }

// In is Error with the words of a caller for the hint.
func (e *ConditionError) In(hint func(Hint) string) string {
	text := fmt.Sprintf("condition %q: %s", e.Condition, e.Reason)
	if e.Hint != 0 {
		text += "; " + hint(e.Hint)
	}
	return text
}
