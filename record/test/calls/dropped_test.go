//go:build linux

package calls

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// droppedFunc is what --json says of a function that has dropped calls. Times are in nanoseconds.
type droppedFunc struct {
	Name                             string
	Calls, Incomplete, Dropped, Lost uint64
	TotalNs                          uint64 `json:"total_ns"`
	SelfNs                           uint64 `json:"self_ns"`
}

// droppedFuncs returns the functions of a trace by name.
func droppedFuncs(t *testing.T, trace string) map[string]droppedFunc {
	t.Helper()
	var r struct{ Functions []droppedFunc }
	harness.AnalyzeJSON(t, &r, "--raw", trace)
	m := map[string]droppedFunc{}
	for _, f := range r.Functions {
		m[f.Name] = f
	}
	return m
}

// TestDroppedAndLost: with a ring of one page, each call is kept, dropped or lost.
func TestDroppedAndLost(t *testing.T) {
	harness.NeedKernel(t)
	_, trace, _ := harness.RecordFlow(t, []string{"--max-overhead=none", "--ring-size", "4KiB", "-e", "handle(name, n) -> s32 if ret < 0 && duration > 1ns"},
		harness.Target(t, "conditions.c", "-O2"), "calls", "50000")
	f := droppedFuncs(t, trace)["handle"]
	if f.Dropped != 35000 || f.Calls+f.Lost != 50000 {
		t.Errorf("%+v", f)
	}
}

// TestDroppedTimes: dropped calls have times as kept ones do, in threads, in recursions and after
// longjmp.
func TestDroppedTimes(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "conditions.c", "-O1")
	flags := []string{"--max-overhead=none", "--slower-than", "2ms", "-e", "work", "-e", "leaf", "-e", "nested", "-e", "lands", "-e", "jumps"}
	_, trace, stdout := harness.RecordFlow(t, flags, program, "slow", "300")
	f := droppedFuncs(t, trace)
	for name, calls := range map[string]uint64{"work": 300, "leaf": 600, "nested": 120, "lands": 20, "jumps": 60} {
		if f[name].Calls != calls {
			t.Errorf("%s: %+v, want %d calls", name, f[name], calls)
		}
	}
	if f["jumps"].Incomplete != 60 || f["work"].Incomplete+f["leaf"].Incomplete+f["nested"].Incomplete+f["lands"].Incomplete != 0 {
		t.Errorf("incomplete: %+v", f)
	}
	// leaf is called by work only; nested by itself.
	if f["work"].TotalNs != f["work"].SelfNs+f["leaf"].TotalNs || f["leaf"].TotalNs != f["leaf"].SelfNs || f["nested"].TotalNs != f["nested"].SelfNs {
		t.Errorf("times: %+v", f)
	}
	// The program's own measurement encloses the recorded times. It sleeps 6 times for 3 ms.
	spent, _ := strconv.ParseUint(strings.TrimSpace(stdout), 10, 64)
	if total := f["work"].TotalNs; total > spent || total < 18e6 {
		t.Errorf("work has taken %d ns, by the program's clock %d", total, spent)
	}
	if nested := f["nested"].TotalNs; nested < 2*3e6 { // once a recursion
		t.Errorf("nested has taken %d ns", nested)
	}

	flow, trace, _ := harness.RecordFlow(t, flags, program, "slow-threads")
	f = droppedFuncs(t, trace)
	if f["work"].Calls != 4*300 || f["leaf"].Calls != 4*600 || f["work"].Incomplete+f["leaf"].Incomplete != 0 || f["work"].TotalNs != f["work"].SelfNs+f["leaf"].TotalNs {
		t.Errorf("in threads: %+v", f)
	}
	kept := 0
	for _, line := range flow {
		if strings.HasPrefix(line, "work(") {
			kept++
		}
	}
	if uint64(kept) != f["work"].Calls-f["work"].Dropped || kept < 4*6 {
		t.Errorf("%d calls of work kept: %+v", kept, f["work"])
	}
}

