//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"
)

// Method says how probes are attached. The zero value is Auto.
type Method uint8

const (
	// Auto is the best of the other methods that the kernel has.
	Auto Method = iota
	// Multi attaches with uprobe_multi links: thousands of probes at once.
	Multi
	// Perf attaches with a perf event and a link for each probe.
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
	return 0, fmt.Errorf("%q is no method to attach: use auto, multi or perf", name)
}

// Choose returns the method to use, never Auto. oneProcess is set if probes will be attached in
// single processes, not in all at once. An error is ErrUnsupported, and says what to do.
func (m Method) Choose(oneProcess bool) (Method, error) {
	return m.choose(oneProcess, (*Feature).Probe)
}

// choose is Choose for a kernel with the features for which has returns nil. It checks, in order:
//
//  1. What both methods need.
//  2. Multi, unless it would miss threads. A link for all processes would not miss any, but what is
//     safe in one program (see package record) can end another.
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

// denied is the error without the privileges to record. It is ErrUnsupported and os.ErrPermission.
type denied struct{}

func (denied) Error() string {
	return "no permission to load BPF programs: run utrace as root (sudo), " +
		"or with CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE; utrace doctor shows what is missing"
}

func (denied) Is(target error) bool {
	return target == ErrUnsupported || target == os.ErrPermission
}

// cannot makes the error for a missing feature: it says what to do.
func cannot(err error) error {
	var missing *UnsupportedError
	switch {
	case errors.Is(err, os.ErrPermission):
		return denied{}
	case errors.As(err, &missing) && (missing.Feature == UprobeMulti || missing.Feature == ThreadFilter):
		return fmt.Errorf("%w with method multi: %w", ErrUnsupported, err)
	case errors.As(err, &missing):
		return fmt.Errorf("%w: %w; utrace needs Linux %s or newer, "+
			"built with CONFIG_BPF_SYSCALL, CONFIG_BPF_EVENTS and CONFIG_UPROBE_EVENTS", ErrUnsupported, err, Floor)
	}
	return fmt.Errorf("%w: %w", ErrUnsupported, err)
}
