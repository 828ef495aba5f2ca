//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"utrace/bpf"
	"utrace/record"
	"utrace/record/plan"
)

func newDoctorCommand() *cobra.Command {
	var selfTest int
	var calibrate bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Show what this kernel, these privileges and this machine allow",
		Long: `Check what recording needs, one line each, and then record a process of utrace's own.

Results:
  ok     as it should be, or unimportant
  warn   recording works, with the restriction in the line
  FAIL   recording does not work; the line says what to do

The exit status is 0 if recording works, otherwise 1.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case selfTest > 0:
				return callSelfTested(selfTest)
			case calibrate:
				return record.ServeCalibration(cmd.InOrStdin(), cmd.OutOrStdout())
			}
			if !diagnose(cmd.Context(), cmd.OutOrStdout()) {
				return exitError(1)
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&selfTest, "self-test", 0, "call the function that is recorded, so many times")
	cmd.Flags().MarkHidden("self-test")
	cmd.Flags().BoolVar(&calibrate, "calibrate", false, "call functions of which the recorder measures what it costs to probe them")
	cmd.Flags().MarkHidden("calibrate")
	return cmd
}

// finding is the result of a check.
type finding struct {
	status string
	text   string
}

func ok(format string, args ...any) finding   { return finding{"ok", fmt.Sprintf(format, args...)} }
func warn(format string, args ...any) finding { return finding{"warn", fmt.Sprintf(format, args...)} }
func fail(format string, args ...any) finding { return finding{"FAIL", fmt.Sprintf(format, args...)} }

// diagnose prints a line for each check, and reports whether recording works.
func diagnose(ctx context.Context, w io.Writer) bool {
	works := true
	method, methodErr := bpf.Auto.Choose(true)
	for _, c := range []struct {
		name  string
		check func() finding
	}{
		{"kernel", checkKernel},
		{"privileges", func() finding { return checkPrivileges(readCapabilities(), method) }},
		{"BPF programs", checkPrograms},
		{"ring buffer", func() finding { return checkFeature(bpf.RingBuffer) }},
		{"atomic operations", func() finding { return checkFeature(bpf.Atomics) }},
		{"cookies", func() finding { return checkFeature(bpf.Cookies) }},
		{"uprobe_multi", checkMulti},
		{"perf events", func() finding { return checkPerf(method) }},
		{"way to attach", func() finding { return checkMethod(method, methodErr) }},
		{"probes without trap", checkFastNops},
		{"lockdown", checkLockdown},
		{"PID namespace", checkPIDNamespace},
		{"locked memory", func() finding { return ok("not limited: BPF memory counts for the memory cgroup since Linux 5.11") }},
		{"kernel BTF", checkBTF},
		{"self-test", func() finding { return checkRecording(ctx, methodErr) }},
	} {
		f := c.check()
		works = works && f.status != "FAIL"
		fmt.Fprintf(w, "%-4s  %-19s  %s\n", f.status, c.name, f.text)
	}
	return works
}

func checkKernel() finding {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		return fail("Linux %s on %s: utrace runs on x86-64 and arm64 only", bpf.Release(), runtime.GOARCH)
	}
	return ok("Linux %s on %s; utrace needs %s", bpf.Release(), runtime.GOARCH, bpf.Floor)
}

// capabilities is the effective set of this process, as /proc has it.
type capabilities uint64

func (c capabilities) has(bit int) bool { return c&(1<<bit) != 0 }

func readCapabilities() capabilities {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "\nCapEff:\t")
	line, _, _ := strings.Cut(rest, "\n")
	set, _ := strconv.ParseUint(line, 16, 64)
	return capabilities(set)
}

// checkPrivileges looks at the capabilities that recording takes. CAP_SYS_ADMIN
// implies CAP_BPF and CAP_PERFMON.
func checkPrivileges(have capabilities, method bpf.Method) finding {
	admin := have.has(unix.CAP_SYS_ADMIN)
	var missing []string
	for _, c := range []struct {
		bit  int
		name string
	}{{unix.CAP_BPF, "CAP_BPF"}, {unix.CAP_PERFMON, "CAP_PERFMON"}} {
		if !admin && !have.has(c.bit) {
			missing = append(missing, c.name)
		}
	}
	switch {
	case len(missing) > 0:
		text := "no " + strings.Join(missing, ", no ") + ": run utrace as root (sudo)"
		for _, sysctl := range []string{"unprivileged_bpf_disabled", "perf_event_paranoid"} {
			if value, err := os.ReadFile("/proc/sys/kernel/" + sysctl); err == nil {
				text += fmt.Sprintf("; kernel.%s is %s", sysctl, strings.TrimSpace(string(value)))
			}
		}
		return fail("%s", text)
	case !admin && method == bpf.Perf:
		return warn("no CAP_SYS_ADMIN: kernels with the repair of CVE-2025-38466 refuse perf-event uprobes without it")
	case !have.has(unix.CAP_SYS_PTRACE):
		return warn("no CAP_SYS_PTRACE: only processes of your own user can be recorded")
	case !admin:
		return ok("CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE")
	}
	return ok("CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_SYS_ADMIN")
}

func checkPrograms() finding {
	err := bpf.Programs.Probe()
	switch {
	case err == nil:
		return ok("can be loaded")
	case errors.Is(err, os.ErrPermission):
		return fail("permission denied: run utrace as root (sudo); in a container, give it the capabilities, and a seccomp profile that allows bpf(2)")
	}
	return fail("%v: is the kernel built with CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS?", err)
}

func checkFeature(f *bpf.Feature) finding {
	err := f.Probe()
	switch {
	case err == nil:
		return ok("present (Linux %s)", f.Since)
	case errors.Is(err, bpf.ErrUnsupported):
		return fail("%v; utrace needs Linux %s", err, bpf.Floor)
	}
	return unknown(err)
}

func unknown(err error) finding {
	if errors.Is(err, os.ErrPermission) {
		return warn("cannot be told without the privileges")
	}
	return warn("cannot be told: %v", err)
}

func checkMulti() finding {
	err := bpf.UprobeMulti.Probe()
	switch {
	case errors.Is(err, bpf.ErrUnsupported):
		return ok("absent (Linux %s): perf events do it, slower to attach and detach", bpf.UprobeMulti.Since)
	case err != nil:
		return unknown(err)
	}
	err = bpf.ThreadFilter.Probe()
	switch {
	case errors.Is(err, bpf.ErrUnsupported):
		return ok("present, but misses threads (until Linux %s): perf events are used for single processes", bpf.ThreadFilter.Since)
	case err != nil:
		return unknown(err)
	}
	return ok("present (Linux %s)", bpf.UprobeMulti.Since)
}

func checkPerf(method bpf.Method) finding {
	err := bpf.PerfUprobe.Probe()
	switch {
	case err == nil && method == bpf.Perf:
		room, err := record.PerfRoom()
		if err != nil {
			return unknown(err)
		}
		return ok("present; the limits of open files have room for %d probes", room)
	case err == nil:
		return ok("present")
	case method == bpf.Multi:
		return ok("absent, not needed")
	case errors.Is(err, bpf.ErrUnsupported):
		return fail("absent: the kernel must be built with CONFIG_UPROBE_EVENTS, and sysfs be mounted")
	}
	return unknown(err)
}

func checkMethod(method bpf.Method, err error) finding {
	if err != nil {
		return fail("%s", strings.TrimPrefix(err.Error(), bpf.ErrUnsupported.Error()+": "))
	}
	return ok("%s", method)
}

func checkFastNops() finding {
	err := bpf.FastNops.Probe()
	switch {
	case err == nil:
		return ok("on functions that begin with a nop of five bytes")
	case errors.Is(err, bpf.ErrUnsupported):
		return ok("none (Linux %s, x86-64): every probe costs a trap", bpf.FastNops.Since)
	}
	return unknown(err)
}

func checkLockdown() finding {
	text, err := os.ReadFile("/sys/kernel/security/lockdown")
	if err != nil {
		return ok("none")
	}
	_, rest, _ := strings.Cut(string(text), "[")
	mode, _, _ := strings.Cut(rest, "]")
	if mode == "confidentiality" {
		return warn("confidentiality: the kernel may refuse probes; the mode is set at boot (lockdown=)")
	}
	return ok("%s", mode)
}

// checkPIDNamespace: the number of the first PID namespace is fixed
// (PROC_PID_INIT_INO in include/linux/proc_ns.h).
func checkPIDNamespace() finding {
	name, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return unknown(err)
	}
	if name != "pid:[4026531836]" {
		return warn("not the first one: the kernel numbers processes by the first; run utrace outside of the container (docker: --pid=host)")
	}
	return ok("the first one")
}

func checkBTF() finding {
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return warn("absent: neither --follow, which is the default for a COMMAND, nor --sched (a kernel with CONFIG_DEBUG_INFO_BTF)")
	}
	return ok("present: for --follow and --sched")
}

// selfTestCalls is how often the self-test calls its function.
const selfTestCalls = 100

// checkRecording records a process of this program that calls selfTested.
func checkRecording(ctx context.Context, methodErr error) finding {
	if methodErr != nil {
		return warn("not done")
	}
	exe, err := os.Executable()
	if err != nil {
		return unknown(err)
	}
	dir, err := os.MkdirTemp("", "utrace-doctor")
	if err != nil {
		return unknown(err)
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"SUDO_UID", "SUDO_GID"} { // the program may lie where that user cannot go
		os.Unsetenv(name)
	}
	if ctx == nil {
		ctx = context.Background()
	}
	probes, err := record.ParseProbes("main.selfTested")
	if err != nil {
		return fail("%v", err)
	}
	sum, err := record.Run(ctx, record.Config{
		Config: plan.Config{
			Command: []string{exe, "doctor", "--self-test", strconv.Itoa(selfTestCalls)},
			Probes:  probes,
		},
		Output: filepath.Join(dir, "trace.arrow"), RingBytes: 1 << 20,
	})
	switch {
	case errors.Is(err, record.ErrProbe):
		return warn("not possible: this utrace has no symbols")
	case err != nil:
		return fail("%v", err)
	case sum.Calls != selfTestCalls:
		return fail("%d calls recorded of %d (%d lost)", sum.Calls, selfTestCalls, sum.LostEntries)
	}
	return ok("%d calls made, %d recorded", selfTestCalls, sum.Calls)
}

var selfTestCount int

// selfTested has no check of its stack, and so may be probed like a function in C.
//
//go:noinline
//go:nosplit
func selfTested() { selfTestCount++ }

func callSelfTested(times int) error {
	for range times {
		selfTested()
	}
	if selfTestCount != times {
		return fmt.Errorf("%d calls made of %d", selfTestCount, times)
	}
	return nil
}
