package flight

import (
	"fmt"
	"slices"
	"strings"

	"utrace/format"
	"utrace/format/condition"
	"utrace/record/internal/calls"
	"utrace/record/internal/probe"
)

// bound is a rule for the calls of one function.
type bound struct {
	rule     *Rule
	fn       format.Func
	atReturn bool // it can be decided only when the call returns
	globs    map[string]*probe.Pattern
}

// callValues are what a condition can name.
type callValues struct {
	thread        *format.Thread
	args, results string // JSON arrays
	value         uint64 // the return value
	durationNs    uint64
}

// bind resolves the names of a rule's condition. problem says why no call of the function can meet
// it.
func (r *Rule) bind(fn *format.Func) (b bound, problem string) {
	b = bound{rule: r, fn: *fn, atReturn: r.failed, globs: map[string]*probe.Pattern{}}
	r.cond.Walk(func(c *condition.Condition) {
		switch {
		case isArg(fn.Args, c.Name) || slices.Contains([]string{"pid", "tid", "comm"}, c.Name):
		case isArg(fn.Results, c.Name) || c.Name == "ret" || c.Name == "duration":
			b.atReturn = true
		default:
			problem = fmt.Sprintf("--until '%s': %s is no recorded value of %s: name it in the probe, such as '%s(%s:s32)'", r.Text, c.Name, fn.Name, fn.Name, c.Name)
		}
		if c.Op == condition.Glob || c.Op == condition.NotGlob {
			var err error
			if b.globs[c.Value.Text], err = probe.NewPattern(c.Value.Text); err != nil {
				problem = err.Error()
			}
		}
	})
	if b.atReturn && (fn.Hit || fn.NoReturn) {
		problem = fmt.Sprintf("--until '%s': the return of %s is not recorded", r.Text, fn.Name)
	}
	return b, problem
}

func isArg(args []format.Arg, name string) bool {
	return slices.ContainsFunc(args, func(a format.Arg) bool { return a.Name == name })
}

// met reports whether a call meets the rule.
func (b *bound) met(v *callValues) bool {
	if b.rule.failed && !failed(&b.fn, v) {
		return false
	}
	return b.rule.cond == nil || b.decide(b.rule.cond, v)
}

func (b *bound) decide(c *condition.Condition, v *callValues) bool {
	switch c.Op {
	case condition.And:
		return b.decide(c.A, v) && b.decide(c.B, v)
	case condition.Or:
		return b.decide(c.A, v) || b.decide(c.B, v)
	}
	switch value := b.value(c.Name, v).(type) {
	case condition.Number:
		return c.Value.Kind != condition.IsText && c.Op.Holds(value.Compare(c.Value.Number))
	case string:
		if glob := b.globs[c.Value.Text]; glob != nil && c.Value.Kind == condition.IsText && (c.Op == condition.Glob || c.Op == condition.NotGlob) {
			return glob.Match(value) == (c.Op == condition.Glob)
		}
		return c.Value.Kind == condition.IsText && c.Op.Holds(strings.Compare(value, c.Value.Text))
	}
	return false // it could not be read
}

// value returns the value of a name: a condition.Number, a string, or nil if it could not be read.
func (b *bound) value(name string, v *callValues) any {
	switch name {
	case "pid":
		return condition.Signed(int64(v.thread.PID))
	case "tid":
		return condition.Signed(int64(v.thread.TID))
	case "comm":
		return v.thread.Comm
	case "duration":
		return condition.Signed(int64(v.durationNs))
	case "ret":
		if len(b.fn.Results) == 0 {
			return condition.Signed(int64(v.value))
		}
		return calls.Value(v.results, 0)
	}
	at := func(args []format.Arg) int {
		return slices.IndexFunc(args, func(a format.Arg) bool { return a.Name == name })
	}
	if i := at(b.fn.Args); i >= 0 {
		return calls.Value(v.args, i)
	}
	return calls.Value(v.results, at(b.fn.Results))
}

// maxErrno is the largest number of an error of the Linux kernel (MAX_ERRNO in
// include/linux/err.h).
const maxErrno = 4095

// failed reports whether a call has failed. Of an unrecorded result it is an error if it is from
// -4095 to -1, with 32 or 64 bits.
func failed(fn *format.Func, v *callValues) bool {
	if len(fn.Results) > 0 {
		return calls.Failed(fn, v.results)
	}
	wide, narrow := int64(v.value), int64(int32(v.value))
	return wide < 0 && wide >= -maxErrno || v.value>>32 == 0 && narrow < 0 && narrow >= -maxErrno
}
