//go:build linux

package calls

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/test/harness"
)

// These tests work out from what the program does which calls meet a condition.

// handled is a call of handle in testdata/targets/conditions.c.
type handled struct {
	name string
	n    int
	c    string
}

func (h handled) ret() int { return h.n%10 - 3 }

func (h handled) String() string {
	return fmt.Sprintf("handle(%q, %d, %s) = %d;", h.name, h.n, h.c, h.ret())
}

// handledCalls returns the first n calls of handle, in order.
func handledCalls(n int) (list []handled) {
	for i := range n {
		list = append(list, handled{[]string{"RED", "GREEN", "BLUE", "", "REDDISH"}[i%5], i, []string{"RED", "GREEN", "BLUE"}[i%3]})
	}
	return list
}

// TestConditions: the trace has exactly the calls that meet the condition.
func TestConditions(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "conditions.c", "-O2")
	for text, want := range map[string]func(h handled) bool{
		"n == 3":                                       func(h handled) bool { return h.n == 3 },
		"n != 3 && n < 7":                              func(h handled) bool { return h.n != 3 && h.n < 7 },
		"arg2 >= 290 || !arg2":                         func(h handled) bool { return h.n >= 290 || h.n == 0 },
		`name == "RED"`:                                func(h handled) bool { return h.name == "RED" },
		`name != "RED" && n <= 20`:                     func(h handled) bool { return h.name != "RED" && h.n <= 20 },
		`name =~ "RED*" || name == ""`:                 func(h handled) bool { return strings.HasPrefix(h.name, "RED") || h.name == "" },
		`name =~ "*D?*H"`:                              func(h handled) bool { return h.name == "REDDISH" },
		`c == "GREEN" && n < 30`:                       func(h handled) bool { return h.c == "GREEN" && h.n < 30 },
		`c != "GREEN" && n < 30`:                       func(h handled) bool { return h.c != "GREEN" && h.n < 30 },
		"ret < 0 && n > 250":                           func(h handled) bool { return h.ret() < 0 && h.n > 250 },
		"ret == 6 || n == 1":                           func(h handled) bool { return h.ret() == 6 || h.n == 1 },
		"!(ret < 5 || n >= 100)":                       func(h handled) bool { return h.ret() >= 5 && h.n < 100 },
		"duration > 1ns && n == 4":                     func(h handled) bool { return h.n == 4 },
		"duration > 100s":                              func(h handled) bool { return false },
		`duration < 100s && ret == -3 && name == ""`:   func(h handled) bool { return h.ret() == -3 && h.name == "" },
		`comm == "conditions" && n == 5`:               func(h handled) bool { return h.n == 5 },
		`comm =~ "cond*" && !(n > 5)`:                  func(h handled) bool { return h.n <= 5 },
		"pid == 1 || n == 7":                           func(h handled) bool { return h.n == 7 },
		"tid != 1 && n == 8":                           func(h handled) bool { return h.n == 8 },
		`n < 6 && c != "RED" && duration > 1ns && ret`: func(h handled) bool { return h.n < 6 && h.c != "RED" && h.ret() != 0 },
		"n==0||n==2||n==4||n==6||n==8||n==10||n==12||n==14||n==16||n==18||n==20||n==22||n==24||n==26||n==28||n==30": func(h handled) bool { return h.n%2 == 0 && h.n <= 30 },
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			got, trace, _ := harness.RecordFlow(t, []string{"-e", "handle(name, n, c) -> s32 if " + text}, program, "calls", "300")
			var expected []string
			for _, h := range handledCalls(300) {
				if want(h) {
					expected = append(expected, h.String())
				}
			}
			harness.WantLines(t, got, expected)
			if r := harness.Analyze(t, trace); r.Trace.Events != 2*uint64(len(expected)) || r.Trace.Lost != 0 || len(r.Incomplete()) != 0 {
				t.Errorf("%d events of %d calls, %d lost, incomplete %v", r.Trace.Events, len(expected), r.Trace.Lost, r.Incomplete())
			}
		})
	}
	// The summary says why no call was kept.
	for probe, want := range map[string]string{
		"handle if ret == 12345": "none of the 10 calls met its condition",
		"handle if n == 12345":   "no call met its condition",
		"main(...) -> ...":       "recorded 2 events (1 call)",
		"nobody_calls":           "no such function",
	} {
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		if _, stderr, _ := harness.Utrace(t, "record", "-o", trace, "-e", probe, "--", program, "calls", "10"); !strings.Contains(stderr, want) {
			t.Errorf("%s: want %q in\n%s", probe, want, stderr)
		}
	}
	if _, stderr, status := harness.Utrace(t, "plan", "-e", `handle if n == "5"`, program); status == 0 || !strings.Contains(stderr, "n is a number (s32), not a text") {
		t.Errorf("a number that is compared with a text: status %d\n%s", status, stderr)
	}
	_, stderr, status := harness.Utrace(t, "plan", "-e", "handle if "+strings.Repeat("n == 1 || ", 16)+"n == 2", program)
	if status == 0 || !strings.Contains(stderr, "17 comparisons: at most 16 are possible") {
		t.Errorf("17 comparisons: status %d\n%s", status, stderr)
	}
}

