//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// Sessions run one program at the entry and the return of a function. What it returns at the entry
// decides whether there is a trap at the return.
var Sessions = &Feature{Name: "uprobe sessions", Since: "6.13", Commit: "d920179b3d48", probe: haveSessions}

// haveSessions looks into the kernel's BTF, which the program needs anyway: an older kernel refuses
// the link with an error that has many other reasons.
func haveSessions() error {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return ebpf.ErrNotSupported
	}
	var types *btf.Enum
	if err := kernel.TypeByName("bpf_attach_type", &types); err != nil {
		return ebpf.ErrNotSupported
	}
	if !slices.ContainsFunc(types.Values, func(v btf.EnumValue) bool { return v.Name == "BPF_TRACE_UPROBE_SESSION" }) {
		return ebpf.ErrNotSupported
	}
	return nil
}

// attachUprobeSession is BPF_TRACE_UPROBE_SESSION of include/uapi/linux/bpf.h.
const attachUprobeSession = 57

// sessionAttr is the part of union bpf_attr (include/uapi/linux/bpf.h) that makes a link of
// uprobe_multi.
type sessionAttr struct {
	program, target, attachType, flags uint32
	path                               *byte
	offsets, semaphores, cookies       *uint64
	count, multiFlags, pid, _          uint32
}

// AttachSessions attaches a program to functions of a file, with one link, in one process, or
// (pid 0) in all. Package github.com/cilium/ebpf has no call for it.
func AttachSessions(path string, program *ebpf.Program, offsets, cookies []uint64, pid int) (*os.File, error) {
	if len(offsets) == 0 || len(offsets) != len(cookies) {
		return nil, errors.New("each function needs an offset and a cookie")
	}
	name, err := unix.BytePtrFromString(path)
	if err != nil {
		return nil, err
	}
	attr := &sessionAttr{
		program: uint32(program.FD()), attachType: attachUprobeSession, path: name,
		offsets: &offsets[0], cookies: &cookies[0], count: uint32(len(offsets)), pid: uint32(pid),
	}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_LINK_CREATE, uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr))
	runtime.KeepAlive(program)
	if errno != 0 {
		return nil, fmt.Errorf("create a link: %w", errno)
	}
	return os.NewFile(fd, "link"), nil
}