// TestDroppedSpans: the kernel side measures spans of static probes as it measures calls.
func TestDroppedSpans(t *testing.T) {
	harness.NeedSDT(t)
	_, trace, _ := harness.RecordFlow(t, []string{"--slower-than", "100s", "-e", "usdt:spans:query__start(n:s32)", "-e", "usdt:spans:step__begin"}, harness.Target(t, "spans.c", "-O2"), "6")
	f := droppedFuncs(t, trace)
	if f["query"].Calls != 6 || f["step"].Calls != 12 || f["query"].Dropped != 4 || f["step"].Dropped != 10 {
		t.Errorf("%+v", f)
	}
}

// TestDroppedPython: dropped calls are counted by function, even for functions that have no event
// in the trace.
func TestDroppedPython(t *testing.T) {
	harness.NeedPython(t)
	script := filepath.Join(t.TempDir(), "slow.py")
	if err := os.WriteFile(script, []byte(`import time
def quick(n):
    return n + 1
def slow(n):
    time.sleep(0.2)
    return quick(n)
def deep(n):
    return slow(0) if n == 0 else deep(n - 1)
for i in range(500):
    quick(i)
for i in range(3):
    slow(i)
deep(4)
`), 0o600); err != nil {
		t.Fatal(err)
	}
	flow, trace, _ := harness.RecordFlow(t, []string{"--preset", "python", "--slower-than", "150ms"}, harness.Python, script)
	var want []string
	want = append(want, "slow.py.<module>() {", "  slow.py.slow();", "  slow.py.slow();", "  slow.py.slow();")
	for n := range 5 {
		want = append(want, strings.Repeat("  ", n+1)+"slow.py.deep() {")
	}
	want = append(want, strings.Repeat("  ", 6)+"slow.py.slow();")
	for n := range 5 {
		want = append(want, strings.Repeat("  ", 5-n)+"} /* slow.py.deep */")
	}
	harness.WantLines(t, flow, append(want, "} /* slow.py.<module> */"))
	f := droppedFuncs(t, trace)
	for name, calls := range map[string][2]uint64{"slow.py.quick": {504, 504}, "slow.py.slow": {4, 0}, "slow.py.deep": {5, 0}} {
		if f[name].Calls != calls[0] || f[name].Dropped != calls[1] || f[name].Incomplete != 0 {
			t.Errorf("%s: %+v, want %v calls, dropped", name, f[name], calls)
		}
	}
}

// TestDroppedPythonBesideC: values of a C function are not taken for the name of a Python function
// called before.
func TestDroppedPythonBesideC(t *testing.T) {
	harness.NeedPython(t)
	script := filepath.Join(t.TempDir(), "reads.py")
	if err := os.WriteFile(script, []byte(`import os, time
def quick(n):
    return n
r, w = os.pipe()
os.dup2(r, 77)
for i in range(3):
    if os.fork() == 0:
        time.sleep(0.3)
        os.write(w, b'x')
        os._exit(0)
    for n in range(100):
        quick(n)
    os.read(77, 1)
`), 0o600); err != nil {
		t.Fatal(err)
	}
	flow, _, _ := harness.RecordFlow(t, []string{"--preset", "python", "--slower-than", "150ms", "-e", "c:read(fd:s32)"}, harness.Python, script)
	flow = slices.DeleteFunc(flow, func(line string) bool { return !strings.Contains(line, "read") }) // imports are slow now and then
	harness.WantLines(t, flow, []string{"reads.py.<module>() {", "  read(77);", "  read(77);", "  read(77);", "} /* reads.py.<module> */"})
}

// hostCall is a call that resolves the name of a host.
type hostCall struct {
	function, thread, name string
	duration               time.Duration
}

