package flight

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"utrace/format"
	"utrace/format/condition"
	"utrace/record/internal/probe"
)

// ErrRule is wrapped by errors about the text of a rule.
var ErrRule = errors.New("condition")

// Rule is a condition for a moment: a call, or something else that happens.
type Rule struct {
	Text       string
	Signal     string // that utrace gets: USR1 or USR2; or
	ExitSignal bool   // a signal kills a recorded process; or
	File       string // that appears; or

	Probe      *probe.Probe // whose calls meet a condition
	cond       *condition.Condition
	failed     bool          // only calls that fail
	longerThan time.Duration // the shortest duration of a call that meets cond, if cond is just that
}

// cutComparison cuts a rule such as "f > 200ms". The operator of a C++ name has no blank before it.
func cutComparison(text string) (call, op, limit string, ok bool) {
	m := regexp.MustCompile(`^(.*\S)\s+(>=?)\s*([^>\s]*)$`).FindStringSubmatch(text)
	if m == nil || strings.Contains(text, " if ") {
		return text, "", "", false
	}
	return m[1], m[2], m[3], true
}

// ParseRule parses
//
//	PROBE > TIME     a call takes longer
//	error PROBE      a call fails
//	PROBE [if COND]  a call begins, a static probe fires; or a call meets a condition
//	signal:USR1      utrace gets the signal, or USR2
//	exit-signal      a signal kills a recorded process
//	file:/PATH       a file appears
//
// Errors wrap ErrRule.
func ParseRule(text string) (*Rule, error) {
	r := &Rule{Text: text}
	if err := r.parse(strings.TrimSpace(text)); err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrRule, probe.Shorten(text), err)
	}
	return r, nil
}

func (r *Rule) parse(text string) (err error) {
	if name, ok := strings.CutPrefix(text, "signal:"); ok {
		if r.Signal = strings.TrimPrefix(strings.ToUpper(name), "SIG"); r.Signal != "USR1" && r.Signal != "USR2" {
			return errors.New("want signal:USR1 or signal:USR2")
		}
		return nil
	}
	if path, ok := strings.CutPrefix(text, "file:"); ok {
		if path == "" {
			return errors.New("want file:/PATH")
		}
		r.File, err = filepath.Abs(path)
		return err
	}
	if text == "exit-signal" {
		r.ExitSignal = true
		return nil
	}
	return r.parseCall(text)
}

func (r *Rule) parseCall(text string) (err error) {
	if call, op, limit, ok := cutComparison(text); ok {
		if r.longerThan, err = time.ParseDuration(limit); err != nil || r.longerThan <= 0 {
			return errors.New("want FUNC > TIME, such as 'handle_request > 200ms'")
		}
		if r.cond, err = condition.Parse("duration " + op + " " + limit); err != nil {
			return err
		}
		text = call
	}
	if rest, ok := strings.CutPrefix(text, "error "); ok {
		r.failed, text = true, rest
	}
	if r.Probe, err = probe.Parse(text); err != nil {
		return err
	}
	switch {
	case r.Probe.Exclude:
		return errors.New("it only leaves functions out")
	case r.Probe.Pattern == nil && r.Probe.USDT == nil || r.Probe.Offset != 0:
		return errors.New("want a function or a static probe by its name")
	case r.Probe.Values.Condition != nil && r.cond != nil:
		return errors.New("want either > TIME or if")
	case r.Probe.Values.Condition != nil:
		r.cond = r.Probe.Values.Condition
	}
	// The kernel must not decide it: it would not record other calls.
	r.Probe.Values.Condition, r.Probe.Values.ConditionText = nil, ""
	return nil
}

// LongerThan returns the duration of a rule "FUNC > TIME", 0 for others.
func (r *Rule) LongerThan() time.Duration { return r.longerThan }

// matches reports whether a rule is about the calls of a function, in a file.
func (r *Rule) matches(fn *format.Func, path string) bool {
	p := r.Probe
	if p == nil || p.Path != "" && p.Path != path || p.Lib != "" && !isLibrary(path, p.Lib) {
		return false
	}
	if p.USDT != nil {
		provider, name, ok := strings.Cut(fn.USDT, ":")
		return ok && p.USDT.Match(provider, name)
	}
	if p.Pattern.Match(fn.Name) {
		return true
	}
	symbol := fn.Symbol
	if symbol == "" {
		symbol = fn.Name
	}
	_, ok := p.Pattern.MatchSymbols(symbol, nil, nil)
	return ok
}

// isLibrary reports whether a file has the name of a library: "ssl" is libssl.so.3.
func isLibrary(path, lib string) bool {
	base := filepath.Base(path)
	return base == lib || strings.HasPrefix(base, lib+".so") || strings.HasPrefix(base, "lib"+lib+".so")
}
