package record

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"utrace/format/condition"
	"utrace/record/internal/target"
)

// boundCondition is a condition whose names have been resolved.
type boundCondition struct {
	*condition.Condition
	a, b *boundCondition // of And and Or

	// Of a comparison:
	subject subject
	arg     int       // which argument, or result if afterCall; with subjectValue
	late    bool      // it can only be decided when the function returns
	typ     valueType // of the subject
	number  uint64    // to compare with
	isText  bool      // compare with Value.Text instead
}

// subject is what a comparison is about.
type subject uint8

const (
	subjectValue subject = iota // an argument or result
	subjectPID
	subjectTID
	subjectComm
	subjectDuration // of the call, in nanoseconds
)

// scope finds the values that conditions name.
type valueScope interface {
	// recorded reports whether a recorded value has a name.
	recorded(name string) bool
	// lookUp returns which value has a name, and its type. It may add a hidden one: of the type like, where
	// nothing else says its type.
	lookUp(name string, like valueType) (at int, typ valueType, err error)
}

// callEnd is what conditions can compare when a function returns, or a span ends.
type callEnd struct {
	results  valueScope // nil: there are none
	duration bool       // there is an end, so that there is a duration
}

// bindCondition resolves the names of a condition, which may be nil.
func bindCondition(c *condition.Condition, args valueScope, end callEnd) (*boundCondition, error) {
	if c == nil {
		return nil, nil
	}
	b, err := bindNode(c, args, end)
	if err != nil {
		return nil, err
	}
	if n := b.comparisons(); n > MaxComparisons {
		return nil, fmt.Errorf("%d comparisons: %d are the most", n, MaxComparisons)
	}
	return b, nil
}

func bindNode(c *condition.Condition, args valueScope, end callEnd) (b *boundCondition, err error) {
	b = &boundCondition{Condition: c}
	if !c.Op.Compares() {
		if b.a, err = bindNode(c.A, args, end); err != nil {
			return nil, err
		}
		b.b, err = bindNode(c.B, args, end)
		return b, err
	}
	if err = b.bindName(args, end); err == nil {
		err = b.bindValue()
	}
	if err != nil {
		return nil, fmt.Errorf("at %d: %w", c.Offset+1, err)
	}
	return b, nil
}

// comparisons counts the comparisons of a condition.
func (c *boundCondition) comparisons() int {
	if c.Op.Compares() {
		return 1
	}
	return c.a.comparisons() + c.b.comparisons()
}

// bindName finds what a comparison is about.
func (c *boundCondition) bindName(args valueScope, end callEnd) (err error) {
	like := valueType{name: "s64", signed: true} // with the size that the value itself has
	if c.Value.Kind == condition.IsText {
		like = valueType{name: "str", kind: kindText, size: 8, max: defaultText}
	}
	recorded := args.recorded(c.Name)
	if special, ok := specialSubject(c.Name); ok && !recorded {
		c.subject, c.typ = special, valueType{name: "u64", size: 8}
		switch {
		case special == subjectComm:
			c.typ = like
		case special == subjectDuration && !end.duration:
			return errors.New("duration: a probe that has no return has none")
		}
		c.late = special == subjectDuration
		return nil
	}
	if c.Name == "ret" && !recorded && end.results != nil {
		c.late = true
		c.arg, c.typ, err = end.results.lookUp(c.Name, like)
		return err
	}
	c.arg, c.typ, err = args.lookUp(c.Name, like)
	return err
}

// specialSubject returns the subject that a name stands for unless an argument has that name.
func specialSubject(name string) (s subject, ok bool) {
	switch name {
	case "pid":
		return subjectPID, true
	case "tid":
		return subjectTID, true
	case "comm":
		return subjectComm, true
	case "duration", ownDuration:
		return subjectDuration, true
	}
	return subjectValue, false
}