// TestHostsEqualBpftrace does what gethostlatency does, at the same time as bpftrace, in all
// processes.
func TestHostsEqualBpftrace(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTool(t, "bpftrace")
	harness.NeedTool(t, "getent")
	harness.NeedPython(t)
	const libc = "/lib/x86_64-linux-gnu/libc.so.6"
	if _, err := os.Stat(libc); err != nil {
		t.Skip(err)
	}
	script := ""
	for _, name := range []string{"getaddrinfo", "gethostbyname2"} {
		script += fmt.Sprintf("uprobe:%s:%s { @at[tid] = nsecs; @name[tid] = arg0; }\n", libc, name)
		script += fmt.Sprintf("uretprobe:%s:%s /@at[tid]/ { printf(\"%s %%d %%s %%d\\n\", tid, str(@name[tid]), nsecs - @at[tid]); delete(@at[tid]); }\n", libc, name, name)
	}
	rec := harness.StartRecorder(t, "-e", "c:getaddrinfo(node:str) -> s32", "-e", "c:gethostbyname*(name:str)")
	output := filepath.Join(t.TempDir(), "bpftrace")
	other, _ := harness.Start(t, "bpftrace", "-B", "none", "-o", output, "-e", script)
	seen := func() []byte {
		text, _ := os.ReadFile(output) // not there yet: nothing
		return text
	}
	rec.Await(t)
	harness.WaitFor(t, func() bool {
		exec.Command("getent", "ahosts", "localhost").Run()
		return bytes.Contains(seen(), []byte("localhost"))
	})
	for _, command := range [][]string{
		{"getent", "ahosts", "localhost"}, {"getent", "hosts", "localhost"},
		{harness.Python, "-c", "import socket\nfor i in range(3): socket.getaddrinfo('localhost', 80 + i)\nsocket.getaddrinfo('127.0.0.1', 80)"},
	} {
		if text, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Logf("%v: %v\n%s", command, err, text)
		}
	}
	time.Sleep(time.Second)
	other.Process.Signal(os.Interrupt)
	other.Wait()
	var want []hostCall
	for line := range strings.Lines(string(seen())) {
		if w := strings.Fields(line); len(w) == 4 {
			ns, _ := strconv.ParseInt(w[3], 10, 64)
			want = append(want, hostCall{w[0], w[1], w[2], time.Duration(ns)})
		}
	}
	rec.Stop(t)
	flow, stderr, status := harness.Utrace(t, "analyze", "--raw", "--flow", rec.Trace)
	if status != 0 {
		t.Fatal(stderr)
	}
	got := hostCalls(t, flow)
	if len(want) < 5 {
		t.Fatalf("bpftrace has seen %v", want)
	}
	var differences []time.Duration
	for _, w := range want {
		i := slices.IndexFunc(got, func(g hostCall) bool { return g.function == w.function && g.thread == w.thread && g.name == w.name })
		if i < 0 {
			t.Fatalf("%+v is not in the trace:\n%s", w, flow)
		}
		differences = append(differences, (got[i].duration - w.duration).Abs())
		t.Logf("%s(%q): %v, bpftrace %v", w.function, w.name, got[i].duration, w.duration)
		got = slices.Delete(got, i, i+1)
	}
	// The probes of one tool may be within the time that the other measures, and a process may lose
	// its processor between the two.
	slices.Sort(differences)
	if median := differences[len(differences)/2]; median > time.Millisecond {
		t.Errorf("durations differ by %v", median)
	}
}

// hostCalls reads the calls in the output of --flow that have returned.
func hostCalls(t *testing.T, flow string) (list []hostCall) {
	t.Helper()
	open := map[string][]string{} // names by thread
	for _, m := range regexp.MustCompile(`(?m)^ *([0-9.]*) ?(us|ms|s|) \[ *(\d+)\] \| *(?:(\w+)\("([^"]*)"\)(.*)|\}.* /\* (\w+).* \*/)$`).FindAllStringSubmatch(flow, -1) {
		thread, function, name := m[3], m[4], m[5]
		switch {
		case m[6] == " {":
			open[thread] = append(open[thread], name)
			continue
		case function == "" && len(open[thread]) > 0:
			last := len(open[thread]) - 1
			function, name, open[thread] = m[7], open[thread][last], open[thread][:last]
		}
		if m[1] == "" {
			continue
		}
		d, err := time.ParseDuration(m[1] + m[2])
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, hostCall{function, thread, name, d})
	}
	return list
}
