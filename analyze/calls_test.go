package analyze

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"utrace/format"
)

// The calls must add up to the report, also for selections.
func TestCallsAddUpToReport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	writeCalls(t, path, 100_000, 5)
	pattern, err := ParsePattern("f1*")
	if err != nil {
		t.Fatal(err)
	}
	for _, opts := range []Options{{}, {Function: pattern, TIDs: []int{1, 3}}} {
		paths := []string{path, path}
		report, err := Report(paths, opts)
		if err != nil {
			t.Fatal(err)
		}
		sums := map[string]*Stats{}
		_, err = EachCall(paths, opts, func(c *Call) error {
			s := sums[c.Function.Name]
			if s == nil {
				s = &Stats{}
				sums[c.Function.Name] = s
			}
			s.Calls++
			s.Recorded++
			s.Total += c.Total
			s.Self += c.Self
			if c.State == Complete {
				s.Durations.Add(c.Duration)
			} else {
				s.Incomplete++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(sums) != len(report.Rows) {
			t.Errorf("%d functions, want %d", len(sums), len(report.Rows))
		}
		for i := range report.Rows {
			row := &report.Rows[i]
			if got := sums[row.Name]; got == nil || !reflect.DeepEqual(*got, row.Stats) {
				t.Errorf("%s: %+v, want %+v", row.Name, got, row.Stats)
			}
		}
	}
	enough := errors.New("enough")
	n := 0
	if _, err := EachCall([]string{path}, Options{}, func(*Call) error { n++; return enough }); err != enough || n != 1 {
		t.Errorf("%v after %d calls", err, n)
	}
}

// FuzzValues: whatever the values of an event, the object is printable JSON with the same values.
func FuzzValues(f *testing.F) {
	f.Add([]byte(`[1,"a\u0000",null,{"text":"x","cut":true}]`), "n", "n")
	f.Add([]byte("[\"\u009b\U000e0001\", 1e400]"), "", "arg1")
	f.Add([]byte("[\"\xff\"]"), "\x1b", "")
	f.Fuzz(func(t *testing.T, raw []byte, one, two string) {
		text := jsonValues([]format.Arg{{Name: one}, {Name: two}}, raw)
		var want []any
		if json.Unmarshal(raw, &want) != nil {
			return
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(text), &got); len(want) > 0 && (err != nil || !isPrintable(text)) {
			t.Fatalf("%q of %q: %v", text, raw, err)
		}
		if len(got) != len(want) {
			t.Fatalf("%d values in %q, want %d", len(got), text, len(want))
		}
		for _, v := range want {
			found := false
			for _, g := range got {
				found = found || reflect.DeepEqual(g, v)
			}
			if !found {
				t.Errorf("%v is not in %q", v, text)
			}
		}
	})
}
