//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
)

// ErrUnsupported is wrapped by the errors of Check.
var ErrUnsupported = errors.New("this machine cannot record")

// Check returns nil where probes can be attached, and otherwise an error that
// says what is missing and what to do about it. Loading a program needs
// CAP_BPF and CAP_PERFMON; links of the kind uprobe_multi came with Linux 6.6
// (commit 89ae89f53d20).
func Check() error {
	err := features.HaveBPFLinkUprobeMulti()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: no permission to load BPF programs: run it as root (sudo), or with CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE", ErrUnsupported)
	case errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("%w: the kernel has no uprobe_multi links: Linux 6.6 or newer is needed, built with CONFIG_UPROBES and CONFIG_BPF_EVENTS", ErrUnsupported)
	}
	return fmt.Errorf("%w: %w", ErrUnsupported, err)
}
