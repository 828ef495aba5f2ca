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

// threads numbers the threads that events come from, and defines them and
// their processes in the trace as they appear.
type threads struct {
	w      *format.Writer
	byTID  map[uint32]format.ThreadID
	pids   map[uint32]bool
	last   uint32 // the latest thread, which is most often the next one, too
	lastID format.ThreadID
}

func newThreads(w *format.Writer) *threads {
	return &threads{w: w, byTID: map[uint32]format.ThreadID{}, pids: map[uint32]bool{}}
}

// id returns the number of a thread.
func (t *threads) id(pid, tid uint32) format.ThreadID {
	if tid == t.last && tid != 0 {
		return t.lastID
	}
	id, ok := t.byTID[tid]
	if !ok {
		if !t.pids[pid] {
			t.pids[pid] = true
			t.w.AddProcess(readProcess(int(pid)))
		}
		id = t.w.AddThread(readThread(int(pid), int(tid)))
		t.byTID[tid] = id
	}
	t.last, t.lastID = tid, id
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
