//go:build linux

package usdt

import (
	"fmt"
	"regexp"
	"testing"

	"utrace/record/test/harness"
)

// TestAnalyzeValues: recorded values decide about groups and errors, and appear in the flow of the
// slowest calls.
func TestAnalyzeValues(t *testing.T) {
	harness.NeedSDT(t)
	program := harness.Target(t, "spans.c", "-O2")
	_, trace, _ := harness.RecordFlow(t, []string{"-e", "usdt:spans:query__start(n:s32, how:str)", "-e", "usdt:spans:query__done(n:s32, result:s32)", "-e", "usdt:spans:step__begin"}, program, "6")
	var r struct {
		Functions []struct {
			Name                      string
			Calls, Incomplete, Errors int
			By                        map[string]any
		}
	}
	harness.AnalyzeJSON(t, &r, "--sort", "name", "--by", "how", "--error", "query: result > 101", trace)
	var got []string
	for _, f := range r.Functions {
		got = append(got, fmt.Sprintf("%s %v %d %d %d", f.Name, f.By, f.Calls, f.Incomplete, f.Errors))
	}
	// Every third of the six queries is bad: it and its second step do not end. Query n returns
	// 100 + n.
	want := []string{"query map[how:bad] 2 2 0", "query map[how:good] 4 0 2", "step map[how:bad] 4 2 0", "step map[how:good] 8 0 0"}
	harness.WantLines(t, got, want)
	out, stderr, status := harness.Utrace(t, "analyze", "--slowest", "1", "--function", "query", trace)
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	m := regexp.MustCompile(`(?s)^# 1 slowest of 4 calls\n\n# 1 of 1 +([\d.]+ .s)  query\((\d), "good"\) = \((\d), 10(\d)\)\n.*\n +\[ *\d+\] \| query\(\d, "good"\) \{\n.*\| {3}step\(\);\n.*\| {3}step\(\);\n +([\d.]+ .s) `).FindStringSubmatch(out)
	if m == nil || m[1] != m[5] || m[2] != m[3] || m[2] != m[4] {
		t.Errorf("%q in\n%s", m, out)
	}
}
