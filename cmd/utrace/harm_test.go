//go:build linux

package main

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// TestHarmless: programs that a replaced return address, or a breakpoint in the
// wrong place, would break behave as they do alone.
func TestHarmless(t *testing.T) {
	needKernel(t)
	needTool(t, "g++")
	if runtime.GOARCH != "amd64" {
		t.Skip("the programs have assembly of x86-64")
	}
	throws := filepath.Join(t.TempDir(), "libthrows.so")
	if text, err := exec.Command("g++", "-O1", "-shared", "-fPIC", "-o", throws, "../../testdata/targets/harm/thrower.cpp").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, c := range []struct {
		name, source string
		flags        []string
	}{
		{"home-made coroutine", "harm/switch_asm.c", []string{"-O1"}},
		{"handlers on a higher stack", "harm/altstack.c", []string{"-O1"}},
		{"exception through C", "harm/callback.c", []string{"-O1", throws, "-Wl,-rpath," + filepath.Dir(throws)}},
		{"cancellation", "harm/cleanup.c", []string{"-O1", "-fexceptions"}},
		{"AVX2", "harm/avx.c", []string{"-O2", "-mavx2"}},
		{"static program, its C library included", "calls.c", []string{"-O1", "-static"}},
		{"static C++ program", "exceptions.cpp", []string{"-O1", "-static"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bin := target(t, c.source, c.flags...)
			alone := exec.Command(bin)
			want, _ := alone.Output()
			trace := filepath.Join(t.TempDir(), "trace.arrow")
			traced := exec.Command(utracePath, "record", "-e", "*", "-o", trace, "--", bin)
			timer := time.AfterFunc(60*time.Second, func() { traced.Process.Kill() })
			defer timer.Stop()
			got, err := traced.Output()
			if string(got) != string(want) || traced.ProcessState.ExitCode() != alone.ProcessState.ExitCode() {
				t.Errorf("prints %q and ends with %d; alone %q and %d (%v)", got, traced.ProcessState.ExitCode(), want, alone.ProcessState.ExitCode(), err)
			}
			if len(analyzeTrace(t, trace).calls()) == 0 {
				t.Error("nothing was recorded")
			}
		})
	}
}

// TestHarmlessToData: data among the code are not taken for return instructions, and no return is lost by that.
func TestHarmlessToData(t *testing.T) {
	needKernel(t)
	program := target(t, "textdata.cpp", "-O2")
	untraced, err := exec.Command(program).Output()
	if err != nil {
		t.Fatal(err)
	}
	_, trace, stdout := recordStatic(t, []string{"-e", "lookup*", "-e", "catches"}, program)
	if stdout != string(untraced) {
		t.Errorf("traced, it prints %q; else %q", stdout, untraced)
	}
	r := analyzeTrace(t, trace)
	wantCounts(t, "calls", r.calls(), map[string]uint64{"lookup": 4, "lookup_unsized": 4, "lookup_between": 4, "catches": 4})
	if len(r.incomplete()) > 0 {
		t.Errorf("without a return: %v", r.incomplete())
	}
}
