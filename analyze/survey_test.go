package analyze

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// readTestTrace makes a trace of testdata/traces.
func readTestTrace(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", "traces", name))
	if err != nil {
		t.Fatal(err)
	}
	return fromWholeText(t, string(text))
}

// rowOf returns the row of a function.
func rowOf(t *testing.T, r *Result, name string) *Row {
	t.Helper()
	i := slices.IndexFunc(r.Rows, func(row Row) bool { return row.Name == name })
	if i < 0 {
		t.Fatalf("no row of %s", name)
	}
	return &r.Rows[i]
}

// The figures of survey.txt, computed by hand. Six calls of hot are a sample of 1600 of 8000 ns of
// processor time. The four windows of 400 ns stand for 1771, 2000, 2000 and 2229 ns, so the calls
// for 29. One of them was cut off after 110 ns, so the mean of 50, 60, 40, 50, 80
// and 110 ns is a lower bound. Two calls of hot in a whole window, of 60 and 40 ns, stand for ten
// each: 1000 ns of work's 2340 ns are theirs, and 40 ns are lib's.
func TestSurveyByHand(t *testing.T) {
	path := readTestTrace(t, "survey.txt")
	r, err := Report([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	hot := rowOf(t, r, "hot")
	if hot.Calls != 29 || hot.Recorded != 7 || hot.Incomplete != 1 || hot.Cut != 1 || hot.Covered != 0.2 {
		t.Errorf("hot: %d calls, %d recorded, %d incomplete, %d cut, covered %v", hot.Calls, hot.Recorded, hot.Incomplete, hot.Cut, hot.Covered)
	}
	if hot.Total != 1904 || hot.Self != 1904 || hot.Mean() != 65 || !hot.MeanAtLeast() || hot.SelfAtMost {
		t.Errorf("hot: total %d, self %d, mean %d", hot.Total, hot.Self, hot.Mean())
	}
	if hot.Quantile(500) != 50 || hot.QuantileAtLeast(500) || hot.Quantile(900) != 110 || !hot.QuantileAtLeast(900) || hot.Durations.Max() != 80 {
		t.Errorf("hot: median %d, 90%% %d, max %d", hot.Quantile(500), hot.Quantile(900), hot.Durations.Max())
	}
	work := rowOf(t, r, "work")
	if work.Calls != 2 || work.CallsError != 0 || work.Total != 2340 || work.TotalError != 0 || work.Self != 1300 || work.SelfAtMost || work.Covered != 1 {
		t.Errorf("work: %+v", work.Stats)
	}
	main := rowOf(t, r, "t.py.main") // in the one window of its probe, which has no whole windows
	if main.Calls != 10 || main.Covered != 0.1 || !main.SelfAtMost {
		t.Errorf("main: %+v", main.Stats)
	}
	if s := r.Trace.Survey; s == nil || s.Functions != 4 || s.LimitPercent != 5 || math.Abs(s.UsedPercent()-100*300.0/13300) > 1e-9 || r.Trace.UnmatchedReturns != 0 {
		t.Errorf("survey %+v, %d unmatched returns", s, r.Trace.UnmatchedReturns)
	}

	tree, err := CallTree([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	var list func(nodes []*Node, depth int)
	list = func(nodes []*Node, depth int) {
		for _, n := range nodes {
			lines = append(lines, fmt.Sprintf("%d %s %d %d %d", depth, n.Function.Name, n.Calls, n.Total, n.Self))
			list(n.Children, depth+1)
		}
	}
	list(tree.Threads[0].Roots, 0)
	if got, want := strings.Join(lines, ", "), "0 work 2 2340 1300, 1 hot 20 1000 1000, 1 lib 1 40 40, 0 hot 10 800 800"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(tree.Warnings) != 1 || !strings.Contains(tree.Warnings[0].Text, "callers are unknown") {
		t.Errorf("warnings %v", tree.Warnings)
	}
}

// A recorder that was killed leaves no end: the survey is as long as its windows.
func TestSurveyWithoutEnd(t *testing.T) {
	path := fromWholeText(t, `
meta {"max_overhead_percent": 5}
module {"path": "/bin/app"}
func {"name": "f", "module": 0, "addr": 1}
func {"name": "late", "module": 0, "addr": 2}
thread {"pid": 1, "tid": 1}
probe-set {"funcs": [0]}
probe-set {"funcs": [1]}
10 0 entry 0 sp=0x7000
20 0 return 0 sp=0x7000
60 0 entry 1 sp=0x7000
70 0 return 1 sp=0x7000
flush
window {"set": 0, "from_ns": 5, "to_ns": 25, "off_ns": 25}
window {"set": 0, "from_ns": 45, "to_ns": 50, "off_ns": 50}
survey {"module": 0, "funcs": 2}
flush
`)
	r, err := Report([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if f := rowOf(t, r, "f"); f.Calls != 2 || f.CallsError == 0 || f.Covered != 0.5 {
		t.Errorf("f: %+v", f.Stats)
	}
	if late := rowOf(t, r, "late"); late.Calls != 1 || late.CallsError != 0 { // the recorder did not come to write its window
		t.Errorf("late: %+v", late.Stats)
	}
}
