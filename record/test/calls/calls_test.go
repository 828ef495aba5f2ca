//go:build linux

package calls

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// callgrind counts the calls of every function by simulation.
func callgrind(t *testing.T, command ...string) map[string]uint64 {
	t.Helper()
	harness.NeedTool(t, "valgrind")
	out := filepath.Join(t.TempDir(), "callgrind.out")
	args := append([]string{"--tool=callgrind", "--compress-strings=no", "--compress-pos=no", "--callgrind-out-file=" + out}, command...)
	if text, err := exec.Command("valgrind", args...).CombinedOutput(); err != nil {
		t.Fatalf("valgrind: %v\n%s", err, text)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	callee := ""
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "cfn="); ok {
			callee, _, _ = strings.Cut(strings.TrimSpace(name), "'") // 'N marks recursion
		} else if n, ok := strings.CutPrefix(line, "calls="); ok {
			count, err := strconv.ParseUint(strings.Fields(n)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			counts[callee] += count
		}
	}
	return counts
}

// TestCountsEqualCallgrind compares the calls of each function with callgrind.
func TestCountsEqualCallgrind(t *testing.T) {
	harness.NeedKernel(t)
	for _, c := range []struct {
		source string
		flags  []string
	}{
		{"calls.c", []string{"-O0"}},
		{"calls.c", []string{"-O2"}},
		{"calls.c", []string{"-O1", "-no-pie"}},
		{"calls.c", []string{"-O2", "-fcf-protection"}},
		{"threads.c", []string{"-O0"}},
		{"threads.c", []string{"-O2"}},
	} {
		t.Run(c.source+strings.Join(c.flags, ""), func(t *testing.T) {
			t.Parallel()
			bin := harness.Target(t, c.source, c.flags...)
			want := callgrind(t, bin, "200")
			r := harness.Record(t, []string{"-e", "*"}, bin, "200")
			if r.Trace.Lost != 0 {
				t.Fatalf("%d events lost", r.Trace.Lost)
			}
			if len(r.Functions) < 6 {
				t.Errorf("only %d functions", len(r.Functions))
			}
			for _, f := range r.Functions {
				if f.Calls != want[f.Name] || f.Incomplete != 0 {
					t.Errorf("%s: %d calls, %d incomplete; callgrind counts %d", f.Name, f.Calls, f.Incomplete, want[f.Name])
				}
				if !strings.HasSuffix(f.File, c.source) || f.Line == 0 {
					t.Errorf("%s is at %q line %d", f.Name, f.File, f.Line)
				}
			}
		})
	}
}

// TestFramesLeftWithoutReturn: calls that longjmp, exit or a thread's end leave are incomplete, and
// the others are not.
func TestFramesLeftWithoutReturn(t *testing.T) {
	harness.NeedKernel(t)
	for _, c := range []struct {
		how        string
		calls      map[string]uint64
		incomplete map[string]uint64
	}{
		{"jump", map[string]uint64{"try_jump": 50, "deep1": 50, "deep5": 50}, map[string]uint64{"deep1": 25, "deep2": 25, "deep3": 25, "deep4": 25, "deep5": 25}},
		{"thread", map[string]uint64{"thread_main": 50, "in_thread": 50}, map[string]uint64{"thread_main": 50, "in_thread": 50, "leave_thread": 50}},
		{"exit", map[string]uint64{"in_process": 1}, map[string]uint64{"main": 1, "in_process": 1, "leave_process": 1}},
		{"signal", map[string]uint64{"raise_inside": 50, "on_signal": 50, "on_signal_inner": 50}, nil},
		{"altstack", map[string]uint64{"raise_inside": 50, "on_signal": 50, "on_signal_inner": 50}, nil},
		{"alloca", map[string]uint64{"with_alloca": 50, "fill": 50}, nil},
		{"tail", map[string]uint64{"tail_start": 50, "tail_middle": 50, "tail_end": 50}, nil},
	} {
		for _, opt := range []string{"-O0", "-O2"} {
			t.Run(c.how+opt, func(t *testing.T) {
				t.Parallel()
				r := harness.Record(t, []string{"-e", "*"}, harness.Target(t, "jumps.c", opt), c.how)
				harness.WantCounts(t, "calls", r.Calls(), c.calls)
				got := r.Incomplete()
				harness.WantCounts(t, "incomplete calls", got, c.incomplete)
				if len(got) != len(c.incomplete) {
					t.Errorf("incomplete calls %v, want %v", got, c.incomplete)
				}
				for _, f := range r.Functions {
					if f.TotalNs > uint64(r.Trace.DurationNs) {
						t.Errorf("%s took %d ns of a recording of %d", f.Name, f.TotalNs, r.Trace.DurationNs)
					}
				}
			})
		}
	}
}

// TestExceptions: exceptions are thrown and caught as without probes. A uretprobe of the kernel
// would abort this program.
func TestExceptions(t *testing.T) {
	harness.NeedKernel(t)
	r := harness.Record(t, []string{"-e", "*"}, harness.Target(t, "exceptions.cpp", "-O2"))
	harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{"app::catches": 50, "app::passes(int)": 50, "app::passes(double)": 50, "app::fails": 50, "main": 1})
	harness.WantCounts(t, "incomplete calls", r.Incomplete(), map[string]uint64{"app::catches": 0, "app::passes(int)": 25, "app::passes(double)": 25, "app::fails": 25, "main": 0})
}

