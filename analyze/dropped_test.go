package analyze

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/format"
)

// droppedTrace is the trace of dropped calls in testdata/traces, with replacements in its text.
func droppedTrace(t *testing.T, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile("../testdata/traces/dropped.txt")
	if err != nil {
		t.Fatal(err)
	}
	return writeTrace(t, strings.NewReplacer(replace...).Replace(string(text)))
}

// TestDroppedSelections: dropped calls are added if the selection allows it; otherwise there is a
// warning.
func TestDroppedSelections(t *testing.T) {
	const us = time.Microsecond
	type figures struct {
		calls       uint64
		total, self time.Duration
	}
	kept := map[string]figures{"outer": {3, 3800, 1600}, "handle": {2, 16 * us, 16 * us}, "query": {2, 4 * us, 4 * us}}
	all := map[string]figures{"outer": {3, 3800, 1200}, "handle": {6, 22200, 18200}, "query": {2, 4 * us, 4 * us}, "inner": {3, 900, 900}}
	for name, c := range map[string]struct {
		opts    Options
		want    map[string]figures
		warning string
	}{
		"all":             {Options{}, all, ""},
		"process":         {Options{PIDs: []int{100}}, all, ""},
		"another process": {Options{PIDs: []int{101}}, nil, ""},
		"thread":          {Options{TIDs: []int{100}}, kept, "7 calls were dropped"},
		"time":            {Options{To: 1}, kept, "7 calls were dropped"},
		"least":           {Options{Min: 1}, kept, "7 calls were dropped"},
		"function":        {Options{TIDs: []int{100}, Function: &Pattern{glob: "outer"}}, map[string]figures{"outer": kept["outer"]}, ""},
		"by thread":       {Options{By: "tid"}, nil, "by tid it cannot be divided"},
		"by process":      {Options{By: "pid"}, all, ""},
		"by url":          {Options{By: "url"}, nil, "by url it cannot be divided"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.opts.To > 0 {
				c.opts.To = time.Millisecond
			}
			r, err := Report([]string{droppedTrace(t)}, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]figures{}
			for i := range r.Rows {
				row := &r.Rows[i]
				f := got[row.Name]
				got[row.Name] = figures{f.calls + row.Calls, f.total + row.Total, f.self + row.Self}
				if row.Calls == 0 || row.Self < 0 {
					t.Errorf("%s %s: %d calls, self %v", row.Name, row.Value.Text, row.Calls, row.Self)
				}
			}
			for fn, want := range c.want {
				if got[fn] != want {
					t.Errorf("%s: %v, want %v", fn, got[fn], want)
				}
			}
			if c.want != nil && len(got) != len(c.want) {
				t.Errorf("functions: %v", got)
			}
			text := strings.Join(texts(r.Warnings), "; ")
			if c.warning == "" && strings.Contains(text, "dropped") || !strings.Contains(text, c.warning) {
				t.Errorf("warnings: %q, want %q", text, c.warning)
			}
		})
	}
}

