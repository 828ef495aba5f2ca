//go:build linux

package runtimes

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// inFile returns a function that maps utrace's names of functions in a Python file to the names in
// that file.
func inFile(file string) func(string) string {
	return func(function string) string {
		name, ok := strings.CutPrefix(function, file+".")
		if !ok {
			return ""
		}
		return name
	}
}

// TestPython: threads, generators, asyncio and exceptions. Names and counts are those of the
// program itself, and those of sys.setprofile.
func TestPython(t *testing.T) {
	harness.NeedPython(t)
	script := runtimeFile(t, "calls.py")
	r := recordRuntime(t, "python", nil, harness.Python, script)
	r.wantOwnCounts(t, inFile("calls.py"))

	var profiled bytes.Buffer
	cmd := exec.Command(harness.Python, runtimeFile(t, "profiled.py"), script)
	cmd.Stderr = &profiled
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	want, got := countLines(t, profiled.String()), map[string]uint64{}
	lines := map[string]int{}
	for _, f := range r.report.Functions {
		if f.File == script {
			got[inFile("calls.py")(f.Name)] += f.Calls
			lines[f.Name] = f.Line
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("calls %v, sys.setprofile reports %v", got, want)
	}
	if lines["calls.py.fib"] != 13 || lines["calls.py.child"] != 40 {
		t.Errorf("lines %v", lines)
	}
	wantNesting(t, r.trace)
}

// TestPythonRecursion: recursive calls are counted, and nest as deep as they should.
func TestPythonRecursion(t *testing.T) {
	harness.NeedPython(t)
	r := recordRuntime(t, "python", nil, harness.Python, runtimeFile(t, "fib.py"))
	harness.WantCounts(t, "calls", r.report.Calls(), map[string]uint64{"fib.py.fib": 8361, "fib.py.<module>": 1})
	harness.WantCounts(t, "incomplete calls", r.report.Incomplete(), map[string]uint64{"fib.py.fib": 0})
	wantNesting(t, r.trace, "--function", "fib.py.*")
	stdout, _, _ := harness.Utrace(t, "analyze", "--flow", "--function", "fib.py.fib", r.trace)
	deepest := 0
	for line := range strings.Lines(stdout) {
		if _, text, ok := strings.Cut(line, "| "); ok {
			deepest = max(deepest, (len(text)-len(strings.TrimLeft(text, " ")))/2)
		}
	}
	if deepest != 17 { // fib(18) to fib(1)
		t.Errorf("calls of fib nest %d deep, want 17", deepest)
	}
}

// TestPythonInterpreters: subinterpreters have the calls that the program makes.
func TestPythonInterpreters(t *testing.T) {
	harness.NeedPython(t)
	r := recordRuntime(t, "python", nil, harness.Python, runtimeFile(t, "interpreters.py"))
	harness.WantCounts(t, "calls", r.report.Calls(), map[string]uint64{"interpreters.py.run": 6, "<string>.inside": 6 * 5 * 4})
	harness.WantCounts(t, "incomplete calls", r.report.Incomplete(), map[string]uint64{"<string>.inside": 0})
	wantNesting(t, r.trace)
}

// TestPythonGreenlets: utrace does not see greenlets switch, so their calls seem to lie inside each
// other. All are counted, but a call that ends inside another cuts that one short.
func TestPythonGreenlets(t *testing.T) {
	harness.NeedPython(t)
	if exec.Command(harness.Python, "-c", "import greenlet").Run() != nil {
		t.Skip("needs python3-greenlet")
	}
	r := recordRuntime(t, "python", nil, harness.Python, runtimeFile(t, "greenlets.py"))
	harness.WantCounts(t, "calls", r.report.Calls(), map[string]uint64{"greenlets.py.x": 4, "greenlets.py.y": 4, "greenlets.py.a": 1, "greenlets.py.b": 1})
}

// TestPythonRunning attaches to a running program: functions that were on the stack have no calls.
func TestPythonRunning(t *testing.T) {
	harness.NeedPython(t)
	stderr, r := recordRunning(t, "python", nil, harness.Python, runtimeFile(t, "busy.py"))
	calls := r.Calls()
	if calls["busy.py.work"] < 100 || calls["busy.py.loop"] != 0 || calls["busy.py.outer"] != 0 {
		t.Errorf("calls %v\n%s", calls, stderr)
	}
	for _, f := range r.Functions {
		if f.Name == "busy.py.work" && (f.Line != 6 || f.Incomplete > 1) {
			t.Errorf("work: line %d, %d incomplete", f.Line, f.Incomplete)
		}
	}
}

// TestPythonServer: each request is a call of do_GET, and each thread has its own flow.
func TestPythonServer(t *testing.T) {
	harness.NeedPython(t)
	server := harness.StartPythonServer(t)
	const requests = 300
	rec := harness.StartRecorder(t, "--preset", "python", "-p", strconv.Itoa(server.PID))
	rec.Await(t)
	for range requests {
		if err := server.Get(); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(200 * time.Millisecond)
	rec.Stop(t)
	harness.Validate(t, rec.Trace)
	r := harness.Analyze(t, rec.Trace)
	if r.Trace.Lost != 0 {
		t.Skipf("%d events lost", r.Trace.Lost)
	}
	harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{
		"server.py.do_GET": requests, "server.py.send_head": requests, "socketserver.py.process_request_thread": requests,
	})
	harness.WantCounts(t, "incomplete calls", r.Incomplete(), map[string]uint64{"server.py.do_GET": 0, "socketserver.py.service_actions": 0})
	stdout, _, _ := harness.Utrace(t, "analyze", "--flow=arrows", rec.Trace)
	for _, want := range []string{"-> socketserver.py.service_actions\n", "-> selectors.py.select\n", "  <- threading.py.__exit__\n", "  -> server.py.do_GET\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the flow has no %q", want)
		}
	}
	out := filepath.Join(t.TempDir(), "out.pb.gz")
	if _, text, status := harness.Utrace(t, "analyze", "--pprof", out, rec.Trace); status != 0 {
		t.Fatal(text)
	}
	list := harness.Run(t, "go", "tool", "pprof", "-raw", out)
	if !strings.Contains(list, "server.py.do_GET /usr/lib/python3.11/http/server.py:") {
		t.Errorf("the profile has no line for do_GET")
	}
}

