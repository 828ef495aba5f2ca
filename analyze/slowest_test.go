package analyze

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/format"
)

// flowOf returns the calls of a trace, from Flow, with all steps of each.
func flowOf(t *testing.T, path string) (calls [][]Step) {
	t.Helper()
	open := map[format.ThreadID][]*[]Step{}
	_, err := Flow(path, Options{}, false, func(s *Step) error {
		stack := open[s.ThreadID]
		if s.Kind == Enter {
			stack = append(stack, new([]Step))
		}
		for depth, call := range stack {
			step := *s
			step.Depth -= depth
			*call = append(*call, step)
		}
		if s.Kind == Leave {
			if s.State == Complete {
				calls = append(calls, *stack[len(stack)-1])
			}
			stack = stack[:len(stack)-1]
		}
		open[s.ThreadID] = stack
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return calls
}

func stepText(s Step) string {
	return fmt.Sprint(s.Kind, s.State, s.Depth, s.At, s.Duration, s.ThreadID, s.Thread.TID, s.Func.Name, s.Args, s.Results)
}

// Slowest must find the slowest of all calls that Flow shows.
func TestSlowestEqualsFlow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	writeCalls(t, path, 40_000, 4)
	all := flowOf(t, path)
	for _, c := range []struct {
		n        int
		function string
		opts     Options
	}{
		{1, "*", Options{}}, {30, "*", Options{}}, {1 << 20, "*", Options{}}, {25, "f1*", Options{}}, {7, "f2?", Options{TIDs: []int{2}}},
		{9, "*", Options{From: 2 * time.Millisecond, To: 4 * time.Millisecond}},
	} {
		pattern, err := ParsePattern(c.function)
		if err != nil {
			t.Fatal(err)
		}
		c.opts.Function = pattern
		got, err := Slowest([]string{path}, c.n, c.opts)
		if err != nil {
			t.Fatal(err)
		}
		var want [][]Step
		for _, call := range all {
			begin := call[0]
			if pattern.Match(begin.Func.Name) && (c.opts.TIDs == nil || begin.Thread.TID == c.opts.TIDs[0]) && begin.At >= c.opts.From && (c.opts.To == 0 || begin.At < c.opts.To) {
				want = append(want, call)
			}
		}
		duration := func(call []Step) time.Duration { return call[len(call)-1].At - call[0].At }
		slices.SortStableFunc(want, func(a, b []Step) int {
			return cmp.Or(cmp.Compare(duration(b), duration(a)), cmp.Compare(a[0].At, b[0].At), cmp.Compare(a[0].ThreadID, b[0].ThreadID))
		})
		if got.Of != uint64(len(want)) {
			t.Errorf("%d of %s: of %d, want %d", c.n, c.function, got.Of, len(want))
		}
		want = want[:min(c.n, len(want))]
		if len(got.Calls) != len(want) {
			t.Fatalf("%d of %s: %d calls, want %d", c.n, c.function, len(got.Calls), len(want))
		}
		whole := 0
		for i, call := range got.Calls {
			if call.Duration != duration(want[i]) || call.Start != want[i][0].At || call.Thread.TID != want[i][0].Thread.TID || call.Function.Name != want[i][0].Func.Name {
				t.Fatalf("%d of %s: call %d is %+v, want %s", c.n, c.function, i, call, stepText(want[i][0]))
			}
			checkFlow(t, &call, want[i])
			if call.Omitted == 0 {
				whole++
			}
		}
		if c.n > 1000 && (whole == 0 || whole == len(got.Calls)) {
			t.Errorf("%d of %d flows are whole: the trace does not test both", whole, len(got.Calls))
		}
	}
}

// checkFlow compares the flow of a slow call with all its steps. Each step must be one of them,
// those left out must be no longer than those kept, and the numbers must add up.
func checkFlow(t *testing.T, call *SlowCall, all []Step) {
	t.Helper()
	var got, want []string
	for _, s := range call.Flow {
		got = append(got, stepText(s))
	}
	for _, s := range all {
		want = append(want, stepText(s))
	}
	if call.Omitted == 0 {
		if !slices.Equal(got, want) {
			t.Fatalf("flow:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		return
	}
	at, shortest, longest, left := 0, time.Duration(1<<62), time.Duration(0), uint64(0)
	for i, s := range all {
		if at < len(got) && got[at] == want[i] {
			at++
			if s.Kind == Leave {
				shortest = min(shortest, s.Duration)
			}
		} else if s.Kind == Leave {
			left++
			longest = max(longest, s.Duration)
		}
	}
	if at != len(got) || longest > shortest || left != call.Omitted || longest != call.OmittedMax || len(got) != 2*(maxBelow+1) {
		t.Fatalf("%d of %d steps are in the flow; the longest left out took %v of %v, shortest kept %v, %d left out of %d", at, len(got), longest, call.OmittedMax, shortest, left, call.Omitted)
	}
}

// A trace with values, a point, an unwound call, and two calls that differ in their order only.
const slowTrace = `
module {"path": "/bin/prog"}
func {"name": "serve", "module": 0, "addr": 1, "args": [{"name": "path", "type": "str"}, {"name": "n", "type": "u32"}], "results": [{"name": "ret", "type": "s32"}]}
func {"name": "step", "module": 0, "addr": 2, "args": [{"name": "p", "type": "ptr"}]}
func {"name": "point", "module": 0, "addr": 3, "hit": true, "args": [{"name": "x", "type": "x32"}]}
process {"pid": 7, "comm": "prog"}
thread {"pid": 7, "tid": 8, "comm": "worker"}
1000 0 entry 0 sp=0x1000 args=["/a\u001b[31m", 1]
1500 0 return 0 sp=0x1000 args=[0]
2000 0 entry 0 sp=0x1000 args=[null, 2]
2100 0 entry 1 sp=0xf00 args=[0]
2200 0 hit 2 args=[255]
2300 0 entry 1 sp=0xf00 args=[null]
2600 0 return 1 sp=0xf00
3000 0 return 0 sp=0x1000 args=[-5]
4000 0 entry 0 sp=0x1000 args=[{"text": "/long", "cut": true}, 3]
4000 0 return 0 sp=0x1000 args=[3]
4000 0 entry 0 sp=0x1000 args=[{"bytes": "/w=="}, 4]
4000 0 return 0 sp=0x1000 args=[4]
end {}`

func TestSlowestValues(t *testing.T) {
	s, err := Slowest([]string{fromText(t, slowTrace)}, 10, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range s.Calls {
		got = append(got, fmt.Sprintf("%v %s(%s) = %s, %s %d %d %s", c.Duration, c.Function.Name, c.Args, c.Results, c.Process, c.Thread.PID, c.Thread.TID, c.Thread.Comm))
	}
	want := []string{
		"1µs serve(?, 2) = -5, prog 7 8 worker", `500ns serve("/a\x1b[31m", 1) = 0, prog 7 8 worker`, "300ns step(?) = , prog 7 8 worker",
		`0s serve("/long"..., 3) = 3, prog 7 8 worker`, `0s serve("\xff", 4) = 4, prog 7 8 worker`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("calls:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	got = nil
	for _, st := range s.Calls[0].Flow {
		got = append(got, fmt.Sprint(st.Depth, " ", st.Kind, " ", st.State, " ", st.Func.Name, "(", st.Args, ") ", st.Results))
	}
	want = []string{"0 0 0 serve(?, 2) ", "1 0 0 step(0x0) ", "2 2 0 point(0xff) ", "1 1 1 step() ", "1 0 0 step(?) ", "1 1 0 step() ", "0 1 0 serve() -5"}
	if !slices.Equal(got, want) {
		t.Errorf("flow:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The slowest calls of several traces are those of all traces. Calls that are too deep to be paired
// do no harm.
func TestSlowestOfSeveral(t *testing.T) {
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	writeCalls(t, a, 5_000, 2)
	writeCalls(t, b, 9_000, 1)
	both, err := Slowest([]string{a, b}, 12, Options{})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]int{}
	for i, c := range both.Calls {
		files[c.File]++
		if i > 0 && c.Duration > both.Calls[i-1].Duration {
			t.Errorf("call %d is slower than the one before", i)
		}
	}
	for path, n := range files {
		one, err := Slowest([]string{path}, n, Options{})
		if err != nil {
			t.Fatal(err)
		}
		k := 0
		for _, c := range both.Calls {
			if c.File != path {
				continue
			}
			if c.Start != one.Calls[k].Start || len(c.Flow) != len(one.Calls[k].Flow) {
				t.Errorf("call %d of %s: %v, want %v", k, path, c.Start, one.Calls[k].Start)
			}
			k++
		}
	}
	if len(files) != 2 {
		t.Errorf("calls of %d files", len(files))
	}
}
