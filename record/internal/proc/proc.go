//go:build linux

// Package proc examines running processes through /proc and pidfds: their threads, children, names
// and CPU time, how they were started, and when they end.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// All returns the IDs of all processes except this one.
func All() []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Environ returns the environment with which a process was started.
func Environ(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return nil
	}
	return strings.Split(string(text), "\x00")
}

// Children returns the processes that a process has forked and that still exist.
func Children(pid int) (list []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*/children", pid))
	for _, path := range tasks { // of each thread, CONFIG_PROC_CHILDREN
		text, _ := os.ReadFile(path)
		for _, word := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				list = append(list, child)
			}
		}
	}
	return list
}

// WithDescendants returns the processes and all their descendants.
func WithDescendants(pids []int) []int {
	all := slices.Clone(pids)
	for i := 0; i < len(all); i++ {
		for _, child := range Children(all[i]) {
			if !slices.Contains(all, child) {
				all = append(all, child)
			}
		}
	}
	return all
}

// StartTime distinguishes processes with the same PID (field 22 of /proc/PID/stat, proc(5)). It is
// "" for one that has ended.
func StartTime(pid int) string { return statField(pid, 22) }

// Parent returns the parent of a process (field 4 of /proc/PID/stat), 0 if the process has ended.
func Parent(pid int) int {
	parent, _ := strconv.Atoi(statField(pid, 4))
	return parent
}

// statField returns a field of /proc/PID/stat, numbered as in proc(5), after the name of the
// process.
func statField(pid, n int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // from field 3
	if len(fields) <= n-3 {
		return ""
	}
	return string(fields[n-3])
}

// HasEnded reports whether a process has ended, waited for or not.
func HasEnded(pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err == unix.ESRCH
	}
	defer unix.Close(fd)
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return err == nil && n > 0
}

// HasNoProgram reports whether a process has ended or is about to: its program goes first.
func HasNoProgram(pid int) bool {
	_, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return errors.Is(err, os.ErrNotExist)
}

// LeaderGone reports whether the first thread of a process has ended while others have not. The
// kernel then removes the probes of perf events from the process: it compares the memory of a
// thread with the first one's, which is gone (__uprobe_perf_filter in kernel/trace/trace_uprobe.c).
func LeaderGone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state := stat[bytes.LastIndexByte(stat, ')')+1:] // the name before it may contain anything
	if !bytes.HasPrefix(state, []byte(" Z")) {
		return false
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return err == nil && len(threads) > 1
}

// NoProgram returns an error that says why a process has no program.
func NoProgram(pid int) error {
	if LeaderGone(pid) {
		return fmt.Errorf("the first thread of process %d has ended, and its program cannot be found without that: name the file by its path instead of the process", pid)
	}
	return fmt.Errorf("process %d is a kernel thread or has ended: it has no program", pid)
}

// Denied returns an error that says what is missing to examine a process, usually one of another
// user. It wraps os.ErrPermission.
func Denied(pid int) error {
	return fmt.Errorf("process %d: %w: run utrace as root (sudo), or with CAP_SYS_PTRACE; utrace doctor shows what is missing", pid, os.ErrPermission)
}

// WatchExit returns a channel that is closed once all the processes have ended.
func WatchExit(pids []int) (<-chan struct{}, error) {
	var fds []unix.PollFd
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if err == unix.ESRCH {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("watch process %d: %w", pid, err)
		}
		fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	gone := make(chan struct{})
	go func() {
		for _, fd := range fds {
			for {
				one := []unix.PollFd{fd}
				if n, err := unix.Poll(one, -1); n > 0 || err != unix.EINTR {
					break
				}
			}
			unix.Close(int(fd.Fd))
		}
		close(gone)
	}()
	return gone, nil
}

// Comm returns the name of a process, "" if it has ended.
func Comm(pid int) string { return readComm(fmt.Sprintf("/proc/%d/comm", pid)) }

// ThreadComm returns the name of a thread of a process, "" if it has ended.
func ThreadComm(pid, tid int) string { return readComm(fmt.Sprintf("/proc/%d/task/%d/comm", pid, tid)) }

// ThreadComms returns the names of the threads of a process.
func ThreadComms(pid int) (names []string) {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, t := range tasks {
		names = append(names, readComm(fmt.Sprintf("/proc/%d/task/%s/comm", pid, t.Name())))
	}
	return names
}

