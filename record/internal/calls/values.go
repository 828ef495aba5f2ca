package calls

import (
	"encoding/json"

	"utrace/format"
	"utrace/format/condition"
)

// Value returns an element of the JSON array of an event's values: a condition.Number, a string, or
// nil if it could not be read or there is none.
func Value(array string, i int) any {
	var list []json.RawMessage
	if json.Unmarshal([]byte(array), &list) != nil || i < 0 || i >= len(list) {
		return nil
	}
	raw := list[i]
	var text string
	if raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
		return text
	}
	var cut struct{ Text *string }
	switch {
	case string(raw) == "true":
		return condition.Signed(1)
	case string(raw) == "false":
		return condition.Signed(0)
	case raw[0] == '{' && json.Unmarshal(raw, &cut) == nil && cut.Text != nil:
		return *cut.Text
	}
	if n, ok := condition.ParseNumber(string(raw)); ok {
		return n
	}
	return nil
}

// Failed reports whether a complete call has failed, by the rules of package analyze: its recorded
// result is negative, a null pointer or the name of an error, or an errno was recorded. Calls
// without recorded results have not, nor have spans between static probes.
func Failed(fn *format.Func, results string) bool {
	if len(fn.Results) == 0 || fn.USDT != "" || results == "" {
		return false
	}
	for i, r := range fn.Results {
		n, isNumber := Value(results, i).(condition.Number)
		_, isName := Value(results, i).(string)
		switch {
		case i > 0 && r.Type != "errno":
		case r.Type == "ptr" && isNumber && n == condition.Number{}:
			return true
		case r.Type == "enum EAI" || i > 0:
			if isName || isNumber && n != (condition.Number{}) {
				return true
			}
		case isSigned(r.Type) && isNumber && n.Negative:
			return true
		}
	}
	return false
}

func isSigned(typ string) bool { return typ == "s8" || typ == "s16" || typ == "s32" || typ == "s64" }
