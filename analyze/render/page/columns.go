package page

import (
	"encoding/json"
	"slices"
)

// columns have a list for each key of rows.
type columns map[string][]json.RawMessage

// newColumns turns rows, which encoding/json writes as objects, into columns. A key that a row lacks
// is null.
func newColumns(rows []any) (columns, error) {
	c := columns{}
	for i, row := range rows {
		text, err := json.Marshal(row)
		if err != nil {
			return nil, err
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal(text, &object); err != nil {
			return nil, err
		}
		for key, value := range object {
			if c[key] == nil {
				c[key] = slices.Repeat([]json.RawMessage{json.RawMessage("null")}, len(rows))
			}
			c[key][i] = value
		}
	}
	return c, nil
}
