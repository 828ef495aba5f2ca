package calls

import (
	"testing"

	"utrace/format"
)

// TestFailed: recorded results say which calls have failed, as in an analysis.
func TestFailed(t *testing.T) {
	for _, c := range []struct {
		types   []string
		results string
		want    bool
	}{
		{[]string{"s32"}, "[-1]", true},
		{[]string{"s32"}, "[1]", false},
		{[]string{"u32"}, "[4294967295]", false},
		{[]string{"ptr"}, "[0]", true},
		{[]string{"ptr"}, "[4096]", false},
		{[]string{"s64"}, "[null]", false},
		{[]string{"s64"}, "", false},
		{[]string{"enum EAI"}, `["EAI_NONAME"]`, true},
		{[]string{"enum EAI"}, "[0]", false},
		{[]string{"u64", "errno"}, `[3,"ENOENT"]`, true},
		{[]string{"u64", "errno"}, "[3,0]", false},
		{[]string{"str"}, `["x"]`, false},
		{nil, "", false},
	} {
		var fn format.Func
		for _, typ := range c.types {
			fn.Results = append(fn.Results, format.Arg{Name: "ret", Type: typ})
		}
		if got := Failed(&fn, c.results); got != c.want {
			t.Errorf("%v of %v: %v", c.results, c.types, got)
		}
	}
}
