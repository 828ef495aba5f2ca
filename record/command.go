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
	"syscall"
)

// command is the program that a recording starts, held before its first
// instruction until release.
type command struct {
	cmd     *exec.Cmd
	pid     int
	resume  chan bool
	resumed chan error
}

// startCommand starts a command and stops it where execve has just put its
// program into memory: it is traced (ptrace) up to there, and not beyond. Under sudo
// it runs as the user who called sudo.
func startCommand(args []string) (*command, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if uid, gid, ok := sudoUser(); ok {
		if err := runAs(cmd, uid, gid); err != nil {
			return nil, err
		}
	}
	c := &command{cmd: cmd, resume: make(chan bool), resumed: make(chan error)}
	started := make(chan error)
	go func() {
		// Only the thread that is the tracer may stop tracing.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			var status syscall.WaitStatus
			if _, err = syscall.Wait4(cmd.Process.Pid, &status, 0, nil); err == nil && !status.Stopped() {
				err = fmt.Errorf("it ended at once: %v", status)
			}
		}
		started <- err
		if err == nil && <-c.resume {
			c.resumed <- syscall.PtraceDetach(cmd.Process.Pid)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start command: %w", err)
	}
	c.pid = cmd.Process.Pid
	return c, nil
}

// release lets the command run.
func (c *command) release() error {
	c.resume <- true
	if err := <-c.resumed; err != nil {
		return fmt.Errorf("start command: %w", err)
	}
	return nil
}

// discard ends a command that was never released: nothing of it has run.
func (c *command) discard() {
	close(c.resume)
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// wait waits for the command to end.
func (c *command) wait() *os.ProcessState {
	c.cmd.Wait()
	return c.cmd.ProcessState
}

// runAs makes a command run as a user, with that user's groups and environment.
func runAs(cmd *exec.Cmd, uid, gid int) error {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return fmt.Errorf("command as the user who called sudo: %w", err)
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