// TestPythonWithoutProbes: one line says what cannot be recorded, and why.
func TestPythonWithoutProbes(t *testing.T) {
	harness.NeedKernel(t)
	t.Run("CPython 3.12", func(t *testing.T) {
		bin := harness.Target(t, "runtimes/python312.c", "-rdynamic")
		_, stderr, status := harness.Utrace(t, "record", "-o", t.TempDir()+"/trace.arrow", "--preset", "python", "--", bin)
		want := "utrace: warning: preset python: " + bin + ": CPython 3.12 has no probes of functions (3.12 to 3.14 compile none: cpython issues 98894, 104280): only garbage collection and imports can be recorded\n"
		if status != 0 || strings.Count(stderr, want) != 1 {
			t.Errorf("status %d\n%s", status, stderr)
		}
	})
	t.Run("without dtrace", func(t *testing.T) {
		bin := harness.Target(t, "runtimes/python312.c", "-rdynamic", "-DWITHOUT")
		_, stderr, status := harness.Utrace(t, "record", "-o", t.TempDir()+"/trace.arrow", "--preset", "python", "--", bin)
		want := "utrace: nothing to probe: preset python: " + bin + ": this CPython was built without --with-dtrace: it has no probes\n"
		if status != 1 || stderr != want {
			t.Errorf("status %d\n%s", status, stderr)
		}
	})
}

// TestPythonLoadedLater: a program that has loaded libpython is discovered even if it loads nothing
// more. A warning says that earlier calls are missing.
func TestPythonLoadedLater(t *testing.T) {
	harness.NeedPython(t)
	lib := "libpython3.11.so.1.0"
	bin := harness.Target(t, "runtimes/embeds.c", "-ldl")
	if text, err := exec.Command(bin, lib, "").CombinedOutput(); err != nil {
		t.Skipf("needs libpython3.11: %v\n%s", err, text)
	}
	r := recordRuntime(t, "python", nil, bin, lib, pythonLoops)
	if n := r.report.Calls()["<string>.f"]; n == 0 || n > 20 {
		t.Errorf("%d calls of f, want some of 20\n%s", n, r.stderr)
	}
	if !strings.Contains(r.stderr, "after it mapped their file: its earlier calls are missing") {
		t.Errorf("it is not told that calls are missing\n%s", r.stderr)
	}
}

// TestPythonStartedLater: in a recording of the machine that begins before any Python runs, all that
// start later are probed. The library was first found in one of them.
func TestPythonStartedLater(t *testing.T) {
	harness.NeedPython(t)
	script := writeScript(t, "later.py", pythonLoops)
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	done := make(chan string)
	go func() {
		_, stderr, _ := harness.Utrace(t, "record", "-o", trace, "--preset", "python", "--wait", "-d", "8s")
		done <- stderr
	}()
	time.Sleep(2 * time.Second)
	var pids []int
	for range 3 { // the second and the third start when the first is probed
		cmd, _ := harness.Start(t, harness.Python, script)
		pids = append(pids, cmd.Process.Pid)
		time.Sleep(1200 * time.Millisecond)
	}
	stderr := <-done
	var r struct {
		Functions []struct {
			Name  string
			Calls uint64
			By    struct{ PID int }
		}
	}
	harness.AnalyzeJSON(t, &r, "--by", "pid", trace)
	calls := map[int]uint64{}
	for _, f := range r.Functions {
		if f.Name == "later.py.f" {
			calls[f.By.PID] += f.Calls
		}
	}
	for i, pid := range pids {
		if n := calls[pid]; n == 0 || n > 20 || i > 0 && n < 10 {
			t.Errorf("%d calls of f in process %d of 3, want 20\n%s", n, i+1, stderr)
		}
	}
}