// TestDroppedMin: a trace that kept all calls of at least 5 ms has all of these. If a probe has a
// condition of its own, some may be missing.
func TestDroppedMin(t *testing.T) {
	slower := []string{`"cpus"`, `"slower_than_ns": 5000000, "cpus"`}
	conditional := droppedTrace(t, slower...)
	all := droppedTrace(t, append(slower, " if duration > 10us", "", " if duration > 5us", "", " if duration > 1us", "")...)
	for _, c := range []struct {
		trace string
		least time.Duration
		warn  bool
	}{
		{all, time.Millisecond, true}, {all, 5 * time.Millisecond, false}, {all, time.Second, false},
		{conditional, time.Millisecond, true}, {conditional, 5 * time.Millisecond, true}, {conditional, time.Second, true},
	} {
		r, err := Report([]string{c.trace}, Options{Min: c.least})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(texts(r.Warnings), ";"), "dropped"); got != c.warn {
			t.Errorf("at least %v: warnings %q", c.least, r.Warnings)
		}
	}
	for trace, want := range map[string]string{all: "calls of at least 5.000 ms: ", conditional: "calls that met their condition: "} {
		r, err := Report([]string{trace}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Trace.Kept(); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestDroppedCost: the probes of dropped calls have a cost, which is subtracted from no call.
func TestDroppedCost(t *testing.T) {
	trace := droppedTrace(t, `"addr": 4160}`, `"addr": 4160, "entry_class": "nop5", "return_class": "trampoline"}`,
		"\n0 0 entry 0", "\n"+`calibration {"time_ns":0,"sites":[{"entry":"nop5","return":"trampoline","entry_ns":100,"inside_ns":40,"call_ns":250}]}`+"\n0 0 entry 0")
	r, err := Report([]string{trace}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p := r.Trace.Probes; p.Dropped != 3*250 || p.Hits != 3*250 || p.Subtracted != 0 {
		t.Errorf("%+v", p)
	}
	const warning = "dropped took 0.750 us, 1.9% of one processor while recording, which is not subtracted" // of 39 us
	if text := strings.Join(texts(r.Warnings), ";"); !strings.Contains(text, warning) {
		t.Errorf("%s", text)
	}
	// Like the cost of other hits, it does not depend on which functions are shown, or how long the
	// calls are.
	for _, opts := range []Options{{Function: &Pattern{glob: "outer"}}, {Min: time.Hour}} {
		if r, err = Report([]string{trace}, opts); err != nil {
			t.Fatal(err)
		}
		if p := r.Trace.Probes; p.Dropped != 3*250 || p.Hits != 3*250 {
			t.Errorf("%+v: %+v", opts, p)
		}
	}
	// For several traces there is one warning about all.
	if r, err = Report([]string{trace, trace}, Options{}); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(texts(r.Warnings), ";"); r.Trace.Probes.Dropped != 2*3*250 || strings.Count(text, "not subtracted") != 1 {
		t.Errorf("%v: %s", r.Trace.Probes.Dropped, text)
	}
}

// TestDroppedCostOnly: the report shows the cost of probes even if no call was kept.
func TestDroppedCostOnly(t *testing.T) {
	r, err := Report([]string{fromText(t, `module {"path": "/bin/prog"}
func {"name": "f", "module": 0, "addr": 1, "entry_class": "nop5", "return_class": "trampoline"}
process {"pid": 100, "comm": "prog"}
calibration {"time_ns":0,"sites":[{"entry":"nop5","return":"trampoline","entry_ns":100,"inside_ns":40,"call_ns":250}]}
dropped {"func":0,"pid":100,"complete":3,"sum_ns":900,"total_ns":900,"self_ns":900}
end {"stop": {"mono_ns": 1000}}`)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(texts(r.Warnings), ";"); !strings.Contains(text, "dropped took 0.750 us, 75.0% of one processor while recording") {
		t.Errorf("%s", text)
	}
}

// TestUnmetCost: a trace has the number of hits that did not meet a condition on arguments, and the
// report shows their cost.
func TestUnmetCost(t *testing.T) {
	trace := droppedTrace(t, `"addr": 4160}`, `"addr": 4160, "entry_class": "nop5", "return_class": "trampoline"}`,
		"\n0 0 entry 0", "\n"+`calibration {"time_ns":0,"sites":[{"entry":"nop5","return":"trampoline","entry_ns":100,"inside_ns":40,"call_ns":250}]}`+"\n0 0 entry 0",
		`"reason"`, `"unmet":[{"func":1,"entries":1000,"returns":900},{"func":99,"entries":1,"returns":1}],"reason"`)
	for _, raw := range []bool{false, true} {
		r, err := Report([]string{trace}, Options{Raw: raw})
		if err != nil {
			t.Fatal(err)
		}
		hits, took := uint64(1900), 1000*100*time.Nanosecond+900*150*time.Nanosecond
		if raw {
			hits, took = 0, 0
		}
		if p := r.Trace.Probes; p.Unmet != hits || p.UnmetTime != took {
			t.Errorf("raw %v: %+v", raw, p)
		}
	}
}

// TestDroppedTooMuchInside: dropped calls never have more time than the calls around them.
func TestDroppedTooMuchInside(t *testing.T) {
	r, err := Report([]string{droppedTrace(t, `"inside_ns":400`, `"inside_ns":5000`)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Rows {
		if row := &r.Rows[i]; row.Name == "outer" && row.Self != 0 {
			t.Errorf("self time of outer: %v", row.Self)
		}
	}
}

// TestDroppedInSlowest: below a slow call, a call that was dropped has its duration.
func TestDroppedInSlowest(t *testing.T) {
	slow, err := Slowest([]string{droppedTrace(t)}, 1, Options{Function: &Pattern{glob: "outer"}})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(slow.Calls[0].Flow, func(s Step) bool { return s.Kind == Leave && s.State == Dropped })
	if i < 0 || slow.Calls[0].Flow[i].Duration != 2200 {
		t.Errorf("flow: %+v", slow.Calls[0].Flow)
	}
}

// TestSlowestIsSelected: uncertain calls are not among the slowest, nor are calls that are too
// short.
func TestSlowestIsSelected(t *testing.T) {
	text, err := os.ReadFile("../testdata/traces/lost.txt")
	if err != nil {
		t.Fatal(err)
	}
	for least, want := range map[time.Duration]int{0: 1, 50: 1, 51: 0} { // one call of g, 50 ns, is certain
		slow, err := Slowest([]string{writeTrace(t, string(text))}, 10, Options{Min: least})
		if err != nil {
			t.Fatal(err)
		}
		if len(slow.Calls) != want || slow.Of != uint64(want) || slow.Uncertain != 2 { // of main and f, both longer
			t.Errorf("at least %v: %d calls of %d, %d uncertain: %+v", least, len(slow.Calls), slow.Of, slow.Uncertain, slow.Calls)
		}
	}
}

// TestDroppedViews: views that have only the calls that were kept say so.
func TestDroppedViews(t *testing.T) {
	trace := droppedTrace(t)
	all := []string{trace}
	for name, warnings := range map[string]func() ([]Warning, error){
		"slowest": func() ([]Warning, error) {
			s, err := Slowest(all, 1, Options{})
			if err == nil && (s.Calls[0].Duration != 9*time.Microsecond || s.Of != 7) {
				t.Errorf("slowest: %v of %d", s.Calls[0].Duration, s.Of)
			}
			return s.Warnings, err
		},
		"flow":    func() ([]Warning, error) { return Flow(trace, Options{}, false, func(*Step) error { return nil }) },
		"calls":   func() ([]Warning, error) { return EachCall(all, Options{}, func(*Call) error { return nil }) },
		"tree":    func() ([]Warning, error) { tree, err := CallTree(all, Options{}); return tree.Warnings, err },
		"profile": func() ([]Warning, error) { _, w, err := Profile(all, Options{}); return w, err },
	} {
		w, err := warnings()
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(texts(w), ";"); !strings.Contains(text, "7 calls were dropped") {
			t.Errorf("%s: warnings %q", name, text)
		}
	}
}

// Each condition of the traces is there once. A million of them take no more work than sorting.
func TestManyConditions(t *testing.T) {
	const n = 1 << 20
	meta := format.Meta{SlowerThanNs: 1}
	for i := range n {
		meta.Probes = append(meta.Probes, fmt.Sprintf("f if a == %07d", n-i), "g")
	}
	trace := Trace{Files: make([]string, 1)}
	trace.addKept(&meta)
	trace.addKept(&meta)
	if c := trace.Conditions; len(c) != n+1 || !slices.IsSortedFunc(c, func(a, b Condition) int { return strings.Compare(a.Probe, b.Probe) }) {
		t.Errorf("%d conditions, want %d", len(c), n+1)
	}
}
