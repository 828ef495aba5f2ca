package probe

import (
	"errors"
	"fmt"
	"strings"

	"utrace/format/condition"
)

// Values are what a probe records in addition to its time, and the condition for recording it.
type Values struct {
	Args          []Argument
	All           bool  // everything that the static probe, or the function's debug information, describes
	Result        *Type // of the function
	AllResults    bool  // all results that the debug information describes
	Condition     *condition.Condition
	ConditionText string
}

// Any reports whether there is anything to record in addition to the time, or a condition.
func (v *Values) Any() bool {
	return len(v.Args) > 0 || v.All || v.Result != nil || v.AllResults || v.Condition != nil
}

// parse parses "(ARGUMENTS) -> TYPE if CONDITION" of a function. Each part may be missing.
func (v *Values) parse(args, result, cond string) (err error) {
	if args != "" {
		if v.Args, v.All, err = parseArguments(args, true); err != nil {
			return err
		}
	}
	switch result {
	case "":
	case "...", "(...)":
		v.AllResults = true
	default:
		typ, err := parseType(result)
		if err != nil {
			return fmt.Errorf("->: %w", err)
		}
		if typ.Kind == KindBuffer {
			return errors.New("-> buf: the length of the result is unknown: use str or ptr")
		}
		v.Result = &typ
	}
	if v.ConditionText = cond; cond != "" {
		if v.Condition, err = condition.Parse(cond); err != nil {
			return fmt.Errorf("condition %q: %w", Shorten(strings.TrimSpace(cond)), err)
		}
	}
	return nil
}
