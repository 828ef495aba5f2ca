//go:build linux

package main

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
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
	dir := t.TempDir()
	library := func(name, compiler, source string, flags ...string) string {
		path := filepath.Join(dir, name)
		runText(t, append([]string{compiler, "-O1", "-shared", "-fPIC", "-o", path, "../../testdata/targets/harm/" + source}, flags...)...)
		return path
	}
	throws := library("libthrows.so", "g++", "thrower.cpp")
	switches := library("libswitches.so", "gcc", "switcher.c", "-DUCONTEXT")
	assembly := library("libassembly.so", "gcc", "switcher.c")
	for _, c := range []struct {
		name, source string
		flags        []string
	}{
		{"home-made coroutine", "harm/switch_asm.c", []string{"-O1"}},
		{"handlers on a higher stack", "harm/altstack.c", []string{"-O1"}},
		{"exception through C", "harm/callback.c", []string{"-O1", throws, "-Wl,-rpath," + dir}},
		{"exception through C, of a plugin", "harm/plugin_host.c", []string{"-O1", "-DPLUGIN=\"" + throws + "\""}},
		{"coroutine in a plugin", "harm/plugin_host.c", []string{"-O1", "-DPLUGIN=\"" + switches + "\""}},
		{"home-made coroutine in a library", "harm/callback.c", []string{"-O1", assembly, "-Wl,-rpath," + dir}},
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
			traced.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			timer := time.AfterFunc(60*time.Second, func() { syscall.Kill(-traced.Process.Pid, syscall.SIGKILL) })
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
