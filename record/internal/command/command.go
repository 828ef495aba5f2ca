//go:build linux

// Package command starts the program to record, holds it and its children until they have their
// probes, and says how it ended.
package command

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

// Command is the program that a recording starts. It is held before its first instruction until
// Release or Trace.
type Command struct {
	cmd *exec.Cmd
	PID int

	calls chan func() // for the thread that is the command's tracer
	quit  chan struct{}
	ended chan struct{}       // closed when that thread has ended
	state *syscall.WaitStatus // once ended is closed: how the command ended, if that thread saw it

	stop     sync.Once
	released bool
}

// Start starts a command, and holds it when execve has put its program into memory. Under
// sudo it runs as the user who called sudo.
func Start(args []string) (*Command, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if uid, gid, ok := proc.SudoUser(); ok {
		if err := runAs(cmd, uid, gid); err != nil {
			return nil, err
		}
	}
	c := &Command{cmd: cmd, calls: make(chan func()), quit: make(chan struct{}), ended: make(chan struct{})}
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
	c.PID = cmd.Process.Pid
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

// Release lets the command run.
func (c *Command) Release() error {
	detached := make(chan error)
	c.calls <- func() { detached <- syscall.PtraceDetach(c.PID) }
	if err := <-detached; err != nil {
		return fmt.Errorf("start command: %w", err)
	}
	c.released = true
	return nil
}

// Trace lets the command run and remains the tracer of it and its children, until StopTracing. A
// command that must not have a tracer has none.
func (c *Command) Trace(t *Tracer) error {
	started := make(chan error)
	c.calls <- func() {
		t.command = c.PID
		if t.letGo(c.PID) {
			started <- nil
			return
		}
		err := t.begin(c.PID)
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

// StopTracing releases all processes that Trace holds.
func (c *Command) StopTracing() {
	c.stop.Do(func() { close(c.quit) })
	<-c.ended
}

// Discard ends a command that has not been released: nothing of it has run.
func (c *Command) Discard() {
	if c.released {
		return
	}
	c.cmd.Process.Kill()
	c.StopTracing()
	c.cmd.Wait()
}

// Wait returns how the command ended, after StopTracing. While the command is still running, Wait
// blocks or, without block, returns nil.
func (c *Command) Wait(block bool) *syscall.WaitStatus {
	if c.state != nil {
		return c.state
	}
	if !block && !proc.HasEnded(c.PID) {
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
