package analyze

import (
	"reflect"
	"strings"
	"testing"

	"utrace/format"
)

// However small definitions, or the objects in them, are, only so many are kept: of every table there is.
func TestTooManyDefinitions(t *testing.T) {
	tables := reflect.TypeFor[format.Tables]()
	for i := range tables.NumField() {
		field := tables.Field(i)
		if field.Type.Kind() != reflect.Slice {
			continue
		}
		s := &source{comms: map[int]string{}}
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
