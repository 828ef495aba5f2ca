package analyze

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"utrace/format"
)

// The number of definitions has a limit, however small they or the objects in them are: for every
// table.
func TestTooManyDefinitions(t *testing.T) {
	tables := reflect.TypeFor[format.Tables]()
	for i := range tables.NumField() {
		field := tables.Field(i)
		if field.Type.Kind() != reflect.Slice {
			continue
		}
		s := &source{running: map[int]int{}}
		list := reflect.MakeSlice(field.Type, maxDefinitions, maxDefinitions)
		reflect.ValueOf(&s.tables).Elem().Field(i).Set(list)
		if s.define(format.Definition{Kind: format.KindProcess, Info: []byte("{}")}) == nil {
			t.Errorf("%s: more than %d are read", field.Name, maxDefinitions)
		}
	}
	s := &source{}
	sites := `{"sites":[` + strings.Repeat("{},", maxObjects) + "{}]}"
	if err := s.define(format.Definition{Kind: format.KindCalibration, Info: []byte(sites)}); err == nil || len(s.tables.Calibrations) > 0 {
		t.Errorf("a calibration of %d sites is kept: %v", maxObjects, err)
	}
}

// The work for each function and each event has limits: reading ends where a trace exceeds one.
func TestTooLongDefinitions(t *testing.T) {
	list := func(n int, item string) string {
		return "[" + strings.Repeat(item+",", n-1) + item + "]"
	}
	module := func(segments int) string {
		return `module {"path": "/bin/a", "segments": ` + list(segments, "{}") + "}\n"
	}
	values := func(n int, name string) string {
		return `func {"name": "f", "module": 0, "args": ` + list(n, `{"name": "`+name+`"}`) + "}\n"
	}
	for _, c := range []struct {
		name, text string
		most       bool // is still read
	}{
		{"segments", module(maxSegments), true}, {"segments", module(maxSegments + 1), false},
		{"values", module(1) + values(maxArgs, "a"), true}, {"values", module(1) + values(maxArgs+1, "a"), false},
		{"results", module(1) + strings.Replace(values(maxArgs+1, "a"), "args", "results", 1), false},
		{"names", module(1) + values(2, strings.Repeat("n", maxArgNames/2)), true}, {"names", module(1) + values(1, strings.Repeat("n", maxArgNames+1)), false},
	} {
		_, err := Report([]string{fromText(t, c.text+"end {}")}, Options{})
		if err != nil && !errors.Is(err, ErrUnreadable) {
			t.Fatal(err)
		}
		if (err == nil) != c.most {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A name or a path is cut, between characters, before it is repeated in every line of a tree.
func TestLongNames(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("é", maxName/2):   strings.Repeat("é", maxName/2),
		strings.Repeat("é", maxName/2+1): strings.Repeat("é", maxName/2-2) + "…",
	} {
		r, err := Report([]string{fromText(t, `module {"path": "`+text+`"}
func {"name": "`+text+`", "module": 0, "file": "`+text+`"}
thread {"pid": 7, "tid": 7}
1 0 entry 0 sp=0x1000
1 0 return 0 sp=0x1000
end {}`)}, Options{})
		if err != nil || len(r.Rows) != 1 {
			t.Fatal(err, r.Warnings)
		}
		if f := r.Rows[0].Function; f.Name != want || f.Module != want || f.File != want {
			t.Errorf("%d bytes become %d, %d and %d, want %d", len(text), len(f.Name), len(f.Module), len(f.File), len(want))
		}
	}
}
