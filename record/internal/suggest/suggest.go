package suggest

import (
	"fmt"
)

// Nearest suggests the name that is closest to a wrong one, as the end of a message: " (did you
// mean NAME?)". It returns "" if none is close.
func Nearest(wrong string, names []string) string {
	best, limit := "", 1+len(wrong)/2
	for _, name := range names {
		if len(name) > maxNameSize {
			continue
		}
		if d := editDistance(wrong, name); d < limit {
			best, limit = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// editDistance counts the letters to insert, delete or exchange (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// maxNameSize is the length of the longest name that is suggested, in bytes.
const maxNameSize = 256
