package terminal

import "slices"

// MinName is the room that names keep while columns can be left out instead.
const MinName = 32

// Column is a column of a table that may be left out.
type Column struct {
	Width int // with the space around it
	Rank  int // the higher, the earlier it is left out
}

// Fit returns which columns have room together. It leaves out those of the highest rank first, and
// of equals the last, but always keeps one.
func Fit(columns []Column, room int) (keep []bool) {
	order := make([]int, len(columns))
	keep = make([]bool, len(columns))
	sum := 0
	for i, c := range columns {
		order[i], keep[i] = i, true
		sum += c.Width
	}
	slices.SortStableFunc(order, func(a, b int) int { return columns[a].Rank - columns[b].Rank })
	for at, i := range slices.Backward(order) {
		if sum <= room || at == 0 {
			break
		}
		keep[i] = false
		sum -= columns[i].Width
	}
	return keep
}
