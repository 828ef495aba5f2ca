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
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		line = append(line, name)
	}
	if err := out.Write(line); err != nil {
		return err
	}
	for i := range r.Rows {
		line = line[:0]
		for _, value := range reflect.ValueOf(newJSONFunction(&r.Rows[i], r.By)).Fields() {
			text := fmt.Sprint(value)
			switch value.Kind() {
			case reflect.Slice:
				text = strings.Trim(text, "[]")
			case reflect.Map: // what the report is grouped by
				text = r.Rows[i].Value.Text
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
