package render

import (
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
