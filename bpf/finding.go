//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// State says how good a Finding is.
type State uint8

const (
	// OK: as it should be, or it does not matter.
	OK State = iota
	// Warn: recording works, with the restriction in Detail.
	Warn
	// Fail: recording does not work.
	Fail
)

// Finding is the result of one check of this machine.
type Finding struct {
	Name   string // of what was checked, such as "kernel BTF"
	State  State
	Detail string // what was found
	Remedy string // what to do about it; "" if there is nothing to do
}

// Findings checks the kernel, the privileges of this process and the machine, in the order in which
// recording needs them. perfRoom returns how many probes the limits of open files allow with Perf.
func Findings(perfRoom func() (probes int, err error)) []Finding {
	method, err := Auto.Choose(true)
	return []Finding{
		kernelFinding(runtime.GOARCH),
		privilegeFinding(readCapabilities(), method),
		programsFinding(),
		featureFinding("ring buffer", RingBuffer),
		featureFinding("atomic operations", Atomics),
		featureFinding("cookies", Cookies),
		multiFinding(),
		perfFinding(method, perfRoom),
		methodFinding(method, err),
		fastNopsFinding(),
		sessionsFinding(),
		filteredReturnsFinding(),
		lockdownFinding(),
		namespaceFinding(),
		ok("locked memory", "not limited: BPF memory counts for the memory cgroup since Linux 5.11"),
		btfFinding(),
	}
}

func ok(name, detail string, args ...any) Finding {
	return Finding{Name: name, Detail: fmt.Sprintf(detail, args...)}
}

// unchecked is the finding where a check gave no answer.
func unchecked(name string, err error) Finding {
	if errors.Is(err, os.ErrPermission) {
		return Finding{name, Warn, "cannot be checked without privileges", ""}
	}
	return Finding{name, Warn, fmt.Sprintf("cannot be checked: %v", err), ""}
}

func kernelFinding(arch string) Finding {
	const name = "kernel"
	if arch != "amd64" && arch != "arm64" {
		return Finding{name, Fail, fmt.Sprintf("Linux %s on %s", Release(), arch), "utrace runs on x86-64 and arm64 only"}
	}
	return ok(name, "Linux %s on %s; utrace needs %s", Release(), arch, Floor)
}

func programsFinding() Finding {
	const name = "BPF programs"
	err := Programs.Probe()
	switch {
	case err == nil:
		return ok(name, "can be loaded")
	case errors.Is(err, os.ErrPermission):
		return Finding{name, Fail, "permission denied",
			"run utrace as root (sudo); a container needs the capabilities, and a seccomp profile that allows bpf(2)"}
	}
	return Finding{name, Fail, err.Error(), "is the kernel built with CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS?"}
}

func featureFinding(name string, f *Feature) Finding {
	err := f.Probe()
	switch {
	case err == nil:
		return ok(name, "present (Linux %s)", f.Since)
	case errors.Is(err, ErrUnsupported):
		return Finding{name, Fail, err.Error(), "utrace needs Linux " + Floor}
	}
	return unchecked(name, err)
}

func multiFinding() Finding {
	const name = "uprobe_multi"
	err := UprobeMulti.Probe()
	switch {
	case errors.Is(err, ErrUnsupported):
		return ok(name, "absent (Linux %s): perf events are used, slower to attach and detach", UprobeMulti.Since)
	case err != nil:
		return unchecked(name, err)
	}
	err = ThreadFilter.Probe()
	switch {
	case errors.Is(err, ErrUnsupported):
		return ok(name, "present, but misses threads (until Linux %s): perf events are used for single processes", ThreadFilter.Since)
	case err != nil:
		return unchecked(name, err)
	}
	return ok(name, "present (Linux %s)", UprobeMulti.Since)
}

func perfFinding(method Method, perfRoom func() (int, error)) Finding {
	const name = "perf events"
	err := PerfUprobe.Probe()
	switch {
	case err == nil && method == Perf:
		room, err := perfRoom()
		if err != nil {
			return unchecked(name, err)
		}
		return ok(name, "present; the limits of open files allow %d probes", room)
	case err == nil:
		return ok(name, "present")
	case method == Multi:
		return ok(name, "absent, not needed")
	case errors.Is(err, ErrUnsupported):
		return Finding{name, Fail, "absent", "build the kernel with CONFIG_UPROBE_EVENTS, and mount sysfs"}
	}
	return unchecked(name, err)
}

func methodFinding(method Method, err error) Finding {
	const name = "way to attach"
	switch {
	case errors.Is(err, os.ErrPermission):
		return Finding{name, Fail, "no permission to load BPF programs", "run utrace as root (sudo)"}
	case err != nil:
		return Finding{name, Fail, strings.TrimPrefix(err.Error(), ErrUnsupported.Error()+": "), ""}
	}
	return ok(name, "%s", method)
}

func fastNopsFinding() Finding {
	const name = "probes without trap"
	err := FastNops.Probe()
	switch {
	case err == nil:
		return ok(name, "on functions that begin with a nop of five bytes")
	case errors.Is(err, ErrUnsupported):
		return ok(name, "none (Linux %s, x86-64): every probe costs a trap", FastNops.Since)
	}
	return unchecked(name, err)
}

func sessionsFinding() Finding {
	const name = "dropped calls"
	err := Sessions.Probe()
	switch {
	case err == nil:
		return ok(name, "no trap at the return if a condition on arguments drops them")
	case errors.Is(err, ErrUnsupported):
		return ok(name, "a trap at the return like others (Linux %s: none)", Sessions.Since)
	}
	return unchecked(name, err)
}

func filteredReturnsFinding() Finding {
	const name = "system call filters"
	err := FilteredReturns.Probe()
	switch {
	case err == nil:
		return ok(name, "let return probes pass")
	case errors.Is(err, ErrUnsupported):
		return Finding{name, Warn, "would kill programs at return probes: returns are seen by their instructions, which costs more",
			fmt.Sprintf("use Linux %s, or a kernel with commit %s", FilteredReturns.Since, FilteredReturns.Commit)}
	}
	return unchecked(name, err)
}

func btfFinding() Finding {
	const name = "kernel BTF"
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return Finding{name, Warn, "absent: children of a process cannot be followed, and switches of threads not be recorded",
			"use a kernel with CONFIG_DEBUG_INFO_BTF"}
	}
	return ok(name, "present: children of a process can be followed, and switches of threads be recorded")
}