// User returns the effective user of a process, in our user namespace. It reports false for a
// process that has ended.
func User(pid int) (uid int, ok bool) {
	ids := strings.Fields(statusField(pid, "Uid")) // real, effective, saved, of the file system
	if len(ids) < 2 {
		return 0, false
	}
	uid, err := strconv.Atoi(ids[1])
	return uid, err == nil
}

// InnerPID returns the ID of a process in its own PID namespace, 0 if it has ended.
func InnerPID(pid int) int {
	ids := strings.Fields(statusField(pid, "NSpid")) // from our namespace inwards
	if len(ids) == 0 {
		return 0
	}
	inner, _ := strconv.Atoi(ids[len(ids)-1])
	return inner
}

// statusField returns a field of /proc/PID/status (proc(5)), "" if the process has ended.
func statusField(pid int, name string) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(text), "\n"+name+":\t")
	value, _, _ := strings.Cut(rest, "\n")
	return value
}

func readComm(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(text), "\n")
}

// CPUTime returns the CPU time of all threads of a process, including ended ones. It reports false
// for a process that has ended. The process's clock (clock_getcpuclockid(3)) has a resolution of
// nanoseconds, /proc/PID/stat has ticks.
func CPUTime(pid uint32) (time.Duration, bool) {
	const clockSched = 2 // CPUCLOCK_SCHED of include/linux/posix-timers.h
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|clockSched), &ts); err != nil {
		return 0, false
	}
	return time.Duration(ts.Nano()), true
}

// ThreadCPUTime returns the CPU time of the calling thread.
func ThreadCPUTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// IOCalls returns how often all threads of a process, including ended ones, have called read(2),
// write(2) and their like (syscr and syscw of /proc/PID/io, proc(5)). Calls for sockets only, such
// as recv(2), do not count: see bpf.ProcessUse. It reports false if the process has ended, or the
// kernel does not count.
func IOCalls(pid int) (calls uint64, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if name == "syscr" || name == "syscw" {
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				return 0, false
			}
			calls += n
		}
	}
	return calls, true
}

// Exists reports whether a process exists, including one that has ended but was not waited for.
func Exists(pid int) bool { return unix.Kill(pid, 0) != unix.ESRCH }

// Invocation is how a program was started.
type Invocation struct {
	Args, Env []string // Args include the path of the program
	Dir       string
	Root      string // a path that opens the root directory
}

// InvocationOf returns how a process was started, and its current and root directories.
func InvocationOf(pid int) *Invocation {
	args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	dir, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return &Invocation{Args: append(strings.Split(string(args), "\x00"), exe), Env: Environ(pid), Dir: dir, Root: fmt.Sprintf("/proc/%d/root", pid)}
}

// Variable returns the value of an environment variable, "" if it is not set.
func (c *Invocation) Variable(name string) string {
	for _, kv := range slices.Backward(c.Env) {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

// OtherRoot returns a path to the root directory of a process, if that differs from ours: after
// chroot, or in a container. Otherwise it returns "".
func OtherRoot(pid int) string {
	root := fmt.Sprintf("/proc/%d/root", pid)
	var ours, theirs syscall.Stat_t
	if syscall.Stat("/", &ours) != nil || syscall.Stat(root, &theirs) != nil {
		return ""
	}
	ourMounts, _ := os.Readlink("/proc/self/ns/mnt")
	theirMounts, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	if ours.Dev == theirs.Dev && ours.Ino == theirs.Ino && ourMounts == theirMounts {
		return ""
	}
	return root
}

// OpenInRoot opens the file that a process with the root directory root would open as path.
// Symbolic links stay inside that root directory; through /proc/PID/root they would leave it.
func OpenInRoot(root, path string, flags int) (*os.File, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_IN_ROOT} // Linux 5.6
	fd, err := unix.Openat2(dir, path, &how)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// ReadRegular reads a regular file. Other kinds of files, and files of more than maxBytes, are
// errors.
func ReadRegular(f *os.File, maxBytes int) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	text, err := io.ReadAll(io.LimitReader(f, int64(maxBytes)+1))
	if len(text) > maxBytes {
		return nil, errors.New("the file is too large")
	}
	return text, err
}

// ExePath returns a path that opens the program of a process: exe, the target of the link in /proc,
// if that is still the same file. It outlasts the process.
func ExePath(pid int, exe string) string {
	link := fmt.Sprintf("/proc/%d/exe", pid)
	a, errA := os.Stat(link)
	b, errB := os.Stat(exe)
	if errA == nil && errB == nil && os.SameFile(a, b) {
		return exe
	}
	return link
}