// TestCoroutines: calls on stacks that the program switches are counted. A uretprobe of the kernel
// would break this program.
func TestCoroutines(t *testing.T) {
	harness.NeedKernel(t)
	r := harness.Record(t, []string{"-e", "*"}, harness.Target(t, "coroutines.c", "-O1"))
	harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{"resume": 63, "body": 3, "part": 60, "before": 60, "yield": 60, "main": 1})
	harness.WantCounts(t, "incomplete calls", r.Incomplete(), map[string]uint64{"resume": 0, "before": 0, "main": 0})
}

// TestLoadedLibrary: functions of a library that the program loads with dlopen are counted.
func TestLoadedLibrary(t *testing.T) {
	harness.NeedKernel(t)
	host := harness.Target(t, "plugin.c", "-DHOST", "-ldl")
	lib := harness.Library(t, filepath.Join(t.TempDir(), "libplug.so"), "plugin.c")
	r := harness.Record(t, []string{"-e", "call_*", "-e", lib + ":plugin_*", "-e", "c:dl*open", "-e", "c:puts"}, host, lib)
	harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{"call_plugin": 30, "plugin_entry": 30, "plugin_inner": 30, "dlopen": 3})
}

// TestInstructions probes single instructions, by offset and by address.
func TestInstructions(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTool(t, "objdump")
	bin := harness.Target(t, "calls.c", "-O0")
	text, err := exec.Command("objdump", "-d", "--no-show-raw-insn", bin).Output()
	if err != nil {
		t.Fatal(err)
	}
	body := regexp.MustCompile(`(?s)<fib>:\n(.*?)\n\n`).FindStringSubmatch(string(text))[1]
	addr := regexp.MustCompile(`(?m)^ +([0-9a-f]+):`).FindAllStringSubmatch(body, -1)
	first, _ := strconv.ParseUint(addr[0][1], 16, 64)
	second, _ := strconv.ParseUint(addr[2][1], 16, 64)
	offset := second - first
	r := harness.Record(t, []string{"-e", fmt.Sprintf("fib+%#x", offset), "-e", fmt.Sprintf(":%#x", first)}, bin, "1")
	harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{"fib": 67, fmt.Sprintf("fib+%#x", offset): 67})

	// At -O0 a function begins with push %rbp (1 byte), mov %rsp,%rbp (3 bytes).
	_, stderr, status := harness.Utrace(t, "plan", "-e", "fib+2", bin)
	if status != 1 || !strings.Contains(stderr, "middle of an instruction") {
		t.Errorf("status %d\n%s", status, stderr)
	}
}

// TestPlanEqualsNM: plan prints the addresses that nm prints.
func TestPlanEqualsNM(t *testing.T) {
	harness.NeedTool(t, "nm")
	for _, flag := range []string{"-pie", "-no-pie"} {
		bin := harness.Target(t, "calls.c", flag, "-O0")
		text, err := exec.Command("nm", bin).Output()
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for _, m := range regexp.MustCompile(`(?m)^([0-9a-f]+) [Tt] (\w+)$`).FindAllStringSubmatch(string(text), -1) {
			want[m[2]] = "0x" + m[1]
		}
		stdout, stderr, status := harness.Utrace(t, "plan", bin)
		if status != 0 {
			t.Fatalf("status %d\n%s", status, stderr)
		}
		got := map[string]string{}
		for _, m := range regexp.MustCompile(`(?m)^(0x[0-9a-f]+) \+\d+ +\S+ +[0-9.]+ us +\S+ +(\w+)(?:  #.*)?$`).FindAllStringSubmatch(stdout, -1) {
			got[m[2]] = m[1]
		}
		for _, name := range []string{"main", "leaf", "middle", "outer", "fib", "is_odd", "is_even", "hidden", "make_big", "compare"} {
			if got[name] == "" || got[name] != want[name] {
				t.Errorf("%s %s: %s, nm says %s", flag, name, got[name], want[name])
			}
		}
	}
}

// TestRust: names are demangled, and a caught panic unwinds as without probes.
func TestRust(t *testing.T) {
	harness.NeedKernel(t)
	bin := filepath.Join(t.TempDir(), "panics")
	harness.Run(t, "rustc", "-g", "-C", "opt-level=1", "-o", bin, harness.Testdata(t, "targets/panics.rs"))
	r := harness.Record(t, []string{"-e", "panics::*"}, bin)
	harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{"panics::guarded": 20, "panics::passes": 20, "panics::fails": 20, "panics::counts": 20})
	harness.WantCounts(t, "incomplete calls", r.Incomplete(), map[string]uint64{"panics::guarded": 0, "panics::passes": 10, "panics::fails": 10, "panics::counts": 0})
}

// TestCallsReturnToPageStart: a call may return to the first byte of a page. It is not taken for a
// tail call of a call that has not returned.
func TestCallsReturnToPageStart(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "pagestart.c", "-O2")
	lines, _, stdout := harness.RecordFlow(t, []string{"-e", "twice", "-e", "leaves", "-e", "after", "-e", "inner"}, program)
	if !strings.HasSuffix(strings.TrimSpace(stdout), "000") {
		t.Fatalf("the call returns to %s", stdout)
	}
	harness.WantLines(t, lines, slices.Repeat([]string{
		"twice() {", "  leaves() {", "  } /* leaves: unwound */", "  after() {", "    inner();", "  } /* after */", "} /* twice */",
	}, 3))
}
