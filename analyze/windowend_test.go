package analyze

import (
	"fmt"
	"strings"
	"testing"
)

// A call is over once the windows of its function end, unless another is open inside it: with a
// stack pointer or without, across windows without a break, and at the end of the trace. Returns of
// calls from before a window are no unmatched ones.
func TestWindowsEndCalls(t *testing.T) {
	path := fromWholeText(t, `
meta {"max_overhead_percent": 5}
module {"path": "/bin/app"}
func {"name": "outer", "module": 0, "addr": 1}
func {"name": "inner", "module": 0, "addr": 2}
func {"name": "span", "module": 0, "addr": 3, "static": "p:x"}
thread {"pid": 1, "tid": 1}
thread {"pid": 1, "tid": 2}
probe-set {"funcs": [0, 2]}
probe-set {"funcs": [1]}
survey {"module": 0, "funcs": 3}
10 0 entry 0 sp=0x7000
10 1 entry 2
20 0 entry 1 sp=0x6000
40 0 return 1 sp=0x6000
45 0 entry 1 sp=0x6000
55 1 entry 1
60 0 return 1 sp=0x6000
70 0 return 0 sp=0x7000
71 0 entry 0 sp=0x7000
72 0 entry 1 sp=0x6000
flush
window {"set": 0, "from_ns": 5, "to_ns": 20, "off_ns": 30}
window {"set": 0, "from_ns": 30, "to_ns": 40, "off_ns": 50}
window {"set": 0, "from_ns": 65, "to_ns": 80, "off_ns": 80}
window {"set": 1, "from_ns": 5, "to_ns": 90, "off_ns": 90}
end {"stop": {"mono_ns": 1000}}
`)
	var got []string
	if _, err := Flow(path, Options{}, false, func(s *Step) error {
		if s.Kind == Enter {
			got = append(got, fmt.Sprintf("%d+%s", s.Thread.TID, s.Func.Name))
		} else {
			got = append(got, fmt.Sprintf("%d-%s:%d", s.Thread.TID, s.Func.Name, s.State))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("1+outer 2+span 1+inner 1-inner:0 1+inner 2-span:%[1]d 2+inner 1-inner:0 1-outer:%[1]d 1+outer 1+inner 1-inner:%[1]d 1-outer:%[1]d 2-inner:%[1]d", Cut)
	if text := strings.Join(got, " "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	r, err := Report([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	outer := rowOf(t, r, "outer")
	if outer.Censored.Count() != 2 || outer.Censored.Min() != 9 || outer.Censored.Max() != 40 || outer.Durations.Count() != 0 {
		t.Errorf("outer: %d cut, %d to %d ns", outer.Censored.Count(), outer.Censored.Min(), outer.Censored.Max())
	}
	if r.Trace.UnmatchedReturns != 0 {
		t.Errorf("%d unmatched returns", r.Trace.UnmatchedReturns)
	}
}
