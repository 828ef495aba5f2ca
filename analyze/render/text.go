package render

import "utrace/analyze"

// mostValue is how many characters are shown of a value that calls are grouped by.
const maxValue = 100

// furtherUncertain says how many calls a view leaves out, since it is not known how long they took.
func furtherUncertain(calls uint64) string {
	return analyze.Plural(calls, "further call is", "further calls are") + " uncertain, for events were lost meanwhile"
}

// cut shortens a text to a number of characters.
func cut(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most]) + "…"
}
