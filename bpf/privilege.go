//go:build linux

package bpf

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// capabilities is the effective set of this process: bits as in include/uapi/linux/capability.h.
type capabilities uint64

func (c capabilities) has(bit int) bool { return c&(1<<bit) != 0 }

func readCapabilities() capabilities {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "\nCapEff:\t")
	line, _, _ := strings.Cut(rest, "\n")
	set, _ := strconv.ParseUint(line, 16, 64)
	return capabilities(set)
}

// privilegeFinding checks the capabilities that recording takes. CAP_SYS_ADMIN implies CAP_BPF and
// CAP_PERFMON.
func privilegeFinding(have capabilities, method Method) Finding {
	const name = "privileges"
	admin := have.has(unix.CAP_SYS_ADMIN)
	var missing []string
	if !admin && !have.has(unix.CAP_BPF) {
		missing = append(missing, "no CAP_BPF")
	}
	if !admin && !have.has(unix.CAP_PERFMON) {
		missing = append(missing, "no CAP_PERFMON")
	}
	switch {
	case len(missing) > 0:
		for _, sysctl := range []string{"unprivileged_bpf_disabled", "perf_event_paranoid"} {
			if value, err := os.ReadFile("/proc/sys/kernel/" + sysctl); err == nil {
				missing = append(missing, fmt.Sprintf("kernel.%s is %s", sysctl, strings.TrimSpace(string(value))))
			}
		}
		return Finding{name, Fail, strings.Join(missing, ", "), "run utrace as root (sudo)"}
	case !admin && method == Perf:
		return Finding{name, Warn,
			"no CAP_SYS_ADMIN: kernels with the fix of CVE-2025-38466 refuse perf-event uprobes without it", ""}
	case !have.has(unix.CAP_SYS_PTRACE):
		return Finding{name, Warn, "no CAP_SYS_PTRACE: only processes of your own user can be recorded", ""}
	case !admin:
		return ok(name, "CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE")
	}
	return ok(name, "CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_SYS_ADMIN")
}

// lockdownFinding reads the lockdown mode, such as "none [integrity] confidentiality".
func lockdownFinding() Finding {
	const name = "lockdown"
	text, err := os.ReadFile("/sys/kernel/security/lockdown")
	if err != nil {
		return ok(name, "none")
	}
	_, rest, _ := strings.Cut(string(text), "[")
	mode, _, _ := strings.Cut(rest, "]")
	if mode == "confidentiality" {
		return Finding{name, Warn, "confidentiality: the kernel may refuse probes", "boot with another mode (lockdown=)"}
	}
	return ok(name, "%s", mode)
}

// namespaceFinding compares the PID namespace with the first one, whose number is fixed
// (PROC_PID_INIT_INO in include/linux/proc_ns.h).
func namespaceFinding() Finding {
	const name = "PID namespace"
	link, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return unchecked(name, err)
	}
	if link != "pid:[4026531836]" {
		return Finding{name, Warn, "not the first one, by which the kernel numbers processes",
			"run utrace outside the container (docker: --pid=host)"}
	}
	return ok(name, "the first one")
}
