package record

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"utrace/bpf"
	"utrace/format/condition"
	"utrace/record/internal/suggest"
)

// boundCondition is a condition of which it is known what its names are.
type boundCondition struct {
	*condition.Condition
	a, b *boundCondition // of And and Or

	arg    uint8 // of a comparison: which argument, or a bpf.Cond…
	late   bool  // it is of the result, when the function returns
	typ    valueType
	number uint64 // that it is compared with
	isText bool   // instead of number
}

// finder returns which of the arguments has a name, which it may add as a hidden one; see findArgument.
type finder func(args []argument, name string, like valueType) (at int, with []argument, err error)

// endings are what conditions can compare when a function returns, or a span ends.
type endings struct {
	list     *[]argument // of the function
	find     finder      // nil: there are none
	duration bool        // there is an end, so that there is a duration
}

// bindCondition finds the arguments that a condition, or nil, names, and adds those that are not recorded as hidden ones.
func bindCondition(c *condition.Condition, args []argument, find finder, ends endings) (bound *boundCondition, with []argument, err error) {
	if c == nil {
		return nil, args, nil
	}
	b := &boundCondition{Condition: c}
	if !c.Op.Compares() {
		if b.a, args, err = bindCondition(c.A, args, find, ends); err != nil {
			return nil, args, err
		}
		b.b, args, err = bindCondition(c.B, args, find, ends)
		return b, args, err
	}
	if args, err = b.bindName(args, find, ends); err == nil {
		err = b.bindValue()
	}
	if err != nil {
		return nil, args, fmt.Errorf("at %d: %w", c.Offset+1, err)
	}
	return b, args, nil
}

// bindName finds what a comparison is of.
func (c *boundCondition) bindName(args []argument, find finder, ends endings) (with []argument, err error) {
	named := slices.ContainsFunc(args, func(a argument) bool { return a.name == c.Name && !a.hidden })
	special, isSpecial := map[string]uint8{"pid": bpf.CondPID, "tid": bpf.CondTID, "comm": bpf.CondComm, "duration": bpf.CondDuration, ownDuration: bpf.CondDuration}[c.Name]
	like := valueType{name: "s64", signed: true} // and its size as the probe has it
	if c.Value.Kind == condition.IsText {
		like = valueType{name: "str", kind: kindText, size: 8, max: defaultText}
	}
	at := 0
	switch {
	case isSpecial && !named:
		c.arg, c.late, c.typ = special, special == bpf.CondDuration, valueType{name: "u64", size: 8}
		if special == bpf.CondComm {
			c.typ = like
		}
		if c.late && !ends.duration {
			return args, errors.New("duration: a probe that has no return has none")
		}
		return args, nil
	case c.Name == "ret" && !named && ends.find != nil:
		if at, *ends.list, err = ends.find(*ends.list, c.Name, like); err != nil {
			return args, err
		}
		c.late, c.typ = true, (*ends.list)[at].typ
	default:
		if at, args, err = find(args, c.Name, like); err != nil {
			return args, err
		}
		c.typ = args[at].typ
	}
	c.arg = uint8(at)
	return args, nil
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
	case c.arg == bpf.CondComm && !c.isText:
		return errors.New("comm is compared with a \"text\"")
	case c.arg == bpf.CondPID && c.isText, c.arg == bpf.CondTID && c.isText:
		return fmt.Errorf("%s is compared with a number", c.Name)
	case c.arg == bpf.CondDuration:
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
	case c.isText && len(v.Text) > bpf.MaxPattern:
		return fmt.Errorf("a text of %d bytes: %d is the most", len(v.Text), bpf.MaxPattern)
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
	return fmt.Errorf("%s has no value %q%s", c.Name, c.Value.Text, suggest.Nearest(c.Value.Text, slices.Sorted(maps.Values(c.typ.names))))
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

// compile turns a bound condition into comparisons for the kernel. The first one comes first; each says which is the
// next.
func (c *boundCondition) compile() ([]bpf.Cond, error) {
	if c == nil {
		return nil, nil
	}
	var list []bpf.Cond // in reverse: what a comparison leads to comes before it
	c.emit(&list, bpf.CondKeep, bpf.CondDrop)
	if len(list) > bpf.MaxConds {
		return nil, fmt.Errorf("%d comparisons: %d are the most", len(list), bpf.MaxConds)
	}
	last := uint8(len(list) - 1)
	turn := func(at uint8) uint8 {
		if at >= bpf.CondKeep {
			return at
		}
		return last - at
	}
	turned := make([]bpf.Cond, len(list))
	for i, cond := range list {
		cond.Yes, cond.No = turn(cond.Yes), turn(cond.No)
		turned[last-uint8(i)] = cond
	}
	return turned, nil
}

// emit appends the comparisons of a condition, and returns which of them is the first to be made.
func (c *boundCondition) emit(list *[]bpf.Cond, yes, no uint8) uint8 {
	if len(*list) > bpf.MaxConds { // too many: compile says so
		return no
	}
	switch c.Op {
	case condition.And:
		return c.a.emit(list, c.b.emit(list, yes, no), no)
	case condition.Or:
		return c.a.emit(list, yes, c.b.emit(list, yes, no))
	}
	cond := bpf.Cond{Yes: yes, No: no, Value: c.number, Arg: c.arg, Signed: c.typ.signed, Late: c.late}
	if bits := 8 * c.typ.size; bits > 0 && bits < 64 && c.Value.Number.Negative && !c.typ.signed { // as in C
		cond.Value &= 1<<bits - 1
	}
	// Of what could not be read no comparison holds: so one that is turned around is told so, instead of exchanging yes and no.
	switch op := c.Op; {
	case c.isText && op == condition.Equal, c.isText && op == condition.NotEqual:
		cond.Op, cond.Negate = bpf.CondText, op == condition.NotEqual
	case op == condition.Equal, op == condition.NotEqual:
		cond.Op, cond.Negate = bpf.CondEqual, op == condition.NotEqual
	case op == condition.Less, op == condition.GreaterOrEqual:
		cond.Op, cond.Negate = bpf.CondLess, op == condition.GreaterOrEqual
	case op == condition.LessOrEqual, op == condition.Greater:
		cond.Op, cond.Negate = bpf.CondLessOrEqual, op == condition.Greater
	case op == condition.Glob, op == condition.NotGlob:
		cond.Op, cond.Negate = bpf.CondGlob, op == condition.NotGlob
	}
	if c.isText {
		cond.Length = uint8(copy(cond.Text[:], c.Value.Text))
	}
	*list = append(*list, cond)
	return uint8(len(*list) - 1)
}
