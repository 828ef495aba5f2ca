//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Floor is the oldest Linux on which utrace records: cookies came with it.
const Floor = "5.15"

// ErrUnsupported is wrapped by each error that says why this machine cannot record.
var ErrUnsupported = errors.New("this machine cannot record")

// Feature is a part of the kernel that the running one may lack.
type Feature struct {
	Name   string
	Since  string // the version of Linux that brought it
	Commit string // the commit of Linux that brought it; distributions take some into older versions

	probe    func() error // nil: yes; ebpf.ErrNotSupported: no; any other error: no answer
	mu       sync.Mutex
	answered bool
	err      error
}

// UnsupportedError is the error for a feature that the kernel lacks. It is ErrUnsupported.
type UnsupportedError struct {
	Feature *Feature
	Kernel  string // release of the running kernel
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("Linux %s has no %s: they came with Linux %s (commit %s)", e.Kernel, e.Feature.Name, e.Feature.Since, e.Feature.Commit)
}

func (e *UnsupportedError) Is(target error) bool { return target == ErrUnsupported }

// Probe returns nil if the kernel has the feature, an *UnsupportedError if it lacks it, and another
// error, such as os.ErrPermission, if there is no answer. Answers are kept.
func (f *Feature) Probe() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.answered {
		return f.err
	}
	err := f.probe()
	switch {
	case err == nil:
		f.answered = true
	case errors.Is(err, ebpf.ErrNotSupported):
		f.answered, f.err = true, &UnsupportedError{f, Release()}
		return f.err
	}
	return err
}

// The features that decide whether and how probes are attached.
var (
	// Programs reports whether this process may load BPF programs at all.
	Programs = &Feature{
		Name: "BPF programs for probes", Since: "4.1", Commit: "2541517c32be", probe: havePrograms}
	RingBuffer = &Feature{
		Name: "BPF ring buffers", Since: "5.8", Commit: "457f44363a88",
		probe: func() error { return features.HaveMapType(ebpf.RingBuf) }}
	Atomics = &Feature{Name: "BPF atomic operations", Since: "5.12", Commit: "5ffa25502b5a", probe: haveAtomics}
	Cookies = &Feature{Name: "BPF cookies", Since: "5.15", Commit: "7adfc6c9b315",
		probe: func() error { return features.HaveProgramHelper(ebpf.Kprobe, asm.FnGetAttachCookie) }}
	PerfUprobe = &Feature{Name: "perf-event uprobes", Since: "4.17", Commit: "33ea4b24277b", probe: havePerfUprobe}
	// UprobeMulti attaches any number of probes with one link.
	UprobeMulti = &Feature{Name: "uprobe_multi links", Since: "6.6", Commit: "89ae89f53d20", probe: features.HaveBPFLinkUprobeMulti}
	// ThreadFilter is the fix of the process filter of uprobe_multi links, which let only the first
	// thread pass. Stable kernels 6.6 and 6.9 have it as well.
	ThreadFilter = &Feature{Name: "uprobe_multi links for all threads of a process", Since: "6.10", Commit: "46ba0e49b642", probe: haveThreadFilter}
	// FastNops turns a probe on a nop of five bytes into a call instead of a trap.
	FastNops = &Feature{Name: "probes without a trap", Since: "6.18", Commit: "ba2bfc97b462", probe: haveFastNops}
)

func kprobeProgram(attach ebpf.AttachType, insns ...asm.Instruction) (*ebpf.Program, error) {
	return ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.Kprobe, AttachType: attach, License: "GPL",
		Instructions: append(insns, asm.Mov.Imm(asm.R0, 0), asm.Return())})
}

func havePrograms() error {
	prog, err := kprobeProgram(ebpf.AttachNone)
	if err != nil {
		return err
	}
	return prog.Close()
}

func haveAtomics() error {
	prog, err := kprobeProgram(ebpf.AttachNone,
		asm.Mov.Imm(asm.R0, 0), asm.Mov.Imm(asm.R1, 1),
		asm.StoreMem(asm.RFP, -8, asm.R0, asm.DWord),
		asm.CmpXchg.Mem(asm.RFP, asm.R1, asm.DWord, -8))
	if err == nil {
		return prog.Close()
	}
	if errors.Is(err, unix.EINVAL) { // the verifier does not know the instruction
		return ebpf.ErrNotSupported
	}
	return err
}

func havePerfUprobe() error {
	_, err := os.Stat("/sys/bus/event_source/devices/uprobe/type")
	if errors.Is(err, os.ErrNotExist) {
		if _, serr := os.Stat("/sys/bus/event_source"); serr != nil {
			return fmt.Errorf("is sysfs mounted? %w", serr)
		}
		return ebpf.ErrNotSupported
	}
	return err
}

// haveThreadFilter tries a link to a directory, in a process that cannot exist. Since the fix the
// process is checked first (EINVAL), before the fix the file (EBADF).
func haveThreadFilter() error {
	if err := UprobeMulti.Probe(); err != nil {
		if errors.Is(err, ErrUnsupported) {
			return ebpf.ErrNotSupported
		}
		return err
	}
	prog, err := kprobeProgram(ebpf.AttachTraceUprobeMulti)
	if err != nil {
		return err
	}
	defer prog.Close()
	ex, err := link.OpenExecutable("/")
	if err != nil {
		return err
	}
	_, err = ex.UprobeMulti(nil, prog, &link.UprobeMultiOptions{Addresses: []uint64{1}, PID: ^uint32(0)})
	switch {
	case errors.Is(err, unix.EINVAL):
		return nil
	case errors.Is(err, unix.EBADF), errors.Is(err, os.ErrNotExist):
		return ebpf.ErrNotSupported
	}
	return fmt.Errorf("uprobe_multi on a directory: %v", err)
}

// haveFastNops looks for the system call that such probes make. It refuses callers that are no
// probe, with an error that depends on the version.
func haveFastNops() error {
	const sysUprobe = 336 // arch/x86/entry/syscalls/syscall_64.tbl
	if runtime.GOARCH != "amd64" {
		return ebpf.ErrNotSupported
	}
	switch _, _, errno := unix.Syscall(sysUprobe, 0, 0, 0); errno {
	case unix.ENXIO, unix.EPROTO:
		return nil
	case unix.ENOSYS:
		return ebpf.ErrNotSupported
	default:
		return fmt.Errorf("system call uprobe: %w", errno)
	}
}

// Release returns the release of the running kernel, such as 6.1.0-56-cloud-amd64.
func Release() string {
	var uts unix.Utsname
	if unix.Uname(&uts) != nil {
		return "(unknown)"
	}
	return unix.ByteSliceToString(uts.Release[:])
}

// versionOf returns 1000 times the major number of a release, plus the minor one.
func versionOf(release string) (int, error) {
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return 0, fmt.Errorf("release %q: %w", release, err)
	}
	return 1000*major + minor, nil
}

// Check returns nil if probes can be attached. Otherwise the error is ErrUnsupported, and says what
// is missing and what to do.
func Check() error {
	_, err := Auto.Choose(false)
	return err
}
