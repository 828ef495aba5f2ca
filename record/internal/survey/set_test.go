//go:build linux

package survey

import (
	"slices"
	"testing"

	"utrace/format"
	"utrace/record/plan"
)

// TestSet: a set has functions of its module, and is defined once.
func TestSet(t *testing.T) {
	m := Module{Module: &plan.Module{Funcs: make([]plan.Func, 4)}, First: 10}
	s := newSet(m, []int{3, 1})
	if s.Has(0) || !s.Has(1) || s.Has(2) || !s.Has(3) {
		t.Errorf("wrong functions: %v", s.fns)
	}
	if list := s.Funcs(); !slices.Equal(list, []format.FuncID{11, 13}) {
		t.Errorf("in records: %v, want 11 and 13", list)
	}
	defined := 0
	for range 2 {
		id := s.Define(func(*Set) format.SetID { defined++; return 0 })
		if id != 0 || defined != 1 {
			t.Errorf("number %d, defined %d times; want 0, once", id, defined)
		}
	}
}
