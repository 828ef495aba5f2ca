//go:build linux

package record

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"utrace/record/internal/hold"
	"utrace/record/internal/proc"
)

// command is the program that a recording starts. It is held before its first instruction until
// release or trace.
type command struct {
	cmd *exec.Cmd
	pid int

	calls chan func() // for the thread that is the command's tracer
	quit  chan struct{}
	ended chan struct{}       // closed when that thread has ended
	state *syscall.WaitStatus // once ended is closed: how the command ended, if that thread saw it

	stop     sync.Once
	released bool
}

// startCommand starts a command, and holds it when execve has put its program into memory. Under
// sudo it runs as the user who called sudo.
func startCommand(args []string) (*command, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if uid, gid, ok := sudoUser(); ok {
		if err := runAs(cmd, uid, gid); err != nil {
			return nil, err
		}
	}
	c := &command{cmd: cmd, calls: make(chan func()), quit: make(chan struct{}), ended: make(chan struct{})}
	started := make(chan error)
	go onThread(func() {
		defer close(c.ended)
		signals := hold.Inherited()
		err := signals.Start(cmd.Start)
		if err == nil {
			if err = hold.AtExec(cmd.Process.Pid, len(args), signals); err != nil {
				cmd.Process.Kill()
			}
		}
		started <- err
		if err != nil {
			return
		}
		select {
		case fn := <-c.calls:
			fn()
		case <-c.quit:
		}
	})
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start command: %w", err)
	}
	c.pid = cmd.Process.Pid
	return c, nil
}

// onThread calls fn on a thread of its own, which ends with fn. The kernel then releases everything
// that the thread traces. The main thread would not end.
func onThread(fn func()) {
	runtime.LockOSThread()
	if unix.Gettid() != os.Getpid() {
		fn()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		fn()
	}()
	<-done
	runtime.UnlockOSThread()
}

// release lets the command run.
func (c *command) release() error {
	detached := make(chan error)
	c.calls <- func() { detached <- syscall.PtraceDetach(c.pid) }
	if err := <-detached; err != nil {
		return fmt.Errorf("start command: %w", err)
	}
	c.released = true
	return nil
}

// trace lets the command run and remains the tracer of it and its children, until stopTracing. A
// command that must not have a tracer has none.
func (c *command) trace(t *tracer) error {
	started := make(chan error)
	c.calls <- func() {
		t.command = c.pid
		if t.letGo(c.pid) {
			started <- nil
			return
		}
		err := t.begin(c.pid)
		started <- err
		if err == nil {
			c.state = t.run(c.quit)
		}
	}
	if err := <-started; err != nil {
		return fmt.Errorf("start command: %w", err)
	}
	c.released = true
	return nil
}

// stopTracing releases all processes that trace holds.
func (c *command) stopTracing() {
	c.stop.Do(func() { close(c.quit) })
	<-c.ended
}

// discard ends a command that has not been released: nothing of it has run.
func (c *command) discard() {
	if c.released {
		return
	}
	c.cmd.Process.Kill()
	c.stopTracing()
	c.cmd.Wait()
}

// wait returns how the command ended, after stopTracing. While the command is still running, wait
// blocks or, without block, returns nil.
func (c *command) wait(block bool) *syscall.WaitStatus {
	if c.state != nil {
		return c.state
	}
	if !block && !proc.HasEnded(c.pid) {
		return nil
	}
	c.cmd.Wait()
	if c.cmd.ProcessState == nil {
		return nil
	}
	status := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return &status
}

// runAs makes a command run as a user, with that user's groups and environment.
func runAs(cmd *exec.Cmd, uid, gid int) error {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return fmt.Errorf("run the command as the user who called sudo: %w", err)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return fmt.Errorf("groups of %s: %w", u.Username, err)
	}
	var groups []uint32
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			groups = append(groups, uint32(n))
		}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: groups}
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return strings.HasPrefix(name, "SUDO_") || slices.Contains([]string{"HOME", "USER", "LOGNAME", "MAIL"}, name)
	})
	cmd.Env = append(cmd.Env, "HOME="+u.HomeDir, "USER="+u.Username, "LOGNAME="+u.Username)
	return nil
}
