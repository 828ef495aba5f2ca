package render

// mostValue is how many characters are shown of a value that calls are grouped by.
const mostValue = 100

// cut shortens a text to a number of characters.
func cut(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most]) + "…"
}
