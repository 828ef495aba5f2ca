package render

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"utrace/analyze"
)

// TestCSV: header and fields are the keys and values of JSON.
func TestCSV(t *testing.T) {
	for _, name := range traces() {
		r := report(t, trace(t, name))
		var text, object bytes.Buffer
		if err := CSV(&text, r); err != nil {
			t.Fatal(err)
		}
		if err := JSON(&object, r, Words{}); err != nil {
			t.Fatal(err)
		}
		var want struct{ Functions []map[string]any }
		dec := json.NewDecoder(&object)
		dec.UseNumber()
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(&text).ReadAll()
		if err != nil || len(lines) != len(want.Functions)+1 {
			t.Fatalf("%s: %d lines: %v", name, len(lines), err)
		}
		for i, f := range want.Functions {
			if _, ok := f["by"]; !ok {
				f["by"] = "" // a column in every line, but a key only if the report is grouped
			}
			if len(lines[0]) != len(f) {
				t.Errorf("%d columns, %d keys", len(lines[0]), len(f))
			}
			for c, key := range lines[0] {
				value := fmt.Sprint(f[key])
				if _, ok := f[key].([]any); ok {
					value = strings.Trim(value, "[]")
				}
				if lines[i+1][c] != value {
					t.Errorf("%s: %s of function %d is %q, want %q", name, key, i, lines[i+1][c], value)
				}
			}
		}
	}
}

// TestCSVFormulas: a spreadsheet executes no name. Numbers stay numbers.
func TestCSVFormulas(t *testing.T) {
	for text, want := range map[string]string{
		`=HYPERLINK("http://x")`: `'=HYPERLINK("http://x")`, "+cmd": "'+cmd", "-[NSView draw]": "'-[NSView draw]", "@SUM(1)": "'@SUM(1)",
		"\tx": "'\tx", "\rx": "'\rx", "-5": "-5", "+1.5e3": "+1.5e3", "a=b": "a=b", "": "", "'x": "'x", "-": "'-", "-1+cmd|' /C calc'!A0": "'-1+cmd|' /C calc'!A0",
	} {
		r := &analyze.Result{Rows: []analyze.Row{{Function: analyze.Function{Name: text}}}}
		var out bytes.Buffer
		if err := CSV(&out, r); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(&out).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if column := slices.Index(lines[0], "name"); lines[1][column] != want {
			t.Errorf("%q becomes %q, want %q", text, lines[1][column], want)
		}
	}
}
