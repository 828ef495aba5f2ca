package probe

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"utrace/format/condition"
	"utrace/record/internal/suggest"
)

// Bound is a condition whose names have been resolved.
type Bound struct {
	*condition.Condition
	Left, Right *Bound // of And and Or

	// For a comparison:
	Subject Subject
	Arg     int    // index of the argument, or of the result if Late; with SubjectValue
	Late    bool   // it can only be decided when the function returns
	Type    Type   // of the left side
	Number  uint64 // the right side
	IsText  bool   // the right side is Value.Text instead
}

// Subject is the left side of a comparison.
type Subject uint8

// Subjects of comparisons.
const (
	SubjectValue Subject = iota // an argument or result
	SubjectPID
	SubjectTID
	SubjectComm
	SubjectDuration // of the call, in nanoseconds
)

// Scope finds the values that conditions name.
type Scope interface {
	// Recorded reports whether a recorded value has the name.
	Recorded(name string) bool
	// LookUp returns the index of the value with the name, and its type. It may add a hidden value,
	// with the type like if nothing else determines its type.
	LookUp(name string, like Type) (at int, typ Type, err error)
}

// End is what conditions can use when a function returns, or a span ends.
type End struct {
	Results  Scope // nil: no results
	Duration bool  // there is an end, and so a duration
}

// Bind resolves the names of a condition. A nil condition gives nil.
func Bind(c *condition.Condition, args Scope, end End) (*Bound, error) {
	if c == nil {
		return nil, nil
	}
	b, err := bindNode(c, args, end)
	if err != nil {
		return nil, err
	}
	if n := b.comparisons(); n > MaxComparisons {
		return nil, fmt.Errorf("%d comparisons: at most %d are possible", n, MaxComparisons)
	}
	return b, nil
}

func bindNode(c *condition.Condition, args Scope, end End) (b *Bound, err error) {
	b = &Bound{Condition: c}
	if !c.Op.Compares() {
		if b.Left, err = bindNode(c.A, args, end); err != nil {
			return nil, err
		}
		b.Right, err = bindNode(c.B, args, end)
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
func (c *Bound) comparisons() int {
	if c.Op.Compares() {
		return 1
	}
	return c.Left.comparisons() + c.Right.comparisons()
}

// bindName resolves the left side of a comparison.
func (c *Bound) bindName(args Scope, end End) (err error) {
	like := Type{Name: "s64", Signed: true} // with the size of the value itself
	if c.Value.Kind == condition.IsText {
		like = Type{Name: "str", Kind: KindText, Size: 8, Max: DefaultText}
	}
	recorded := args.Recorded(c.Name)
	if special, ok := specialSubject(c.Name); ok && !recorded {
		c.Subject, c.Type = special, Type{Name: "u64", Size: 8}
		switch {
		case special == SubjectComm:
			c.Type = like
		case special == SubjectDuration && !end.Duration:
			return errors.New("duration: a probe without a return has none")
		}
		c.Late = special == SubjectDuration
		return nil
	}
	if c.Name == "ret" && !recorded && end.Results != nil {
		c.Late = true
		c.Arg, c.Type, err = end.Results.LookUp(c.Name, like)
		return err
	}
	c.Arg, c.Type, err = args.LookUp(c.Name, like)
	return err
}

// specialSubject returns the subject of a name that no argument has.
func specialSubject(name string) (s Subject, ok bool) {
	switch name {
	case "pid":
		return SubjectPID, true
	case "tid":
		return SubjectTID, true
	case "comm":
		return SubjectComm, true
	case "duration", ownDuration:
		return SubjectDuration, true
	}
	return SubjectValue, false
}

// bindValue checks the right side of a comparison.
func (c *Bound) bindValue() error {
	v, n := c.Value, c.Value.Number
	c.IsText = v.Kind == condition.IsText
	c.Number = n.Magnitude
	if n.Negative {
		c.Number = -n.Magnitude
	}
	never := c.Op == condition.Less || c.Op == condition.GreaterOrEqual // below 0
	switch typ := c.Type; {
	case c.Subject == SubjectComm && !c.IsText:
		return errors.New("comm: compare it with a \"text\"")
	case c.Subject == SubjectPID && c.IsText, c.Subject == SubjectTID && c.IsText:
		return fmt.Errorf("%s: compare it with a number", c.Name)
	case c.Subject == SubjectDuration:
		if v.Kind != condition.IsTime && (c.IsText || n != condition.Number{}) {
			return errors.New("duration: compare it with a time, such as 10ms")
		}
	case v.Kind == condition.IsTime:
		return fmt.Errorf("%s is not a time: only duration can be compared with one", c.Name)
	case n.IsFloat:
		return fmt.Errorf("%s is compared with %s: expected a whole number of 64 bits, or a time such as 1.5ms", c.Name, n)
	case typ.Kind == KindFloat:
		return fmt.Errorf("%s is a floating-point number: the kernel cannot compare these", c.Name)
	case typ.Kind == KindEnum && c.IsText:
		return c.bindEnum()
	case typ.Kind == KindGoType:
		return fmt.Errorf("%s is a type, and the kernel does not know the names of types", c.Name)
	case typ.HasBytes() && !c.IsText:
		return fmt.Errorf("%s is a text: compare it with a \"text\"", c.Name)
	case !typ.HasBytes() && c.IsText:
		return fmt.Errorf("%s is a number (%s), not a text: declare it as str", c.Name, typ.Name)
	case c.IsText && len(v.Text) > MaxPattern:
		return fmt.Errorf("a text of %d bytes: at most %d are possible", len(v.Text), MaxPattern)
	case never && !c.IsText && n == condition.Number{} && !typ.Signed:
		return fmt.Errorf("%s (%s) is never below 0", c.Name, typ.Name)
	case !c.IsText && !typ.holds(c.Number, n.Negative):
		return fmt.Errorf("%s (%s) cannot have the value %s", c.Name, typ.Name, n)
	}
	return nil
}

// bindEnum resolves the name of an enum's value.
func (c *Bound) bindEnum() error {
	if c.Op != condition.Equal && c.Op != condition.NotEqual {
		return fmt.Errorf("%s is an enum: compare it by == or !=", c.Name)
	}
	for value, name := range c.Type.EnumNames {
		if name == c.Value.Text {
			c.IsText, c.Number = false, uint64(value)
			return nil
		}
	}
	return fmt.Errorf("%s has no value %q%s", c.Name, c.Value.Text, suggest.Nearest(c.Value.Text, slices.Sorted(maps.Values(c.Type.EnumNames))))
}

// NeedsReturn reports whether a condition can only be decided at the return. It ignores that an
// argument may be called ret or duration.
func NeedsReturn(c *condition.Condition) (late bool) {
	c.Walk(func(c *condition.Condition) { late = late || c.Name == "ret" || c.Name == "duration" })
	return late
}

// ownDuration represents the duration. No argument has this name.
const ownDuration = " duration"

// AtLeast returns the condition that a call satisfies c, if any, and takes at least a duration.
func AtLeast(c *condition.Condition, than time.Duration) *condition.Condition {
	if than <= 0 {
		return c
	}
	long := &condition.Condition{Op: condition.GreaterOrEqual, Name: ownDuration, Value: condition.Value{Kind: condition.IsTime, Number: condition.Signed(int64(than))}}
	if c == nil {
		return long
	}
	return &condition.Condition{Op: condition.And, A: c, B: long}
}
