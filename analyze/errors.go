package analyze

import (
	"encoding/json"
	"fmt"
	"strings"

	"utrace/format"
	"utrace/format/condition"
)

// ErrorRule says which calls of some functions have failed.
type ErrorRule struct {
	text     string
	function *Pattern // nil for all functions that have the names in the condition
	cond     *condition.Condition
}

// ParseErrorRules parses the rules of an analysis, see ParseErrorRule. It fails if they have too
// many comparisons.
func ParseErrorRules(texts []string) (rules []*ErrorRule, err error) {
	comparisons := 0
	for _, text := range texts {
		rule, err := ParseErrorRule(text)
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
		rule.cond.Walk(func(*condition.Condition) { comparisons++ })
	}
	if comparisons > maxEntryBits {
		return nil, fmt.Errorf("%d comparisons: want at most %d", comparisons, maxEntryBits)
	}
	return rules, nil
}

// ParseErrorRule parses "[PATTERN: ]CONDITION", such as "ret < 0" or "malloc: ret == 0 && size >
// 0". The condition names arguments and results. "ret" is the first result or, for a function
// without results, the return register as a signed number. A comparison with a time is a
// *ConditionError.
func ParseErrorRule(text string) (*ErrorRule, error) {
	r := &ErrorRule{text: text}
	cond := text
	if head, rest, ok := strings.Cut(text, ": "); ok && !strings.ContainsAny(head, "\"'`") {
		var err error
		if r.function, err = ParsePattern(strings.TrimSpace(head)); err != nil {
			return nil, err
		}
		cond = rest
	}
	var err error
	if r.cond, err = condition.Parse(cond); err != nil {
		return nil, fmt.Errorf("condition %q: %w", cond, err)
	}
	r.cond.Walk(func(c *condition.Condition) {
		if c.Value.Kind == condition.IsTime {
			reason := fmt.Sprintf("at %d: %s is compared with a time: a rule is about arguments and results", c.Offset+1, c.Name)
			err = &ConditionError{Condition: cond, Reason: reason, Hint: SelectLongCalls}
		}
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// needsValue reports whether rules may need the return register.
func needsValue(rules []*ErrorRule) (needs bool) {
	for _, r := range rules {
		r.cond.Walk(func(c *condition.Condition) { needs = needs || c.Name == "ret" })
	}
	return needs
}

// warning is a warning about a rule.
func (r *ErrorRule) warning(text string) Warning {
	return Warning{Option: OptionError, Value: "'" + Printable(r.text) + "'", Text: text}
}

// appliesTo reports whether a rule is about one of the functions.
func (r *ErrorRule) appliesTo(funcs []format.Func) bool {
	for i := range funcs {
		if check := new(errorCheck); r.function.function(&funcs[i]) && check.bind(r.cond, &funcs[i]) != nil {
			return true
		}
	}
	return false
}

// misfit describes a comparison with a number that is always false, since the value is recorded as a
// name; "" if there is none.
func (r *ErrorRule) misfit(funcs []format.Func) (text string) {
	for i := range funcs {
		f := &funcs[i]
		if !r.function.function(f) {
			continue
		}
		r.cond.Walk(func(c *condition.Condition) {
			p := findValue(f, c.Name)
			if p.index < 0 || c.Value.Kind == condition.IsText || c.Value.Number == (condition.Number{}) {
				return
			}
			typ := ""
			if p.result {
				typ = f.Results[p.index].Type
			} else {
				typ = f.Args[p.index].Type
			}
			switch {
			case typ == errnoType:
				text = fmt.Sprintf("%s is recorded by its name: compare it with a text, such as \"ENOENT\"", Printable(c.Name))
			case strings.HasPrefix(typ, "enum "):
				text = fmt.Sprintf("%s (%s) is recorded by the names of its values: compare it with a text", Printable(c.Name), Printable(typ))
			}
		})
		if text != "" {
			return text
		}
	}
	return ""
}

// maxEntryBits is how many comparisons with arguments the rules of a function may have.
const maxEntryBits = 32

// errorCheck decides whether calls of one function have failed. It decides comparisons with arguments
// at the entry, and keeps the answers as bits.
type errorCheck struct {
	conds   []*boundCondition // a call has failed if one is true
	entries []*boundCondition // the comparisons with arguments, by bit
}

// boundCondition is a condition whose names have been resolved for one function.
type boundCondition struct {
	*condition.Condition
	a, b     *boundCondition
	position position
	typ      string
	pattern  *Pattern // of Glob and NotGlob
	raw      bool     // it is the return register
	bit      int      // of a comparison with an argument
}

// newErrorCheck returns nil for a function whose calls cannot fail. A rule does not apply if it names
// an argument or result that the function lacks. Without a rule that applies, negative numbers, null
// pointers and an errno are errors.
func newErrorCheck(f *format.Func, rules []*ErrorRule) *errorCheck {
	check := &errorCheck{}
	for _, r := range rules {
		if r.function.function(f) {
			check.add(r.cond, f)
		}
	}
	if len(check.conds) == 0 {
		for _, c := range defaultErrors(f) {
			check.add(c, f)
		}
	}
	if len(check.conds) == 0 {
		return nil
	}
	return check
}

// defaultErrors returns the conditions for a function without a rule of its own. The values at the end
// of a span are no results in this sense.
func defaultErrors(f *format.Func) (list []*condition.Condition) {
	if len(f.Results) == 0 || f.USDT != "" {
		return nil
	}
	switch f.Results[0].Type {
	case "ptr":
		list = append(list, &condition.Condition{Op: condition.Equal, Name: "ret"})
	case eaiType:
		list = append(list, &condition.Condition{Op: condition.NotEqual, Name: "ret"})
	case "s8", "s16", "s32", "s64":
		list = append(list, &condition.Condition{Op: condition.Less, Name: "ret"})
	}
	for _, r := range f.Results[1:] {
		if r.Type == errnoType {
			list = append(list, &condition.Condition{Op: condition.NotEqual, Name: r.Name})
		}
	}
	return list
}

func (e *errorCheck) add(c *condition.Condition, f *format.Func) {
	entries := len(e.entries)
	if b := e.bind(c, f); b != nil {
		e.conds = append(e.conds, b)
	} else {
		e.entries = e.entries[:entries]
	}
}

// bind returns nil if the function lacks a name.
func (e *errorCheck) bind(c *condition.Condition, f *format.Func) *boundCondition {
	b := &boundCondition{Condition: c}
	if !c.Op.Compares() {
		if b.a = e.bind(c.A, f); b.a == nil {
			return nil
		}
		if b.b = e.bind(c.B, f); b.b == nil {
			return nil
		}
		return b
	}
	if c.Op == condition.Glob || c.Op == condition.NotGlob {
		var err error
		if b.pattern, err = parseGlob(c.Value.Text); err != nil {
			return nil
		}
	}
	b.position = findValue(f, c.Name)
	switch {
	case b.position.index < 0 && c.Name == "ret" && len(f.Results) == 0 && !f.Hit && !f.NoReturn:
		b.raw = true
	case b.position.index < 0:
		return nil
	case b.position.result:
		b.typ = f.Results[b.position.index].Type
	case len(e.entries) == maxEntryBits:
		return nil
	default:
		b.typ = f.Args[b.position.index].Type
		b.bit = len(e.entries)
		e.entries = append(e.entries, b)
	}
	return b
}

// enter decides the comparisons with arguments of a call that begins.
func (e *errorCheck) enter(t *thread) (bits uint32) {
	for _, b := range e.entries {
		if b.holds(t) {
			bits |= 1 << b.bit
		}
	}
	return bits
}

// failed reports whether a complete call has failed. The current row is its return.
func (e *errorCheck) failed(t *thread, bits uint32) bool {
	for _, b := range e.conds {
		if b.decide(t, bits) {
			return true
		}
	}
	return false
}

func (b *boundCondition) decide(t *thread, bits uint32) bool {
	switch {
	case b.Op == condition.And:
		return b.a.decide(t, bits) && b.b.decide(t, bits)
	case b.Op == condition.Or:
		return b.a.decide(t, bits) || b.b.decide(t, bits)
	case b.raw || b.position.result:
		return b.holds(t)
	}
	return bits>>b.bit&1 != 0
}

// holds compares a value in the current row. It is false if the value could not be read.
func (b *boundCondition) holds(t *thread) bool {
	if b.raw {
		value, ok := t.value()
		return ok && b.compareNumber(condition.Signed(int64(value)))
	}
	raw, ok := element(t.args(), b.position.index)
	if !ok {
		return false
	}
	switch raw[0] {
	case 't':
		return b.compareNumber(condition.Number{Magnitude: 1})
	case 'f':
		return b.compareNumber(condition.Number{})
	case '"':
		var text string
		return json.Unmarshal(raw, &text) == nil && b.compareText(text)
	case '{':
		text, _, ok := objectText(raw)
		return ok && b.compareText(text)
	case 'n':
		return false
	}
	n, ok := condition.ParseNumber(string(raw))
	return ok && b.compareNumber(n)
}

// compareNumber compares a number. It is false if the condition has a text.
func (b *boundCondition) compareNumber(n condition.Number) bool {
	return b.Value.Kind != condition.IsText && b.Op.Holds(n.Compare(b.Value.Number))
}

// compareText compares a text. A char is also a number.
func (b *boundCondition) compareText(text string) bool {
	switch {
	case b.pattern != nil:
		return b.pattern.Match(text) == (b.Op == condition.Glob)
	case b.Value.Kind == condition.IsText:
		return b.Op.Holds(strings.Compare(text, b.Value.Text))
	case b.typ == eaiType && b.Value.Number == condition.Number{}:
		return b.compareNumber(condition.Signed(-1))
	case b.typ == "char" && len(text) > 0:
		return b.compareNumber(condition.Number{Magnitude: uint64(text[0])})
	case b.Value.Number != condition.Number{}: // a text is no number
		return false
	}
	return b.Op == condition.NotEqual && text != "" || b.Op == condition.Equal && text == "" // a NAME by itself
}