// TestFewOfMany keeps one call in a thousand. Of the others, the file has only how many hits they
// made.
func TestFewOfMany(t *testing.T) {
	harness.NeedKernel(t)
	const all = 100_000
	program := harness.Target(t, "conditions.c", "-O2")
	for _, c := range []struct {
		cond  string
		keep  func(h handled) bool
		calls uint64 // known to the trace; the arguments of the others do not meet the condition
	}{
		{"n >= 70000 && n < 70100", func(h handled) bool { return h.n >= 70000 && h.n < 70100 }, 100},
		{"n < 1000 && ret == 5", func(h handled) bool { return h.n < 1000 && h.ret() == 5 }, 1000},
		{"duration > 100s || n >= 99900 && duration > 1ns", func(h handled) bool { return h.n >= 99900 }, all},
	} {
		t.Run(c.cond, func(t *testing.T) {
			returns := all - c.calls
			if !strings.Contains(c.cond, "ret") && bpf.Sessions.Probe() == nil { // no trap at the return
				returns = 0
			}
			got, trace, _ := harness.RecordFlow(t, []string{"--max-overhead=none", "-e", "handle(name, n, c) -> s32 if " + c.cond}, program, "calls", fmt.Sprint(all))
			var want []string
			for _, h := range handledCalls(all) {
				if c.keep(h) {
					want = append(want, h.String())
				}
			}
			harness.WantLines(t, got, want)
			r := harness.Analyze(t, trace)
			if r.Trace.Events != 200 || r.Trace.Lost != 0 || r.Calls()["handle"] != c.calls || len(r.Incomplete()) != 0 {
				t.Errorf("%+v", r)
			}
			if info, err := os.Stat(trace); err != nil || info.Size() > 64<<10 {
				t.Errorf("%v bytes, %v", info.Size(), err)
			}
			var unmet format.FuncLoss
			tables, _ := harness.Tables(t, trace)
			for _, u := range tables.End.Unmet {
				unmet = u
			}
			if unmet.Entries != all-c.calls || unmet.Returns != returns {
				t.Errorf("%+v did not meet the condition, want %d, and %d returns", tables.End.Unmet, all-c.calls, returns)
			}
		})
	}
}

