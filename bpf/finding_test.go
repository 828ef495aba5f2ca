//go:build linux

package bpf

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFindings: every check has a name and says what it found, and a failure says what to do.
func TestFindings(t *testing.T) {
	names := map[string]bool{}
	for _, f := range Findings(func() (int, error) { return 7, nil }) {
		if f.Name == "" || names[f.Name] || f.Detail == "" {
			t.Errorf("%+v", f)
		}
		names[f.Name] = true
		if f.State == Fail && f.Remedy == "" && f.Name != "way to attach" {
			t.Errorf("no remedy: %+v", f)
		}
	}
}

func TestPrivileges(t *testing.T) {
	set := func(bits ...int) (c capabilities) {
		for _, b := range bits {
			c |= 1 << b
		}
		return c
	}
	for _, c := range []struct {
		have   capabilities
		method Method
		state  State
		detail string
	}{
		{0, 0, Fail, "no CAP_BPF, no CAP_PERFMON"},
		{set(unix.CAP_BPF), Multi, Fail, "no CAP_PERFMON"},
		{set(unix.CAP_BPF, unix.CAP_PERFMON), Multi, Warn, "no CAP_SYS_PTRACE"},
		{set(unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_PTRACE), Perf, Warn, "no CAP_SYS_ADMIN"},
		{set(unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_PTRACE), Multi, OK, "CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE"},
		{set(unix.CAP_SYS_ADMIN, unix.CAP_SYS_PTRACE), Perf, OK, "CAP_SYS_ADMIN"},
	} {
		if f := privilegeFinding(c.have, c.method); f.State != c.state || !strings.Contains(f.Detail, c.detail) {
			t.Errorf("%x, %s: %+v, want %q", c.have, c.method, f, c.detail)
		}
	}
}

func TestFindingStates(t *testing.T) {
	if f := kernelFinding("riscv64"); f.State != Fail || !strings.Contains(f.Remedy, "arm64") {
		t.Errorf("%+v", f)
	}
	if f := unchecked("x", os.ErrPermission); f.State != Warn || !strings.Contains(f.Detail, "privileges") {
		t.Errorf("%+v", f)
	}
	if f := methodFinding(0, cannot(errors.New("it broke"))); f.State != Fail || f.Detail != "it broke" {
		t.Errorf("%+v", f)
	}
}
