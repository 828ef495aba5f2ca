//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"utrace/record"
)

// How long awaitCommand waits for the end of a command that a signal may have ended: before it says
// that it waits, and where only utrace got the signal.
const (
	commandGrace  = 500 * time.Millisecond
	commandGlance = 100 * time.Millisecond
)

// awaitCommand waits for the end of the command after a recording was ended early, and reports
// whether it has ended. Ctrl-C and Ctrl-\ went to the command as well: utrace then waits until a
// further signal. Any other signal went to utrace alone, which then waits a moment only.
func awaitCommand(w io.Writer, sig os.Signal, signals <-chan os.Signal, ended <-chan struct{}) bool {
	var patience <-chan time.Time
	if sig != syscall.SIGINT && sig != syscall.SIGQUIT {
		patience = time.After(commandGlance)
	} else {
		select {
		case <-ended:
			return true
		case <-time.After(commandGrace):
			fmt.Fprintln(w, "utrace: the trace is complete; waiting for the command to end (press Ctrl-C again to leave it running)")
		}
	}

	select {
	case <-ended:
		return true
	case <-signals:
	case <-patience:
	}
	return false
}

// commandStatus ends utrace like the command: with its exit status or, as a shell does, 128 plus
// the number of the signal that killed it.
func commandStatus(w io.Writer, cfg record.Config, s *record.Summary) error {
	if len(cfg.Command) == 0 {
		return nil
	}
	if s.Command == nil {
		fmt.Fprintf(w, "utrace: the command (process %d) is still running\n", s.CommandPID)
		return nil
	}

	switch status := s.Command; {
	case status.Signaled():
		fmt.Fprintf(w, "utrace: the command was killed by signal %d (%s)\n", int(status.Signal()), status.Signal())
		return exitError(statusSignal + int(status.Signal()))
	case status.ExitStatus() != 0:
		fmt.Fprintf(w, "utrace: the command ended with exit status %d\n", status.ExitStatus())
		return exitError(status.ExitStatus())
	}
	return nil
}
