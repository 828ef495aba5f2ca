//go:build linux

package harness

import (
	"os"
	"os/exec"
	"testing"

	"github.com/cilium/ebpf/btf"

	"utrace/bpf"
)

// NeedKernel skips a test where probes cannot be attached.
func NeedKernel(t testing.TB) {
	t.Helper()
	if err := bpf.Check(); err != nil {
		t.Skipf("needs root and BPF: %v", err)
	}
}

// NeedTracepoint skips the test on a kernel without a tracepoint for BPF programs.
func NeedTracepoint(t testing.TB, name string) {
	t.Helper()
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		t.Skipf("needs BTF of the kernel: %v", err)
	}
	if types, err := kernel.AnyTypesByName("btf_trace_" + name); err != nil || len(types) == 0 {
		t.Skipf("the kernel has no tracepoint %s", name)
	}
}

// NeedTool skips a test that uses a program that is not installed. The name may be a path.
func NeedTool(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("needs %s: %v", name, err)
	}
}

// NeedSDT skips a test that builds programs with sys/sdt.h, where it is not installed.
func NeedSDT(t testing.TB) {
	t.Helper()
	for _, path := range []string{"/usr/include/x86_64-linux-gnu/sys/sdt.h", "/usr/include/aarch64-linux-gnu/sys/sdt.h", "/usr/include/sys/sdt.h"} {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
	t.Skip("needs sys/sdt.h (Debian: systemtap-sdt-dev)")
}

// AttachMethods returns the values of --attach that this kernel supports. It skips the test where
// probes cannot be attached at all.
func AttachMethods(t *testing.T) []bpf.Method {
	t.Helper()
	NeedKernel(t)
	var list []bpf.Method
	for _, m := range []bpf.Method{bpf.Multi, bpf.Perf} {
		if _, err := m.Choose(true); err != nil {
			t.Logf("--attach=%s: %v", m, err)
			continue
		}
		list = append(list, m)
	}
	return list
}

// Long skips a test, or a subtest, with -short. make test leaves those to make test-long that take
// long, or that differ only in a detail from one that remains.
func Long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("only in make test-long")
	}
}
