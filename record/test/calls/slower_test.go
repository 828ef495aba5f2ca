//go:build linux

package calls

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// slowCalls returns the calls that testdata/targets/slow.c makes in n requests, by function, and
// the calls that contain a sleep. With 42 requests or more, main contains one.
func slowCalls(n int) (calls, slow map[string]uint64) {
	calls, slow = map[string]uint64{"main": 1}, map[string]uint64{"main": 1}
	sleeps := func(i int) bool { return i%100 == 42 }
	for i := range n {
		calls["request"]++
		calls["middle"]++
		calls["leaf"] += 2
		late := sleeps(i) || sleeps(i+1)
		if late {
			slow["middle"]++
			slow["leaf"]++
		}
		if i%50 == 7 {
			calls["thrower"]++
		}
		if i%20 == 2 {
			calls["rec"] += 6
			calls["leaf"]++
			if sleeps(i) {
				slow["rec"] += 6
				slow["leaf"]++
			}
		}
		if late {
			slow["request"]++
		}
	}
	return calls, slow
}

// TestSlowerThan: the trace has exactly the slow calls, and the number of all calls.
func TestSlowerThan(t *testing.T) {
	harness.NeedKernel(t)
	const requests = 1000
	program := harness.Target(t, "slow.c", "-O1")
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	calls, slow := slowCalls(requests)
	if _, stderr, status := harness.Utrace(t, "record", "--force", "-o", trace, "--max-overhead=none", "--slower-than", "1900us", "--", program, fmt.Sprint(requests)); status != 0 {
		t.Fatal(stderr)
	}
	r := harness.Analyze(t, trace)
	if all := r.Calls(); !maps.Equal(all, calls) {
		t.Fatalf("calls %v, want %v", all, calls)
	}
	var main, inside uint64 // ns
	for _, f := range r.Functions {
		if inside += f.SelfNs; f.Name == "main" {
			main = f.TotalNs
		}
		// Other work on the machine makes further calls slow. They are kept as well.
		kept := f.Calls - f.Incomplete - f.Dropped
		if kept < slow[f.Name] || kept > slow[f.Name]+f.Calls/10 || kept > 0 && f.MinNs < 1_850_000 { // what probes took is subtracted
			t.Errorf("%s: %d kept, want %d; the shortest of %d ns", f.Name, kept, slow[f.Name], f.MinNs)
		}
	}
	// Everything happens in main, so the self times of all functions, kept or not, add up to it.
	if diff := float64(inside) - float64(main); math.Abs(diff) > 0.05*float64(main) {
		t.Errorf("main lasts %d ns, all functions have %d ns for themselves", main, inside)
	}
	for name, n := range r.Incomplete() {
		if name != "thrower" && name != "middle" || n > calls["thrower"] {
			t.Errorf("%d calls of %s have not returned", n, name)
		}
	}
}

// TestSlowerThanLater: the same for a program that a script executes, and that utrace has not seen
// when the recording begins.
func TestSlowerThanLater(t *testing.T) {
	harness.NeedKernel(t)
	const requests = 200
	program := harness.Target(t, "slow.c", "-O1")
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, fmt.Appendf(nil, "#!/bin/sh\ntrue && %s %d && true\n", program, requests), 0o755); err != nil {
		t.Fatal(err)
	}
	trace, _, status := harness.RecordTree(t, []string{"--follow", "--slower-than", "1900us", "-e", "request", "-e", "middle"}, "sh", script)
	if status != 0 {
		t.Fatalf("status %d", status)
	}
	all, _ := slowCalls(requests)
	calls := harness.Analyze(t, trace).Calls()
	if want := map[string]uint64{"request": all["request"], "middle": all["middle"]}; !maps.Equal(calls, want) {
		t.Errorf("calls %v, want %v", calls, want)
	}
}

// TestSlowGoroutines: more goroutines run, one after the other, than there is room for at a time.
// One is blocked all the while.
func TestSlowGoroutines(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.GoTarget(t, "connections")
	got, trace, _ := harness.RecordFlow(t, []string{"--max-overhead=none", "--slower-than", "1s", "-e", "main.serve(req->path, n)", "-e", "main.step"}, program)
	slices.Sort(got)
	harness.WantLines(t, got, []string{`main.serve("/first", 0);`, `main.serve("/last", 70001);`})
	r := harness.Analyze(t, trace)
	if calls := r.Calls(); calls["main.serve"] != 70002 || calls["main.step"] != 70002 || len(r.Incomplete()) != 0 || r.Trace.Lost != 0 {
		t.Errorf("calls %v, incomplete %v, lost %d", calls, r.Incomplete(), r.Trace.Lost)
	}
}

// TestSlowOpenCall: the trace has a slow call that is open at the end, and its enclosing calls.
func TestSlowOpenCall(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "slow.c", "-O1")
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	if _, stderr, status := harness.Utrace(t, "record", "--force", "-o", trace, "-d", "2s", "--slower-than", "1s", "--", program, "100", "5"); status != 0 {
		t.Fatal(stderr)
	}
	flow, stderr, status := harness.Utrace(t, "analyze", "--flow", trace)
	if status != 0 {
		t.Fatal(stderr)
	}
	if !regexp.MustCompile(`(?s)main\(\) \{\n.*stuck\(\) \{`).MatchString(flow) || strings.Contains(flow, "request") {
		t.Errorf("%s%s", flow, stderr)
	}
}