// TestConditionsPair: kept calls end at their own returns, in recursions, after longjmp, and where
// functions end in a jump.
func TestConditionsPair(t *testing.T) {
	harness.NeedKernel(t)
	var deep []string // what is around the one that returns 15
	for n := 20; n > 15; n-- {
		deep = append(deep, fmt.Sprintf("%srecurse(%d) {", strings.Repeat("  ", 20-n), n))
	}
	deep = append(deep, strings.Repeat("  ", 5)+"recurse(15) = 15;")
	for n := 16; n <= 20; n++ {
		deep = append(deep, strings.Repeat("  ", 20-n)+"} /* recurse: dropped */")
	}
	for _, c := range []struct {
		opt, how string
		probes   []string
		want     []string
	}{
		{"-O1", "recurse", []string{"recurse(n) if n == 7"}, []string{"recurse(7);", "recurse(7);"}},
		{"-O1", "recurse", []string{"recurse(n) -> s32 if n == 0 || n == 20"}, slices.Repeat([]string{"recurse(20) {", "  recurse(0) = 0;", "} = 20 /* recurse */"}, 2)},
		{"-O1", "recurse", []string{"recurse(n) -> s32 if ret == 15"}, slices.Repeat(deep, 2)},
		{"-O1", "throw", []string{"catches(n) -> ...", "thrown(n, depth) -> ... if depth == 1 || depth == 3"}, []string{
			"catches(0) {", "  thrown(0, 3) {", "    thrown(0, 1) = 1;", "  } = 3 /* thrown */", "} = 3 /* catches */",
			"catches(1) {", "  thrown(1, 3) {", "    thrown(1, 1) {", "    } /* thrown: unwound */", "  } /* thrown: unwound */", "} = -1 /* catches */"}},
		{"-O1", "throw", []string{"catches(n) -> ...", "thrown(n, depth) -> ... if ret == 1"}, []string{
			"catches(0) {", "  thrown(0, 3) {", "    thrown(0, 2) {", "      thrown(0, 1) = 1;", "    } /* thrown: dropped */", "  } /* thrown: dropped */", "} = 3 /* catches */",
			"catches(1) = -1;"}},
		{"-O1", "throw", []string{"thrown(n, depth) -> ... if ret >= 3"}, []string{"thrown(0, 3) = 3;"}}, // the last ones have returned nothing
		{"-O1", "throw", []string{"catches -> ... if ret < 0"}, []string{"catches() = -1;"}},
		{"-O2", "tail", []string{"tail_*(n) -> ... if n == 2"}, []string{"tail_end(2) = 4;", "tail_middle(2) = 6;"}},
		{"-O2", "tail", []string{"tail_*(n) -> s32 if ret == 6"}, []string{"tail_start(1) {", "  tail_middle(2) {", "    tail_end(3) = 6;", "  } = 6 /* tail_middle */", "} = 6 /* tail_start */"}},
		{"-O1", "nested", []string{"outer(n) -> s32 if n == 1", "inner(n) -> s32"}, []string{"inner(0) = 0;", "inner(1) = 1;", "outer(1) {", "  inner(1) = 1;", "  inner(2) = 2;", "} = 3 /* outer */"}},
		{"-O1", "nested", []string{"outer(n) -> s32 if ret == 1", "inner(n) -> s32 if ret == 2"}, []string{
			"outer(0) = 1;", "outer(1) {", "  inner(2) = 2;", "} /* outer: dropped */"}},
	} {
		t.Run(c.how+" "+strings.Join(c.probes, " "), func(t *testing.T) {
			t.Parallel()
			got, _, _ := harness.RecordFlow(t, probeFlags(c.probes...), harness.Target(t, "conditions.c", c.opt), c.how, "2")
			harness.WantLines(t, got, c.want)
		})
	}
}

