package render

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"utrace/analyze"
)

// TestFlowFields: the titles are those that uftrace 0.13 prints for the same fields, and the values
// are those of the trace.
func TestFlowFields(t *testing.T) {
	path := trace(t, "nesting")
	for fields, want := range map[string]string{
		"time,delta,elapsed,addr": `
#     TIMESTAMP      TIMEDELTA   ELAPSED     ADDRESS     FUNCTION
        0.000000100              0.000 us         1000 | main() {
        0.000000200   0.100 us   0.100 us         1040 |   a() {
        0.000000250   0.050 us   0.150 us         1080 |     b();
        0.000001350   1.100 us   1.250 us         1080 |     b();
        0.002000100   1.998 ms   2.000 ms         1040 |   } /* a */
        3.000200100   2.998  s   3.000  s         1000 | } /* main */
`,
		"task,module": `
#      TASK NAME      MODULE NAME   FUNCTION
            prog             prog | main() {
            prog             prog |   a() {
            prog             prog |     b();
            prog             prog |     b();
            prog             prog |   } /* a */
            prog             prog | } /* main */
`,
		"+time": `
# DURATION     TID        TIMESTAMP       FUNCTION
            [   100]        0.000000100 | main() {
            [   100]        0.000000200 |   a() {
   1.050 us [   100]        0.000000250 |     b();
   1.998 ms [   100]        0.000001350 |     b();
   1.999 ms [   100]        0.002000100 |   } /* a */
   3.000  s [   100]        3.000200100 | } /* main */
`,
		"none": `
main() {
  a() {
    b();
    b();
  } /* a */
} /* main */
`,
	} {
		list, err := ParseFields(fields)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if _, err := Flow(&out, []string{path}, analyze.Options{}, list); err != nil {
			t.Fatal(err)
		}
		if got := "\n" + out.String(); got != want {
			t.Errorf("%s:%s\nwant:%s", fields, got, want)
		}
	}
	for fields, name := range map[string]string{"": `""`, "times": `"times"`, "time,,tid": `""`, "+": `""`, "time,none": `"none"`} {
		want := "there is no field " + name + ": want some of duration,tid,time,delta,elapsed,addr,task,module, or none"
		if _, err := ParseFields(fields); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", fields, err, want)
		}
	}
}

// TestFlowPart: any part of a flow is that part of the whole one, and all lines are counted.
func TestFlowPart(t *testing.T) {
	for _, name := range traces() {
		path := trace(t, name)
		var out strings.Builder
		if _, err := Flow(&out, []string{path}, analyze.Options{}, DefaultFields()); err != nil {
			t.Fatal(err)
		}
		all := strings.SplitAfter(out.String(), "\n")
		all = all[1 : len(all)-1] // without the title, and what is after the last line
		for _, part := range [][2]int{{0, math.MaxInt}, {math.MaxInt, math.MaxInt}, {0, 3}, {2, 5}, {3, 3}, {4, 1000}} {
			var got strings.Builder
			lines, err := FlowPart(t.Context(), &got, path, analyze.Options{}, DefaultFields(), part[0], part[1])
			if err != nil {
				t.Fatal(err)
			}
			from, to := min(part[0], len(all)), min(part[1], len(all))
			if want := strings.Join(all[from:max(from, to)], ""); got.String() != want || lines != to {
				t.Errorf("%s: lines %v of %d: %d lines:\n%s\nwant:\n%s", name, part, len(all), lines, got.String(), want)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := FlowPart(ctx, io.Discard, trace(t, "nesting"), analyze.Options{}, DefaultFields(), 0, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a pass that was cancelled: %v", err)
	}
}