// bindValue checks what a comparison compares with.
func (c *boundCondition) bindValue() error {
	v, n := c.Value, c.Value.Number
	c.isText = v.Kind == condition.IsText
	c.number = n.Magnitude
	if n.Negative {
		c.number = -n.Magnitude
	}
	never := c.Op == condition.Less || c.Op == condition.GreaterOrEqual // below 0
	switch typ := c.typ; {
	case c.subject == subjectComm && !c.isText:
		return errors.New("comm is compared with a \"text\"")
	case c.subject == subjectPID && c.isText, c.subject == subjectTID && c.isText:
		return fmt.Errorf("%s is compared with a number", c.Name)
	case c.subject == subjectDuration:
		if v.Kind != condition.IsTime && (c.isText || n != condition.Number{}) {
			return errors.New("duration is compared with a time, such as 10ms")
		}
	case v.Kind == condition.IsTime:
		return fmt.Errorf("%s is compared with a time: only duration is one", c.Name)
	case n.IsFloat:
		return fmt.Errorf("%s is compared with %s: a whole number of 64 bits is expected, or a time such as 1.5ms", c.Name, n)
	case typ.kind == kindFloat:
		return fmt.Errorf("%s is a floating-point number: the kernel cannot compare those", c.Name)
	case typ.kind == kindEnum && c.isText:
		return c.bindEnum()
	case typ.kind == kindTypeName:
		return fmt.Errorf("%s is a type, which the kernel does not know by its name", c.Name)
	case typ.hasBytes() && !c.isText:
		return fmt.Errorf("%s is a text: compare it with a \"text\"", c.Name)
	case !typ.hasBytes() && c.isText:
		return fmt.Errorf("%s is a number (%s), not a text: declare it as str", c.Name, typ.name)
	case c.isText && len(v.Text) > MaxPattern:
		return fmt.Errorf("a text of %d bytes: %d is the most", len(v.Text), MaxPattern)
	case never && !c.isText && n == condition.Number{} && !typ.signed:
		return fmt.Errorf("%s (%s) is never below 0", c.Name, typ.name)
	case !c.isText && !typ.holds(c.number, n.Negative):
		return fmt.Errorf("%s (%s) is never compared with %s: it does not hold such numbers", c.Name, typ.name, n)
	}
	return nil
}

// bindEnum compares an enum with one of its names.
func (c *boundCondition) bindEnum() error {
	if c.Op != condition.Equal && c.Op != condition.NotEqual {
		return fmt.Errorf("%s is an enum, which is compared by == and !=", c.Name)
	}
	for value, name := range c.typ.names {
		if name == c.Value.Text {
			c.isText, c.number = false, uint64(value)
			return nil
		}
	}
	return fmt.Errorf("%s has no value %q%s", c.Name, c.Value.Text, target.Nearest(c.Value.Text, slices.Sorted(maps.Values(c.typ.names))))
}

// holds reports whether a number that was written so can be a value of the type; where its size is not known, all can.
func (t valueType) holds(number uint64, negative bool) bool {
	bits := 8 * t.size
	switch {
	case bits == 0 || bits > 64, t.kind == kindHex:
		return true
	case t.kind == kindBool:
		return !negative && number <= 1
	case negative && !t.signed: // as in C: all bits set for -1
		return int64(number) >= -1<<(bits-1)
	case negative:
		return int64(number) >= -1<<(bits-1)
	case t.signed:
		return number <= 1<<(bits-1)-1
	}
	return bits == 64 || number <= 1<<bits-1
}

// waits reports whether a condition speaks of what is only known when the function returns. That an argument is called so is
// left out of account.
func waits(c *condition.Condition) (late bool) {
	c.Walk(func(c *condition.Condition) { late = late || c.Name == "ret" || c.Name == "duration" })
	return late
}

// ownDuration is a name that no argument has.
const ownDuration = " duration"

// slower returns a condition that calls meet that meet c, if any, and take at least so long.
func slower(c *condition.Condition, than time.Duration) *condition.Condition {
	if than <= 0 {
		return c
	}
	long := &condition.Condition{Op: condition.GreaterOrEqual, Name: ownDuration, Value: condition.Value{Kind: condition.IsTime, Number: condition.Signed(int64(than))}}
	if c == nil {
		return long
	}
	return &condition.Condition{Op: condition.And, A: c, B: long}
}
