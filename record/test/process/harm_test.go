//go:build linux

package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// TestHarmless: programs behave as they do alone, although a replaced return address or a misplaced
// breakpoint would break them.
func TestHarmless(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTool(t, "g++")
	if runtime.GOARCH != "amd64" {
		t.Skip("the programs have assembly of x86-64")
	}
	dir := t.TempDir()
	library := func(name, source string, flags ...string) string {
		return harness.Library(t, filepath.Join(dir, name), "harm/"+source, flags...)
	}
	throws := library("libthrows.so", "thrower.cpp")
	switches := library("libswitches.so", "switcher.c", "-DUCONTEXT")
	quiet := library("libquiet.so", "quiet.c")
	assembly := library("libassembly.so", "switcher.c")
	for _, c := range []struct {
		name, source string
		flags        []string
		record       []string // of the command line, in place of -e '*'
		preload      string
	}{
		{name: "home-made coroutine", source: "harm/switch_asm.c", flags: []string{"-O1"}},
		{name: "handlers on a higher stack", source: "harm/altstack.c", flags: []string{"-O1"}},
		{name: "exception through C", source: "harm/callback.c", flags: []string{"-O1", throws, "-Wl,-rpath," + dir}},
		{name: "exception through C, of a plugin", source: "harm/plugin_host.c", flags: []string{"-O1", "-DPLUGIN=\"" + throws + "\""}},
		{name: "coroutine in a plugin", source: "harm/plugin_host.c", flags: []string{"-O1", "-DPLUGIN=\"" + switches + "\""}},
		{name: "home-made coroutine in a library", source: "harm/callback.c", flags: []string{"-O1", assembly, "-Wl,-rpath," + dir}},
		{name: "exception through C, of a preloaded library", source: "harm/callback.c", flags: []string{"-O1", quiet, "-Wl,-rpath," + dir}, preload: throws},
		{name: "coroutine in a comparator", source: "harm/comparator.c", flags: []string{"-O1"}, record: []string{"--no-follow", "-e", "c:qsort"}},
		{name: "exception through a stream", source: "harm/stream.cpp", flags: []string{"-O1"}, record: []string{"--no-follow", "-e", "c:fread"}},
		{name: "coroutines that a signal handler switches", source: "harm/preempt.c", flags: []string{"-O1"}, record: []string{"--no-follow", "-e", "c:nanosleep", "-e", "c:clock_nanosleep"}},
		{name: "cancellation", source: "harm/cleanup.c", flags: []string{"-O1", "-fexceptions"}},
		{name: "cancellation in the C library", source: "harm/cleanup.c", flags: []string{"-O1", "-fexceptions"}, record: []string{"--no-follow", "-e", "c:usleep", "-e", "c:nanosleep", "-e", "c:clock_nanosleep"}},
		{name: "cancellation in a static program", source: "harm/cleanup.c", flags: []string{"-O1", "-fexceptions", "-static"}, record: []string{"--no-follow", "-e", "wait_for_ever", "-e", "usleep", "-e", "clock_nanosleep"}},
		{name: "cancellation through C", source: "harm/destructor.cpp", flags: []string{"-O1", quiet, "-Wl,-rpath," + dir}, record: []string{"--no-follow", "-e", quiet + ":run"}},
		{name: "AVX2", source: "harm/avx.c", flags: []string{"-O2", "-mavx2"}},
		{name: "static program, its C library included", source: "calls.c", flags: []string{"-O1", "-static"}},
		{name: "static C++ program", source: "exceptions.cpp", flags: []string{"-O1", "-static"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bin := harness.Target(t, c.source, c.flags...)
			var env []string
			if c.preload != "" {
				env = append(os.Environ(), "LD_PRELOAD="+c.preload)
			}
			if c.record == nil {
				c.record = []string{"-e", "*"}
			}
			alone := exec.Command(bin)
			alone.Env = env
			want, _ := alone.Output()
			trace := filepath.Join(t.TempDir(), "trace.arrow")
			traced := exec.Command(harness.Binary(), slices.Concat([]string{"record", "-o", trace}, c.record, []string{"--", bin})...)
			traced.Env = env
			traced.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			timer := time.AfterFunc(60*time.Second, func() { syscall.Kill(-traced.Process.Pid, syscall.SIGKILL) })
			defer timer.Stop()
			got, err := traced.Output()
			if string(got) != string(want) || traced.ProcessState.ExitCode() != alone.ProcessState.ExitCode() {
				t.Errorf("prints %q and ends with %d; alone %q and %d (%v)", got, traced.ProcessState.ExitCode(), want, alone.ProcessState.ExitCode(), err)
			}
			if len(harness.Analyze(t, trace).Calls()) == 0 {
				t.Error("nothing was recorded")
			}
		})
	}
}

// TestHarmlessToData: data between the instructions is not taken for return instructions, and no
// return is missed.
func TestHarmlessToData(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "textdata.cpp", "-O2")
	untraced, err := exec.Command(program).Output()
	if err != nil {
		t.Fatal(err)
	}
	_, trace, stdout := harness.RecordFlow(t, []string{"-e", "lookup*", "-e", "catches"}, program)
	if stdout != string(untraced) {
		t.Errorf("traced, it prints %q; else %q", stdout, untraced)
	}
	r := harness.Analyze(t, trace)
	harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{"lookup": 4, "lookup_unsized": 4, "lookup_between": 4, "catches": 4})
	if len(r.Incomplete()) > 0 {
		t.Errorf("without a return: %v", r.Incomplete())
	}
}
