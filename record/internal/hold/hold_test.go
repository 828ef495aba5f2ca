//go:build linux

package hold

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestInherited: signals that a shell ignores before it executes this test are found, although Go's
// runtime has handlers for them.
func TestInherited(t *testing.T) {
	if os.Getenv("INHERITED") != "" {
		for _, sig := range Inherited().ignored {
			if name := unix.SignalName(sig.(syscall.Signal)); name != "" { // a parent may ignore signals of the C library
				os.Stdout.WriteString(name + " ")
			}
		}
		os.Exit(0)
	}
	cmd := exec.Command("sh", "-c", `trap '' HUP QUIT PIPE USR1 TSTP; exec "$0" -test.run=TestInherited`, testProgram(t))
	cmd.Env = append(os.Environ(), "INHERITED=1")
	out, err := cmd.Output()
	if err != nil || string(out) != "SIGHUP SIGQUIT SIGUSR1 SIGPIPE " { // nobody replaces SIGTSTP
		t.Errorf("%q, %v", out, err)
	}
}

// testProgram builds this test with its symbols, which go test leaves out.
func testProgram(t *testing.T) string {
	t.Helper()
	path := t.TempDir() + "/hold.test"
	if text, err := exec.Command("go", "test", "-c", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return path
}

// TestAtExec: a held child has executed its program and run none of it. Then it has the signals
// that it is to have, and none is pending.
func TestAtExec(t *testing.T) {
	runtime.LockOSThread() // the tracer
	defer runtime.UnlockOSThread()
	cmd := exec.Command("grep", "-E", "ShdPnd|SigPnd|SigBlk|SigIgn", "/proc/self/status")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	var out bytes.Buffer
	cmd.Stdout = &out
	mask := uint64(1<<(unix.SIGCONT-1) | 1<<(unix.SIGTERM-1))
	signals := Signals{ignored: []os.Signal{unix.SIGPIPE, unix.SIGUSR1}, blocked: mask, known: true}
	if err := signals.Start(cmd.Start); err != nil {
		t.Skipf("needs ptrace and grep: %v", err)
	}
	if err := AtExec(cmd.Process.Pid, len(cmd.Args), signals); err != nil {
		cmd.Process.Kill()
		t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil || !bytes.Contains(status, []byte("Name:\tgrep\n")) || !bytes.Contains(status, []byte("State:\tt ")) {
		t.Errorf("%v\n%s", err, status)
	}
	if err := ptrace(unix.PTRACE_DETACH, cmd.Process.Pid, 0); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	const nameless = 1 << (32 - 1) // a signal of the C library, which a parent may ignore
	var pending, shared, blocked, ignored uint64
	if n, err := fmt.Sscanf(out.String(), "SigPnd:\t%x\nShdPnd:\t%x\nSigBlk:\t%x\nSigIgn:\t%x\n", &pending, &shared, &blocked, &ignored); n != 4 {
		t.Fatalf("%v\n%s", err, &out)
	}
	if wantIgnored := uint64(1<<(unix.SIGPIPE-1) | 1<<(unix.SIGUSR1-1)); pending|shared != 0 || blocked != mask || ignored&^nameless != wantIgnored {
		t.Errorf("signals:\n%s\nwant blocked %#x, ignored %#x, none pending", &out, mask, wantIgnored)
	}
}

// TestKilledWhileHeld: a held child ends with its tracer, and has run nothing.
func TestKilledWhileHeld(t *testing.T) {
	cmd := exec.Command("echo", "has run")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	var out bytes.Buffer
	cmd.Stdout = &out
	held := make(chan error)
	start := func() {
		err := cmd.Start()
		if err == nil {
			err = AtExec(cmd.Process.Pid, len(cmd.Args), Signals{})
		}
		held <- err
	}
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine, unless it is the main thread
		if unix.Gettid() != os.Getpid() {
			start()
			return
		}
		defer runtime.UnlockOSThread()
		done := make(chan bool)
		go func() {
			defer close(done)
			runtime.LockOSThread()
			start()
		}()
		<-done
	}()
	if err := <-held; err != nil {
		t.Skipf("needs ptrace and echo: %v", err)
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" || out.Len() > 0 {
		t.Errorf("%v, and it prints %q", err, &out)
	}
}
