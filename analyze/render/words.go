package render

import "utrace/analyze"

// Words puts warnings and conditions into the caller's words, which can say how the user sets an
// option. The zero value uses their String methods.
type Words struct {
	Warning   func(analyze.Warning) string
	Condition func(analyze.Condition) string
	Hint      func(analyze.Hint) string // nil: no hints
}

// Warnings returns warnings in words, never nil.
func (w Words) Warnings(list []analyze.Warning) []string {
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

// conditions returns conditions in words, never nil.
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
