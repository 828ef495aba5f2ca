//go:build linux

package command

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"utrace/record/internal/hold"
	"utrace/record/internal/untraceable"
)

// Tracer holds every program that a command or one of its children executes until its probes are in
// place. It is a debugger (ptrace(2)) that does nothing else: it passes signals on, leaves stopped
// processes stopped, and ends before the recording does. If the recorder dies, its processes run
// on.
//
// Some programs must not have a tracer (untraceable). It lets go of them once their probes are in
// place, and of all processes when a debugger for one of them is executed.
//
// The thread that started the command must make all calls. Whatever it traces is released when it
// ends.
type Tracer struct {
	command int // PID
	// Execed, unless nil, is called for each program that a thread of a process executes, while the
	// process is held before the first instruction. tid is the former ID of the thread.
	Execed func(pid, tid int)
	// Forked, unless nil, is called for each forked process, while it is held before its first
	// instruction.
	Forked func(pid int)
	// Exiting, unless nil, is called for each process whose first thread is about to end, while its
	// memory is still in place.
	Exiting func(pid int)
	// Reaped, unless nil, is called for each thread that has ended, before its ID can be used
	// again.
	Reaped func(tid int)
	Free   *untraceable.Processes
	over   bool                // nothing is held any more
	state  *syscall.WaitStatus // of the command, once it has ended
}

// waitOptions waits for tracees that are threads, and not for those of the recorder's other
// threads.
const waitOptions = unix.WALL | unix.WNOTHREAD

// begin continues a command that is held.
func (t *Tracer) begin(pid int) error {
	options := uintptr(hold.Options)
	if t.Exiting != nil {
		options |= unix.PTRACE_O_TRACEEXIT
	}
	if err := ptrace(unix.PTRACE_SETOPTIONS, pid, options); err != nil {
		return fmt.Errorf("ptrace options: %w", err)
	}
	return ptrace(unix.PTRACE_CONT, pid, 0)
}

// run serves the tracees until there are none, or quit is closed. It returns how the command ended,
// nil if it did not see that.
func (t *Tracer) run(quit <-chan struct{}) *syscall.WaitStatus {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGCHLD)
	defer signal.Stop(changed)
	for t.serve() {
		select {
		case <-changed:
		case <-quit:
			return t.state
		}
	}
	return t.state
}

// serve handles everything that has happened since the last call. It reports whether any tracee is
// left to be held.
func (t *Tracer) serve() bool {
	for !t.over {
		var status syscall.WaitStatus
		tid, err := syscall.Wait4(-1, &status, waitOptions|unix.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return false
		case tid == 0:
			return true
		case status.Stopped():
			t.stopped(tid, status)
		default:
			if t.Reaped != nil {
				t.Reaped(tid)
			}
			if tid == t.command {
				t.state = &status
			}
		}
	}
	return false
}

// stopped handles a stop of a tracee and continues it. Errors of ptrace are ignored: they mean that
// the tracee has been killed meanwhile.
func (t *Tracer) stopped(tid int, status syscall.WaitStatus) {
	sig := status.StopSignal()
	switch event := int(status) >> 16; event {
	case 0: // a signal is about to be delivered
		ptrace(unix.PTRACE_CONT, tid, uintptr(sig))
		return
	case unix.PTRACE_EVENT_STOP:
		if sig == unix.SIGSTOP || sig == unix.SIGTSTP || sig == unix.SIGTTIN || sig == unix.SIGTTOU {
			ptrace(unix.PTRACE_LISTEN, tid, 0) // it stays stopped until SIGCONT
			return
		}
		if t.Forked != nil && unix.Tgkill(tid, tid, 0) == nil { // the first thread of its process, which has just begun, or was continued
			t.Forked(tid)
		}
	case unix.PTRACE_EVENT_EXEC:
		if t.Execed != nil {
			if former, err := unix.PtraceGetEventMsg(tid); err == nil {
				t.Execed(tid, int(former)) // the thread that executes a program becomes the first of its process
			}
		}
		if t.letGo(tid) {
			return
		}
	case unix.PTRACE_EVENT_EXIT:
		if unix.Tgkill(tid, tid, 0) == nil { // the first thread of its process
			t.Exiting(tid)
		}
	}
	ptrace(unix.PTRACE_CONT, tid, 0)
}

// letGo detaches from a process whose program must not have a tracer, and reports whether it did.
func (t *Tracer) letGo(pid int) bool {
	why := t.Free.Executed(pid)
	if why.Text == "" {
		return false
	}
	t.over = why.All
	ptrace(unix.PTRACE_DETACH, pid, 0)
	return true
}

func ptrace(request, tid int, data uintptr) error {
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), 0, data, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
