package render

import "utrace/analyze"

// maxValue is how many characters of a group's value are shown.
const maxValue = 100

// furtherUncertain says how many calls a view leaves out because their duration is unknown.
func furtherUncertain(calls uint64) string {
	return analyze.Plural(calls, "further call is", "further calls are") + " uncertain: events were lost meanwhile"
}

// cut shortens a text to limit characters.
func cut(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit]) + "…"
}