// TestConditionsDeep: the trace has the calls around a kept call, and ends the calls that a jump
// has left, however deep they are.
func TestConditionsDeep(t *testing.T) {
	harness.NeedKernel(t)
	const depth = 3000
	program := harness.GoTarget(t, "deep")
	const climb, bottom, fall = "main.climb", "main.bottom", "main.fall"
	type counts map[string]uint64
	for _, c := range []struct {
		how                        string
		probes                     []string
		calls, dropped, incomplete counts
	}{
		{"climb", []string{"main.climb -> ... if ret >= 0", "main.bottom"}, counts{climb: depth + 1, bottom: 1}, counts{}, counts{}},
		{"climb", []string{"main.climb -> ... if ret == 0"}, counts{climb: depth + 1}, counts{climb: depth}, counts{}},
		{"fall", []string{"main.fall -> ... if ret == 1", "main.climb -> ... if ret == 1"}, counts{fall: 1, climb: depth + 1}, counts{}, counts{climb: depth + 1}},
	} {
		_, trace, _ := harness.RecordFlow(t, append([]string{"--max-overhead=none"}, probeFlags(c.probes...)...), program, c.how, fmt.Sprint(depth))
		r := harness.Analyze(t, trace)
		dropped := counts{}
		for _, f := range r.Functions {
			if f.Dropped > 0 {
				dropped[f.Name] = f.Dropped
			}
		}
		if !maps.Equal(r.Calls(), c.calls) || !maps.Equal(dropped, c.dropped) || !maps.Equal(r.Incomplete(), c.incomplete) || r.Trace.Lost != 0 {
			t.Errorf("%v: calls %v, dropped %v, incomplete %v, lost %d", c.probes, r.Calls(), dropped, r.Incomplete(), r.Trace.Lost)
		}
	}
}

// TestConditionsInThreads: conditions hold in each of several threads.
func TestConditionsInThreads(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "conditions.c", "-O1")
	for _, cond := range []string{"n == 1003 || n == 3499 || n == 0", "(n == 1003 || n == 3499 || n == 0) && duration > 1ns"} {
		got, trace, _ := harness.RecordFlow(t, []string{"-e", "handle(name, n) -> s32 if " + cond, "-e", "recurse(n) -> s32 if ret == 4"}, program, "threads")
		var handles []string
		for _, line := range got {
			if strings.HasPrefix(line, "handle") {
				handles = append(handles, line)
			}
		}
		slices.Sort(handles)
		harness.WantLines(t, handles, []string{`handle("", 3499) = 6;`, `handle("GREEN", 1003) = 0;`, `handle("RED", 0) = -3;`})
		if n := len(got) - 3; n != 400 || strings.Count(strings.Join(got, "\n"), "recurse(4) = 4;") != 400 {
			t.Errorf("%d calls of recurse, want 400", n)
		}
		if r := harness.Analyze(t, trace); r.Trace.Lost != 0 || len(r.Incomplete()) != 0 || r.Calls()["recurse"] != 4*(100*(1+2+3+4+5)) {
			t.Errorf("calls %v, incomplete %v", r.Calls(), r.Incomplete())
		}
	}
}

// TestConditionsOnMovingStack: a goroutine's stack moves between the entry of a call and its
// return.
func TestConditionsOnMovingStack(t *testing.T) {
	harness.NeedKernel(t)
	program := buildArguments(t, "go", "go", "build")
	got, _, _ := harness.RecordFlow(t, []string{"-e", "main.moves(depth, s) -> ... if depth == 1500 || depth == 100"}, program)
	harness.WantLines(t, got, []string{`main.moves(1500, "moved") {`, `  main.moves(100, "moved") = 101;`, "} = 1501 /* main.moves */"})
	got, trace, _ := harness.RecordFlow(t, []string{"-e", "main.moves(depth, s) -> ... if ret == 1991"}, program)
	var want []string
	for d := 2000; d > 1990; d-- {
		want = append(want, fmt.Sprintf("%smain.moves(%d, \"moved\") {", strings.Repeat("  ", 2000-d), d))
	}
	want = append(want, strings.Repeat("  ", 10)+`main.moves(1990, "moved") = 1991;`)
	for d := 1991; d <= 2000; d++ {
		want = append(want, strings.Repeat("  ", 2000-d)+"} /* main.moves: dropped */")
	}
	harness.WantLines(t, got, want)
	if r := harness.Analyze(t, trace); r.Calls()["main.moves"] != 2001 || len(r.Incomplete()) != 0 {
		t.Errorf("calls %v, incomplete %v", r.Calls(), r.Incomplete())
	}
}
