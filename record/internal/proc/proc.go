//go:build linux

// Package proc looks at running processes by way of /proc.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// processes returns the IDs of all processes but this one.
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

// environ returns the environment that a process was started with.
func Environ(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return nil
	}
	return strings.Split(string(text), "\x00")
}

// children returns the processes that a process has forked and that are still there.
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

// withDescendants adds the processes that descend from others.
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

// startTime tells processes of one PID apart (field 22 of /proc/PID/stat, proc(5)); "" for one that has ended.
func StartTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // from field 3
	if len(fields) < 20 {
		return ""
	}
	return string(fields[19])
}

// hasEnded reports whether a process has ended, be it waited for or not.
func HasEnded(pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err == unix.ESRCH
	}
	defer unix.Close(fd)
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return err == nil && n > 0
}

// hasNoProgram reports whether a process has ended or is about to: its program goes first.
func HasNoProgram(pid int) bool {
	_, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return errors.Is(err, os.ErrNotExist)
}

// leaderGone reports whether the first thread of a process has ended, and others have
// not. The kernel then takes the probes of perf events out of the process: it compares the
// memory of a thread with that of the first one, which is gone (__uprobe_perf_filter in kernel/trace/trace_uprobe.c).
func LeaderGone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state := stat[bytes.LastIndexByte(stat, ')')+1:] // the name before it may hold anything
	if !bytes.HasPrefix(state, []byte(" Z")) {
		return false
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return err == nil && len(threads) > 1
}

// noProgram says why a process has no program.
func NoProgram(pid int) error {
	if LeaderGone(pid) {
		return fmt.Errorf("the first thread of process %d has ended, and its program cannot be found without that: name the file by its path instead of the process", pid)
	}
	return fmt.Errorf("process %d is a kernel thread or has ended: it has no program", pid)
}

// watchExit returns a channel that is closed when all the processes have ended.
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

// comm returns the name of a process, "" if it has ended.
func Comm(pid int) string { return readComm(fmt.Sprintf("/proc/%d/comm", pid)) }

// threadComm returns the name of a thread of a process, "" if it has ended.
func ThreadComm(pid, tid int) string { return readComm(fmt.Sprintf("/proc/%d/task/%d/comm", pid, tid)) }

func readComm(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(text), "\n")
}

// cpuTime returns the CPU time that a process has used, in all its threads, those that have ended included. It
// reports false for one that has ended. Its clock (clock_getcpuclockid(3)) has nanoseconds, /proc/PID/stat has ticks.
func CPUTime(pid uint32) (time.Duration, bool) {
	const clockSched = 2 // CPUCLOCK_SCHED of include/linux/posix-timers.h
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|clockSched), &ts); err != nil {
		return 0, false
	}
	return time.Duration(ts.Nano()), true
}

// exists reports whether there is a process, be it one that has ended and was not waited for.
func Exists(pid int) bool { return unix.Kill(pid, 0) != unix.ESRCH }

// invocation is how a program is started.
type Invocation struct {
	Args, Env []string // args with the path of the program
	Dir       string
}

// processInvocation is how a process was started, and where it is now.
func InvocationOf(pid int) *Invocation {
	args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	dir, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return &Invocation{Args: append(strings.Split(string(args), "\x00"), exe), Env: Environ(pid), Dir: dir}
}

// variable returns the value of a variable of the environment.
func (c *Invocation) Variable(name string) string {
	for _, kv := range slices.Backward(c.Env) {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

// otherRoot returns a way to the root directory of a process that has been
// given another one than ours: by chroot, or in a container. Else it is "".
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

// openExe returns a path that opens the program of a process: exe, where the link
// in /proc points, if that is still the same file, for it lasts longer than the process.
func ExePath(pid int, exe string) string {
	link := fmt.Sprintf("/proc/%d/exe", pid)
	a, errA := os.Stat(link)
	b, errB := os.Stat(exe)
	if errA == nil && errB == nil && os.SameFile(a, b) {
		return exe
	}
	return link
}
