package analyze

import (
	"slices"
	"testing"

	"utrace/format"
)

// TestPatternOfProbes: a static probe, and the span that it begins, match by the name of the probe
// as typed. Functions that a probe only names do not.
func TestPatternOfProbes(t *testing.T) {
	funcs := []format.Func{
		{Name: "order", Symbol: "shop:order__start", USDT: "shop:order__start", Addr: 1},
		{Name: "hit", Symbol: "a:hit", USDT: "a:hit", Addr: 2},
		{Name: "run", USDT: "python:function__entry"},
		{Name: "order", Symbol: "_Z5orderv", Addr: 3},
	}
	for text, want := range map[string][]int{
		"order":             {0, 3},
		"order__start":      {0},
		"shop:order__start": {0},
		"shop:*":            {0},
		"order__*":          {0},
		"hit":               {1},
		"*:hit":             {1},
		"function__entry":   nil,
		"/entry/":           nil,
		"_Z5orderv":         {3},
	} {
		p, err := ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		var got, other []int
		for i := range funcs {
			if p.function(&funcs[i]) {
				got = append(got, i)
			}
			if p.MatchFunction(&Function{Name: funcs[i].Name, Symbol: funcs[i].Symbol, USDT: funcs[i].USDT, Addr: funcs[i].Addr}) {
				other = append(other, i)
			}
		}
		if !slices.Equal(got, want) || !slices.Equal(other, want) {
			t.Errorf("%s: functions %v and %v, want %v", text, got, other, want)
		}
	}
}
