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

// boundCondition is a condition whose names have been resolved.
type Bound struct {
	*condition.Condition
	Left, Right *Bound // of And and Or

	// Of a comparison:
	Subject Subject
	Arg     int    // which argument, or result if afterCall; with subjectValue
	Late    bool   // it can only be decided when the function returns
	Type    Type   // of the subject
	Number  uint64 // to compare with
	IsText  bool   // compare with Value.Text instead
}

// subject is what a comparison is about.
type Subject uint8

const (
	SubjectValue Subject = iota // an argument or result
	SubjectPID
	SubjectTID
	SubjectComm
	SubjectDuration // of the call, in nanoseconds
)

// scope finds the values that conditions name.
type Scope interface {
	// recorded reports whether a recorded value has a name.
	Recorded(name string) bool
	// lookUp returns which value has a name, and its type. It may add a hidden one: of the type like, where
	// nothing else says its type.
	LookUp(name string, like Type) (at int, typ Type, err error)
}

// callEnd is what conditions can compare when a function returns, or a span ends.
type End struct {
	Results  Scope // nil: there are none
	Duration bool  // there is an end, so that there is a duration
}

// bindCondition resolves the names of a condition, which may be nil.
func Bind(c *condition.Condition, args Scope, end End) (*Bound, error) {
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

// bindName finds what a comparison is about.
func (c *Bound) bindName(args Scope, end End) (err error) {
	like := Type{Name: "s64", Signed: true} // with the size that the value itself has
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
			return errors.New("duration: a probe that has no return has none")
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

// specialSubject returns the subject that a name stands for unless an argument has that name.
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

// bindValue checks what a comparison compares with.
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
		return errors.New("comm is compared with a \"text\"")
	case c.Subject == SubjectPID && c.IsText, c.Subject == SubjectTID && c.IsText:
		return fmt.Errorf("%s is compared with a number", c.Name)
	case c.Subject == SubjectDuration:
		if v.Kind != condition.IsTime && (c.IsText || n != condition.Number{}) {
			return errors.New("duration is compared with a time, such as 10ms")
		}
	case v.Kind == condition.IsTime:
		return fmt.Errorf("%s is compared with a time: only duration is one", c.Name)
	case n.IsFloat:
		return fmt.Errorf("%s is compared with %s: a whole number of 64 bits is expected, or a time such as 1.5ms", c.Name, n)
	case typ.Kind == KindFloat:
		return fmt.Errorf("%s is a floating-point number: the kernel cannot compare those", c.Name)
	case typ.Kind == KindEnum && c.IsText:
		return c.bindEnum()
	case typ.Kind == KindGoType:
		return fmt.Errorf("%s is a type, which the kernel does not know by its name", c.Name)
	case typ.HasBytes() && !c.IsText:
		return fmt.Errorf("%s is a text: compare it with a \"text\"", c.Name)
	case !typ.HasBytes() && c.IsText:
		return fmt.Errorf("%s is a number (%s), not a text: declare it as str", c.Name, typ.Name)
	case c.IsText && len(v.Text) > MaxPattern:
		return fmt.Errorf("a text of %d bytes: %d is the most", len(v.Text), MaxPattern)
	case never && !c.IsText && n == condition.Number{} && !typ.Signed:
		return fmt.Errorf("%s (%s) is never below 0", c.Name, typ.Name)
	case !c.IsText && !typ.holds(c.Number, n.Negative):
		return fmt.Errorf("%s (%s) is never compared with %s: it does not hold such numbers", c.Name, typ.Name, n)
	}
	return nil
}

// bindEnum compares an enum with one of its names.
func (c *Bound) bindEnum() error {
	if c.Op != condition.Equal && c.Op != condition.NotEqual {
		return fmt.Errorf("%s is an enum, which is compared by == and !=", c.Name)
	}
	for value, name := range c.Type.EnumNames {
		if name == c.Value.Text {
			c.IsText, c.Number = false, uint64(value)
			return nil
		}
	}
	return fmt.Errorf("%s has no value %q%s", c.Name, c.Value.Text, suggest.Nearest(c.Value.Text, slices.Sorted(maps.Values(c.Type.EnumNames))))
}

// holds reports whether a number that was written so can be a value of the type; where its size is not known, all can.
func (t Type) holds(number uint64, negative bool) bool {
	bits := 8 * t.Size
	switch {
	case bits == 0 || bits > 64, t.Kind == KindHex:
		return true
	case t.Kind == KindBool:
		return !negative && number <= 1
	case negative && !t.Signed: // as in C: all bits set for -1
		return int64(number) >= -1<<(bits-1)
	case negative:
		return int64(number) >= -1<<(bits-1)
	case t.Signed:
		return number <= 1<<(bits-1)-1
	}
	return bits == 64 || number <= 1<<bits-1
}

// waits reports whether a condition speaks of what is only known when the function returns. That an argument is called so is
// left out of account.
func NeedsReturn(c *condition.Condition) (late bool) {
	c.Walk(func(c *condition.Condition) { late = late || c.Name == "ret" || c.Name == "duration" })
	return late
}

// ownDuration is a name that no argument has.
const ownDuration = " duration"

// slower returns a condition that calls meet that meet c, if any, and take at least so long.
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
