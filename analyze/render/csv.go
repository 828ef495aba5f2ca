package render

import (
	"encoding/csv"
	"fmt"
	"io"
	"reflect"
	"strings"

	"utrace/analyze"
)

// CSV writes the report as comma-separated values (RFC 4180). The columns are the keys that the functions have
// in JSON; lists have spaces between their elements.
func CSV(w io.Writer, r *analyze.Result) error {
	out := csv.NewWriter(w)
	var line []string
	for field := range reflect.TypeFor[jsonFunction]().Fields() {
		line = append(line, field.Tag.Get("json"))
	}
	if err := out.Write(line); err != nil {
		return err
	}
	for i := range r.Rows {
		line = line[:0]
		for _, value := range reflect.ValueOf(newJSONFunction(&r.Rows[i])).Fields() {
			text := fmt.Sprint(value)
			if value.Kind() == reflect.Slice {
				text = strings.Trim(text, "[]")
			}
			line = append(line, text)
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
