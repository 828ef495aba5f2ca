package render

import (
	"strings"
	"testing"
	"time"

	"utrace/analyze"
)

// TestHist: the lines are those of bcc's print_log2_hist (bcc's table.py) for the same values.
func TestHist(t *testing.T) {
	var row, long, none analyze.Row
	row.Label, long.Label, none.Label = "f", "sleep", "never"
	for ns, n := range map[time.Duration]int{0: 1, 1: 1, 2: 3, 5: 9, 7: 1, 40: 4} {
		for range n {
			row.Durations.Add(ns)
		}
	}
	long.Durations.Add(5 * time.Second)
	var out strings.Builder
	if err := Hist(&out, []analyze.Row{row, none, long}, ""); err != nil {
		t.Fatal(err)
	}
	want := `
Function = f
     nsecs               : count     distribution
         0 -> 1          : 2        |********                                |
         2 -> 3          : 3        |************                            |
         4 -> 7          : 10       |****************************************|
         8 -> 15         : 0        |                                        |
        16 -> 31         : 0        |                                        |
        32 -> 63         : 4        |****************                        |

avg = 11 nsecs, total: 219 nsecs, count: 19

Function = sleep
               nsecs                         : count     distribution
                   0 -> 1                    : 0        |                    |
`
	if got := out.String(); !strings.HasPrefix(got, want) || strings.Contains(got, "never") ||
		!strings.Contains(got, "          4294967296 -> 8589934591           : 1        |********************|\n") {
		t.Errorf("%s", got)
	}
}

// TestHistGroups: titles have the values of grouped distributions, and dropped calls are reported.
func TestHistGroups(t *testing.T) {
	r, err := analyze.Report([]string{trace(t, "values")}, analyze.Options{By: "path"})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := Hist(&out, r.Rows, r.By); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "Function = serve path=\"/index.html\"\n") {
		t.Errorf("%s", out.String())
	}
	out.Reset()
	if err := Hist(&out, report(t, trace(t, "dropped")).Rows, ""); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "count: 2\nof the calls that met their condition; 3 more did not\n") {
		t.Errorf("%s", out.String())
	}
}
