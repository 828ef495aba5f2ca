package render

import (
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"reflect"
	"strconv"
	"strings"

	"utrace/analyze"
)

// CSV writes the report as comma-separated values (RFC 4180). The columns are the keys of a
// function in JSON. Lists have spaces between their elements. Text that a spreadsheet would take
// for a formula begins with an apostrophe.
func CSV(w io.Writer, r *analyze.Result) error {
	out := csv.NewWriter(w)
	var line []string
	for field := range columnsOf(newJSONFunction(&analyze.Row{}, r)) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		line = append(line, name)
	}
	if err := out.Write(line); err != nil {
		return err
	}
	for i := range r.Rows {
		line = line[:0]
		for _, value := range columnsOf(newJSONFunction(&r.Rows[i], r)) {
			text := fmt.Sprint(value)
			switch value.Kind() {
			case reflect.Slice:
				text = strings.Trim(text, "[]")
			case reflect.Map: // the value that the row is grouped by
				text = r.Rows[i].Value.Text
			}
			line = append(line, noFormula(text))
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// noFormula puts an apostrophe ahead of text that is no number and begins like a formula.
func noFormula(text string) string {
	if text == "" || !strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return text
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return text
	}
	return "'" + text
}

// columnsOf returns the fields of a function, with those of embedded structs.
func columnsOf(fn jsonFunction) iter.Seq2[reflect.StructField, reflect.Value] {
	return func(yield func(reflect.StructField, reflect.Value) bool) {
		for field, value := range reflect.ValueOf(fn).Fields() {
			if !field.Anonymous && !yield(field, value) {
				return
			}
		}
		if fn.jsonWaits == nil {
			return
		}
		for field, value := range reflect.ValueOf(*fn.jsonWaits).Fields() {
			if !yield(field, value) {
				return
			}
		}
	}
}
