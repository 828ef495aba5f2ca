package render

import "utrace/analyze"

// Words puts into words what only the caller can: how the user sets an option. The zero value names
// no options.
type Words struct {
	Warning   func(analyze.Warning) string
	Condition func(analyze.Condition) string
}

// warnings are warnings in words; never nil.
func (w Words) warnings(list []analyze.Warning) []string {
	say := w.Warning
	if say == nil {
		say = analyze.Warning.String
	}
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = say(list[i])
	}
	return texts
}

// conditions are conditions in words; never nil.
func (w Words) conditions(list []analyze.Condition) []string {
	say := w.Condition
	if say == nil {
		say = analyze.Condition.String
	}
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = say(list[i])
	}
	return texts
}
