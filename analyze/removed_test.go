package analyze

import (
	"strings"
	"testing"

	"utrace/format"
)

// Adding one more function, and its removal, does not go through all functions before it.
func TestLearnRemoved(t *testing.T) {
	const before, runs = 20_000, 1_000
	all := definitions{}
	for i := range before + 2*runs {
		all.funcs = append(all.funcs, format.Func{Name: "f"})
		all.removed = append(all.removed, format.Removed{Func: format.FuncID(i), TimeNs: 1})
	}
	p := newPairer(&latency{opts: &Options{}})
	n := before
	next := func() {
		n++
		p.learn(&definitions{funcs: all.funcs[:n], removed: all.removed[:n]})
	}
	next()
	if allocs := testing.AllocsPerRun(runs, next); allocs > 10 {
		t.Errorf("%.0f allocations to take in one more function, after %d", allocs, before)
	}
}

// A call without a stack pointer is over once its function was removed. The latest definition
// counts. For a function of an interpreter, the removal of the probe which sees it counts, even if
// the function is defined later.
func TestRemovedEndsCalls(t *testing.T) {
	path := fromText(t, `
module {"path": "/bin/python"}
func {"name": "probe", "module": 0, "addr": 1, "static": "python:function__entry"}
func {"name": "other", "module": 0, "addr": 2}
func {"name": "early", "module": 0, "addr": 0, "static": "python:function__entry"}
process {"pid": 1, "comm": "python"}
thread {"pid": 1, "tid": 1, "comm": "python"}
removed {"func": 1, "time_ns": 1, "hits": 1, "pid": 1, "overhead_percent": 9, "reason": "cost"}
10 0 entry 1
20 0 entry 2
flush
removed {"func": 0, "time_ns": 25, "hits": 1, "pid": 1, "overhead_percent": 9, "reason": "cost"}
removed {"func": 1, "time_ns": 1000, "hits": 1, "pid": 1, "overhead_percent": 9, "reason": "cost"}
func {"name": "late", "module": 0, "addr": 0, "static": "python:function__entry"}
21 0 entry 3
30 0 return 1
`)
	var got []string
	if _, err := Flow(path, Options{}, false, func(s *Step) error {
		kind := "enter"
		if s.Kind == Leave {
			kind = "leave"
		}
		got = append(got, kind+" "+s.Func.Name)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	// At 20, other counts as removed since 1. The later definition, of 1000, comes with the next
	// batch.
	want := "enter other, leave other, enter early, enter late, leave late, leave early"
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}
