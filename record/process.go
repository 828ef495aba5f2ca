//go:build linux

package record

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"utrace/format"
)

// threads numbers the threads, and in Go programs the goroutines, that events
// come from, and defines them and their processes in the trace as they appear.
type threads struct {
	w      *format.Writer
	ids    map[flowKey]format.ThreadID
	pids   map[uint32]bool
	last   flowKey // the latest, which is most often the next one, too
	lastID format.ThreadID
}

// flowKey names a thread, or a goroutine by its process and number.
type flowKey struct {
	id   uint32 // thread ID, or process ID of a goroutine
	goid uint64 // 0 for a thread
}

func newThreads(w *format.Writer) *threads {
	return &threads{w: w, ids: map[flowKey]format.ThreadID{}, pids: map[uint32]bool{}}
}

// id returns the number of a thread, or of a goroutine if goid is not 0.
func (t *threads) id(pid, tid uint32, goid uint64) format.ThreadID {
	key := flowKey{tid, goid}
	if goid != 0 {
		key.id = pid
	}
	if key == t.last && tid != 0 {
		return t.lastID
	}
	id, ok := t.ids[key]
	if !ok {
		if !t.pids[pid] {
			t.pids[pid] = true
			t.w.AddProcess(readProcess(int(pid)))
		}
		thread := readThread(int(pid), int(tid))
		thread.Goroutine = goid
		id = t.w.AddThread(thread)
		t.ids[key] = id
	}
	t.last, t.lastID = key, id
	return id
}

// ErrPIDNamespace means that this process sees other process IDs than the
// kernel reports.
var ErrPIDNamespace = errors.New("utrace runs in a PID namespace of its own (a container), where processes have other IDs than the kernel reports: run it on the host, or in the host's PID namespace (docker run --pid=host)")

// checkPIDNamespace returns ErrPIDNamespace outside of the initial PID
// namespace, whose inode number is fixed (PROC_PID_INIT_INO of
// include/linux/proc_ns.h, since Linux 3.8). bpf_get_current_pid_tgid knows that namespace
// only: nothing would be recorded elsewhere. Without /proc it cannot be told.
func checkPIDNamespace() error {
	const initial = "pid:[4026531836]"
	if ns, err := os.Readlink("/proc/self/ns/pid"); err == nil && ns != initial {
		return ErrPIDNamespace
	}
	return nil
}

// maxArgs bounds how much of a command line is kept.
const maxArgs = 4096

func readProcess(pid int) format.Process {
	p := format.Process{PID: pid, Comm: readComm(fmt.Sprintf("/proc/%d/comm", pid))}
	if args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && len(args) > 0 {
		args = args[:min(len(args), maxArgs)]
		p.Args = strings.Split(string(bytes.TrimRight(args, "\x00")), "\x00")
	}
	return p
}

// readThread reads a thread's name; that of one that is gone already is that
// of its process.
func readThread(pid, tid int) format.Thread {
	comm := readComm(fmt.Sprintf("/proc/%d/task/%d/comm", pid, tid))
	if comm == "" {
		comm = readComm(fmt.Sprintf("/proc/%d/comm", pid))
	}
	return format.Thread{PID: pid, TID: tid, Comm: comm}
}

// leaderGone reports whether the first thread of a process has ended, and others have
// not. The kernel then takes the probes of perf events out of the process: it compares the
// memory of a thread with that of the first one, which is gone (__uprobe_perf_filter in kernel/trace/trace_uprobe.c).
func leaderGone(pid int) bool {
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

func readComm(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(text), "\n")
}

// watchExit returns a channel that is closed when all the processes have ended.
func watchExit(pids []int) (<-chan struct{}, error) {
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
