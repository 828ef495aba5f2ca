package compare

import (
	"strings"
	"testing"

	"utrace/analyze"
)

func TestConditions(t *testing.T) {
	row := &analyze.Row{}
	changes := []Change{{Function: analyze.Function{Name: "handle_get"}, Old: row, New: row}, {Function: analyze.Function{Name: "std::map::find", Symbol: "_Zfind"}, Old: row, New: row},
		{Function: analyze.Function{Name: "gone"}, Old: row}}
	changes[0].Deltas[P99] = Delta{Old: 1_000_000, New: 2_500_000, Tested: true, Significant: true}
	changes[0].Deltas[Calls] = Delta{Old: 100, New: 50, Tested: true, Significant: true}
	changes[1].Deltas[P99] = Delta{Old: 1_000_000, New: 9_000_000, Tested: true}
	changes[1].Deltas[P50] = Delta{Old: 1000, New: 1300, Shift: 0.2, Tested: true, Significant: true}
	cmp := &Comparison{Changes: changes}
	for text, want := range map[string]string{
		"p99 > +10%":               "handle_get",
		"p99>149.9%":               "handle_get",
		"p99 > 150%":               "",
		"p99 > +1ms":               "handle_get",
		"p99 > +1500us":            "",
		"p99 < +1%":                "",
		"calls < -10%":             "handle_get",
		"calls < -49":              "handle_get",
		"calls < -50":              "",
		"p50 > 8%":                 "std::map::find", // 30% in all, 8.3% beyond the shift
		"p50 > 9%":                 "",
		"p50 > 99ns":               "std::map::find",
		"p50 > 101ns":              "",
		"handle_*: p99 > 10%":      "handle_get",
		"std::map::find: p50 > 1%": "std::map::find",
		"_Z*: p50 > 1%":            "std::map::find",
		"/^h/: p50 > 1%":           "could not: too few calls",
		"max > 1%":                 "could not: at least 3 traces",
		"gone: p99 > 1%":           "could not: no function",
	} {
		c, err := ParseThreshold(text)
		if err != nil {
			t.Error(err)
			continue
		}
		met, err := c.Check(cmp)
		if reason, fails := strings.CutPrefix(want, "could not: "); fails {
			if err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		var names []string
		for _, ch := range met {
			names = append(names, ch.Name)
		}
		if got := strings.Join(names, " "); got != want || err != nil {
			t.Errorf("%s: met by %q, want %q (%v)", text, got, want, err)
		}
	}
	for _, text := range []string{"", "p99", "p99 > ", "p99 = 3%", "p98 > 1%", "p99 > x%", "p99 > NaN%", "p99 > 10", "calls > 1ms", "/(/: p99 > 1%", "total >> 1%"} {
		if c, err := ParseThreshold(text); err == nil {
			t.Errorf("%q: %+v, no error", text, c)
		}
	}
}