// TestSlowCallsOfEndedThreads: a call ends at the latest when its thread ends or executes another
// program.
func TestSlowCallsOfEndedThreads(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "leaves.c", "-O1")
	for how, want := range map[string]struct {
		flow              []string // sorted
		calls, incomplete map[string]uint64
		threads           int // that have something in the trace
	}{
		"threads": {
			[]string{"main();", "worker(13) {", "worker(23) {", "worker(3) {", "worker(33) {"},
			map[string]uint64{"main": 1, "worker": 40}, map[string]uint64{"worker": 40}, 5,
		},
		"exit": {
			[]string{"  leave(300) {", "main() {"},
			map[string]uint64{"main": 1, "leave": 1}, map[string]uint64{"main": 1, "leave": 1}, 1,
		},
		"exec": {
			[]string{"  become(300) {", "main() {", "main();"},
			map[string]uint64{"main": 3, "become": 2}, map[string]uint64{"main": 2, "become": 2}, 2,
		},
	} {
		got, trace, _ := harness.RecordFlow(t, []string{"--slower-than", "200ms", "-e", "main", "-e", "worker(n)", "-e", "leave(ms)", "-e", "become(ms)"}, program, how)
		got = slices.DeleteFunc(got, func(line string) bool {
			return regexp.MustCompile(`(unwound|open at the end|replaced by exec) \*/|linux:task-exec`).MatchString(line)
		})
		slices.Sort(got)
		harness.WantLines(t, got, want.flow)
		r := harness.Analyze(t, trace)
		if !maps.Equal(r.Calls(), want.calls) || !maps.Equal(r.Incomplete(), want.incomplete) || r.Trace.Lost != 0 {
			t.Errorf("%s: calls %v, incomplete %v, lost %d", how, r.Calls(), r.Incomplete(), r.Trace.Lost)
		}
		tables, _ := harness.Tables(t, trace)
		if len(tables.Threads) != want.threads {
			t.Errorf("%s: threads %+v", how, tables.Threads)
		}
	}
}

// TestHostileTexts: texts are recorded as far as they can be read, and escaped where they are
// shown.
func TestHostileTexts(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "hostile.c", "-O1")
	got, trace, _ := harness.RecordFlow(t, []string{"-e", "take(text:str[4094]) -> s32", "-e", "takes(bytes:buf[n], n:s32)"}, program)
	harness.WantLines(t, got, []string{
		`take("plain") = 1;`,
		`take("` + strings.Repeat("x", 4094) + `") = 1;`,
		`take("` + strings.Repeat("y", 4094) + `"...) = 1;`,
		`take(?) = 1;`,
		`take("across") = 1;`,
		`take(NULL) = 1;`,
		`take(?) = 1;`,
		`take("\xff\xfe bad") = 1;`,
		`take("\x1b[31mred\x1b[0m \"quoted\"\n") = 1;`,
		`takes("a\x00b\x00", 4);`,
		`takes("", 0);`,
		`takes(?, -1);`,
	})
	for _, cond := range []string{`text != "plain"`, `!(text == "plain")`, `!(text =~ "pl*")`} { // none holds of what cannot be read
		kept, _, _ := harness.RecordFlow(t, []string{"-e", "take(text:str[20]) if " + cond}, program)
		if len(kept) != 5 || slices.Contains(kept, "take(?);") {
			t.Errorf("%s: %q", cond, kept)
		}
	}
	stdout, _, status := harness.Utrace(t, "analyze", "--json", "--by", "text", trace)
	if !json.Valid([]byte(stdout)) || status != 0 || strings.Contains(stdout, "\x1b") {
		t.Errorf("status %d, %q", status, stdout)
	}
}

// TestNamesOfHosts does what gethostlatency does: it records which names are resolved in any
// process of the machine.
func TestNamesOfHosts(t *testing.T) {
	harness.NeedPython(t)
	rec := harness.StartRecorder(t, "-e", "c:getaddrinfo(node:str) -> s32")
	rec.Await(t)
	script := "import socket\nfor i in range(3):\n try: socket.getaddrinfo('localhost', 80)\n except OSError: pass\n"
	for range 2 {
		if out, err := exec.Command(harness.Python, "-c", script).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	rec.Stop(t)
	var r struct {
		Functions []struct {
			Calls uint64
			By    map[string]any
		}
	}
	harness.AnalyzeJSON(t, &r, "--by", "node", rec.Trace)
	n := uint64(0)
	for _, f := range r.Functions {
		if f.By["node"] == "localhost" {
			n += f.Calls
		}
	}
	if n < 6 { // others may also resolve it
		t.Errorf("localhost was resolved %d times: %+v", n, r)
	}
}
