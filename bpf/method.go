//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"
)

// Method is a way to attach probes. The zero value is Auto.
type Method uint8

const (
	// Auto is the best of the others that the kernel has.
	Auto Method = iota
	// Multi attaches with uprobe_multi links: thousands of probes at once.
	Multi
	// Perf attaches with a perf event and a link for every single probe.
	Perf
)

var methodNames = [...]string{"auto", "multi", "perf"}

func (m Method) String() string { return methodNames[m] }

// ParseMethod returns the method of that name.
func ParseMethod(name string) (Method, error) {
	for m, n := range methodNames {
		if n == name {
			return Method(m), nil
		}
	}
	return 0, fmt.Errorf("%q is not a way to attach: auto, multi or perf", name)
}

// Choose returns the method to use, never Auto. oneProcess says that probes will be attached in
// single processes, not in all.
func (m Method) Choose(oneProcess bool) (Method, error) {
	return m.choose(oneProcess, (*Feature).Probe)
}

// choose is Choose for a kernel that has the features that has returns nil for:
//
//  1. What both methods need.
//  2. Multi, unless it would miss threads. A link for all processes would not; but what is safe in
//     one program (see package record) can end another.
//  3. Perf.
func (m Method) choose(oneProcess bool, has func(*Feature) error) (Method, error) {
	for _, f := range []*Feature{Programs, RingBuffer, Atomics, Cookies} {
		if err := has(f); err != nil {
			return 0, cannot(err)
		}
	}
	if m != Perf {
		err := has(UprobeMulti)
		if err == nil && oneProcess {
			err = has(ThreadFilter)
		}
		if err == nil {
			return Multi, nil
		}
		if m == Multi || !errors.Is(err, ErrUnsupported) {
			return 0, cannot(err)
		}
	}
	if err := has(PerfUprobe); err != nil {
		return 0, cannot(err)
	}
	return Perf, nil
}

// cannot says what to do about a feature that is missing.
func cannot(err error) error {
	var missing *UnsupportedError
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: no permission to load BPF programs: run it as root (sudo), or with CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE", ErrUnsupported)
	case errors.As(err, &missing) && (missing.Feature == UprobeMulti || missing.Feature == ThreadFilter):
		return fmt.Errorf("%w like this: %w; perf events (--attach=perf) do without", ErrUnsupported, err)
	case errors.As(err, &missing):
		return fmt.Errorf("%w: %w; utrace needs Linux %s or newer, built with CONFIG_BPF_SYSCALL, CONFIG_BPF_EVENTS and CONFIG_UPROBE_EVENTS", ErrUnsupported, err, Floor)
	}
	return fmt.Errorf("%w: %w", ErrUnsupported, err)
}
