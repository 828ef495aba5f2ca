package render

import (
	"strings"
	"testing"
	"time"

	"utrace/analyze"
	"utrace/analyze/render/terminal"
	"utrace/analyze/why"
)

// whyExample is an explanation with a place and, perhaps, a cause.
func whyExample(where why.PathShare, causes ...why.Cause) *why.Explanation {
	return &why.Explanation{
		Function: analyze.Function{Name: "handle"}, Calls: 1000,
		Slow:    why.CallGroup{From: time.Millisecond, Calls: 10, Mean: 5 * time.Millisecond},
		Typical: why.CallGroup{From: 1, To: 2, Calls: 500, Mean: time.Millisecond}, Difference: 4 * time.Millisecond,
		Where: &where, Paths: []why.PathShare{where}, Causes: causes, Candidates: 3, Unexplained: 0.3,
	}
}

func path(names ...string) (list []*analyze.Function) {
	for _, name := range names {
		list = append(list, &analyze.Function{Name: name})
	}
	return list
}

// Reason names the first cause and the place, the larger one first.
func TestReason(t *testing.T) {
	all := why.Share{Part: 1, Low: 0.9, High: 1}
	key := why.Cause{Kind: why.CauseArgument, Name: "key", Share: why.Share{Part: 0.7}, Values: []analyze.Value{{Text: "3"}, {Text: "7"}}}
	weak := key
	weak.Share.Part = 0.3
	for want, x := range map[string]*why.Explanation{
		"70% of that is in calls where key is 3 or 7; 100% is in more calls of attempt (4 for each slow call, 0.5 for each typical one).": whyExample(
			why.PathShare{Path: path("handle", "attempt"), Share: all, MoreCalls: 0.8, SlowCalls: 4, TypicalCalls: 0.5, Unknown: 1}, key),
		"100% of that is in longer calls of lock, blocked until writer 7 woke it.": whyExample(why.PathShare{
			Path: path("handle", "lock"), Share: all, LongerCalls: 1, Blocked: 0.9, CPU: 0.1, Wakers: []why.WakerShare{{Name: "writer 7", Part: 0.8}}}),
		"100% of that is in handle itself and what it called, waiting for a processor.": whyExample(
			why.PathShare{Path: path("handle"), Share: all, LongerCalls: 1, Runnable: 0.9}),
		"100% of that is in longer calls of compute, on a processor; 30% is in calls where key is 3 or 7.": whyExample(
			why.PathShare{Path: path("handle", "compute"), Share: all, LongerCalls: 1, CPU: 1}, weak),
	} {
		if got := Reason(x); got != "Slow calls of handle took 4 ms longer than typical ones. "+want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	change := whyExample(why.PathShare{Path: path("handle", "attempt"), Share: all, MoreCalls: 1, SlowCalls: 4, TypicalCalls: 1})
	change.Change = true
	for faster, want := range map[bool]string{
		false: "New calls of handle took 4 ms longer than old ones. 100% of that is in more calls of attempt (4 for each new call, 1 for each old one).",
		true:  "New calls of handle took 4 ms less than old ones. 100% of that is in fewer calls of attempt (4 for each old call, 1 for each new one).",
	} {
		if change.Faster = faster; Reason(change) != want {
			t.Errorf("%s, want %s", Reason(change), want)
		}
	}
	none := whyExample(why.PathShare{})
	none.Slow.Calls, none.Difference = 0, 0
	if got := Reason(none); got != "No call of handle took longer than 1.000 ms." {
		t.Error(got)
	}
}

// The tables have states only if the scheduler was recorded. Otherwise a hint says how to get them.
func TestWhyStates(t *testing.T) {
	where := why.PathShare{Path: path("handle", "a", "b", "c", "d", "e", "f"), Share: why.Share{Part: 0.9, Low: 0.8, High: 1}, Unknown: 0.9}
	x := whyExample(where, why.Cause{Kind: why.CauseFirst, Share: why.Share{Part: 0.7, Low: 0.6, High: 0.8}, SlowPart: 1, Values: []analyze.Value{{Text: "true", Plain: true}}})
	words := Words{Hint: func(analyze.Hint) string { return "do that" }}
	for _, sched := range []bool{false, true} {
		x.Trace.Sched = sched
		var out strings.Builder
		if err := Why(&out, x, words, terminal.Screen{}); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if strings.Contains(text, "Runnable") != sched || strings.Contains(text, "Not known") != sched || strings.Contains(text, "30% is not explained by what was recorded: do that.") == sched {
			t.Errorf("scheduler recorded: %v\n%s", sched, text)
		}
		for _, want := range []string{"80% to 100%", "handle > … > c > d > e > f", "70%    60% to 80%     100%          0%  it was the thread's first call"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	}
}

// TestWhyFits: no line of the tables is wider than the terminal. A column never stays without the
// one that it compares with, and a line says which are left out.
func TestWhyFits(t *testing.T) {
	where := why.PathShare{Path: path("handle", strings.Repeat("a", 50), "last"), Share: why.Share{Part: 0.9, Low: 0.8, High: 1}, Unknown: 0.9}
	x := whyExample(where, why.Cause{Kind: why.CauseFirst, Share: why.Share{Part: 0.7, Low: 0.6, High: 0.8}, SlowPart: 1, Values: []analyze.Value{{Text: "true", Plain: true}}})
	x.Trace.Sched = true
	for width := 30; width < 200; width++ {
		var out strings.Builder
		if err := Why(&out, x, Words{}, terminal.Screen{Width: width}); err != nil {
			t.Fatal(err)
		}
		rows := 0
		for line := range strings.Lines(out.String()) {
			if !strings.HasPrefix(line, "  ") {
				continue
			}
			rows++
			if w := terminal.Width(strings.TrimSuffix(line, "\n")); w > width {
				t.Errorf("%d columns of %d: %q", w, width, line)
			}
			if strings.HasSuffix(line, "  Path\n") && strings.Count(line, "Typical") > strings.Count(line, "Calls")+strings.Count(line, "Self time") {
				t.Errorf("%d columns: %q", width, line)
			}
		}
		if full := !strings.Contains(out.String(), "left out to fit the width"); rows != 4 || full && width < 100 {
			t.Errorf("%d columns, %d rows:\n%s", width, rows, out.String())
		}
	}
}

// All kinds of causes have words.
func TestCauseWords(t *testing.T) {
	value := func(text string) []analyze.Value { return []analyze.Value{{Text: text}} }
	yes := []analyze.Value{{Text: "true", Plain: true}}
	for want, c := range map[string]why.Cause{
		"key is 3, 4 or one of 5 more": {Kind: why.CauseArgument, Name: "key", Values: []analyze.Value{{Text: "3"}, {Text: "4"}}, More: 5},
		"size is 4096 or more":         {Kind: why.CauseArgument, Name: "size", Threshold: 4096},
		"result ret is less than -1":   {Kind: why.CauseResult, Name: "ret", Threshold: -1, Below: true},
		`q is "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa…bbbbbbbbbbbbbbbbbbbbbbbbbbbbb"`: {
			Kind: why.CauseArgument, Name: "q", Values: value(`"` + strings.Repeat("a", 99) + strings.Repeat("b", 99) + `"`),
		},
		"the call failed":                                   {Kind: why.CauseFailed, Values: yes},
		"the thread is app 7":                               {Kind: why.CauseThread, Values: value("app 7")},
		"the process is app 7":                              {Kind: why.CauseProcess, Values: value("app 7")},
		"the call began on CPU 1":                           {Kind: why.CauseCPU, Values: value("1")},
		"it was the thread's first call":                    {Kind: why.CauseFirst, Values: yes},
		"gc ran on another thread":                          {Kind: why.CauseElsewhere, Name: "gc"},
		"7 or more calls of it began in the same 2.000 ms":  {Kind: why.CauseBurst, Threshold: 7, Within: 2 * time.Millisecond},
		"the recorder of the trace ran instead":             {Kind: why.CauseRecorder},
		"it was late in the recording: calls became slower": {Kind: why.CauseTrend},
	} {
		if got := c.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
