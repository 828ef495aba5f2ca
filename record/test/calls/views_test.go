//go:build linux

package calls

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// These tests compare what analyze shows of a recording with other programs.

// TestFlowEqualsUftrace compares the order and nesting of calls with uftrace. Programs built with
// -pg call uftrace from every function.
func TestFlowEqualsUftrace(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTool(t, "uftrace")
	for _, source := range []string{"calls.c", "threads.c"} {
		dir := t.TempDir()
		bin := harness.Target(t, source, "-O0", "-pg", "-no-pie")
		if text, err := exec.Command("uftrace", "record", "--no-libcall", "--no-event", "-d", dir+"/data", bin, "3").CombinedOutput(); err != nil {
			t.Fatalf("uftrace: %v\n%s", err, text)
		}
		replay, err := exec.Command("uftrace", "replay", "-d", dir+"/data").Output()
		if err != nil {
			t.Fatal(err)
		}
		trace := dir + "/trace.arrow"
		if _, stderr, status := harness.Utrace(t, "record", "-e", "*", "-o", trace, "--", bin, "3"); status != 0 {
			t.Fatalf("status %d\n%s", status, stderr)
		}
		flow, stderr, status := harness.Utrace(t, "analyze", "--flow", trace)
		if status != 0 {
			t.Fatalf("status %d\n%s", status, stderr)
		}
		want, got := flows(string(replay)), flows(flow)
		// The threads of a pool share the work differently in each run.
		if source == "threads.c" {
			want, got = slices.DeleteFunc(want, notRunner), slices.DeleteFunc(got, notRunner)
			slices.Sort(want)
			slices.Sort(got)
			if len(want) != 8 {
				t.Fatalf("%d threads in uftrace's flow", len(want))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: flow:\n%s\nuftrace replay:\n%s", source, flow, replay)
		}
	}
}

func notRunner(flow string) bool { return !strings.Contains(flow, "runner()") }

// flows returns the calls of each thread with their nesting, without times.
func flows(replay string) []string {
	byThread := map[string]*strings.Builder{}
	var order []string
	for _, m := range regexp.MustCompile(`(?m)\[ *(\d+)\] \|(.*)$`).FindAllStringSubmatch(replay, -1) {
		if strings.Contains(m[2], "/* linux:") {
			continue
		}
		if byThread[m[1]] == nil {
			byThread[m[1]] = &strings.Builder{}
			order = append(order, m[1])
		}
		// uftrace folds a call into one line if no line of another thread comes in between.
		line := regexp.MustCompile(`^( *)(\S+)\(\);$`).ReplaceAllString(m[2], "$1$2() {\n$1} /* $2 */")
		byThread[m[1]].WriteString(line + "\n")
	}
	var list []string
	for _, id := range order {
		list = append(list, byThread[id].String())
	}
	return list
}

// TestPprof: go tool pprof reads the profile, and its totals are those of the report.
func TestPprof(t *testing.T) {
	harness.NeedKernel(t)
	dir := t.TempDir()
	trace, out := dir+"/trace.arrow", dir+"/out.pb.gz"
	if _, stderr, status := harness.Utrace(t, "record", "-e", "*", "-o", trace, "--", harness.Target(t, "threads.c", "-O0"), "100"); status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	if _, stderr, status := harness.Utrace(t, "analyze", "--pprof", out, trace); status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	r := harness.Analyze(t, trace)
	var calls, selfNs uint64
	for _, f := range r.Functions {
		calls += f.Calls
		selfNs += f.SelfNs
	}
	pprof := func(args ...string) string {
		t.Helper()
		text, err := exec.Command("go", append(append([]string{"tool", "pprof"}, args...), out)...).CombinedOutput()
		if err != nil {
			t.Fatalf("pprof %q: %v\n%s", args, err, text)
		}
		return string(text)
	}
	top := pprof("-top", "-unit=ns")
	if want := fmt.Sprintf("of %dns total", selfNs); !strings.Contains(top, want) && !strings.Contains(top, fmt.Sprintf("for %dns, 100%%", selfNs)) {
		t.Errorf("no %q in:\n%s", want, top)
	}
	top = pprof("-top", "-sample_index=calls", "-nodefraction=0")
	if !strings.Contains(top, fmt.Sprintf("for %d, 100%%", calls)) {
		t.Errorf("%d calls are not the total of:\n%s", calls, top)
	}
	for _, f := range r.Functions {
		if !regexp.MustCompile(fmt.Sprintf(`(?m)^ *%d .* %s$`, f.Calls, f.Name)).MatchString(top) {
			t.Errorf("%d calls of %s are not in:\n%s", f.Calls, f.Name, top)
		}
	}
	if list := pprof("-list", "^work$"); !strings.Contains(list, "NOINLINE int work(int x)") {
		t.Errorf("no source in:\n%s", list)
	}
	if peek := pprof("-peek", "^step$"); !strings.Contains(peek, "work") {
		t.Errorf("no caller in:\n%s", peek)
	}
	if traces := pprof("-traces"); !strings.Contains(traces, "thread:") || !strings.Contains(traces, "runner") {
		t.Errorf("no labels or stacks in:\n%.2000s", traces)
	}
}
