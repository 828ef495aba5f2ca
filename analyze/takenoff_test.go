package analyze

import (
	"strings"
	"testing"

	"utrace/format"
)

// Learning of one more function, and that it was taken off, does not go through all that were before.
func TestLearnTakenOff(t *testing.T) {
	const before, runs = 20_000, 1_000
	k := known{}
	for i := range before + 2*runs {
		k.funcs = append(k.funcs, format.Func{Name: "f"})
		k.off = append(k.off, format.TakenOff{Func: format.FuncID(i), TimeNs: 1})
	}
	p := newPairer(&latency{opts: &Options{}})
	n := before
	next := func() {
		n++
		p.learn(&known{funcs: k.funcs[:n], off: k.off[:n]})
	}
	next()
	if allocs := testing.AllocsPerRun(runs, next); allocs > 10 {
		t.Errorf("%.0f allocations to learn of one more function, with %d known", allocs, before)
	}
}

// A call without a stack pointer is over once its function was taken off: by the latest definition, and by that of the probe
// which a function of an interpreter is seen by, whenever that function is defined.
func TestTakenOffEndsCalls(t *testing.T) {
	path := fromText(t, `
module {"path": "/bin/python"}
func {"name": "probe", "module": 0, "addr": 1, "static": "python:function__entry"}
func {"name": "other", "module": 0, "addr": 2}
func {"name": "early", "module": 0, "addr": 0, "static": "python:function__entry"}
process {"pid": 1, "comm": "python"}
thread {"pid": 1, "tid": 1, "comm": "python"}
taken-off {"func": 1, "time_ns": 1, "hits": 1, "pid": 1, "overhead_percent": 9, "reason": "cost"}
10 0 entry 1
20 0 entry 2
flush
taken-off {"func": 0, "time_ns": 25, "hits": 1, "pid": 1, "overhead_percent": 9, "reason": "cost"}
taken-off {"func": 1, "time_ns": 1000, "hits": 1, "pid": 1, "overhead_percent": 9, "reason": "cost"}
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
	// At 20 the definition of other has it off since 1; the later one, of 1000, comes with the next batch.
	want := "enter other, leave other, enter early, enter late, leave late, leave early"
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}
