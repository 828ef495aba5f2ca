//go:build linux

package harness

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Recorder is "utrace record" in the background.
type Recorder struct {
	Trace string // the path

	cmd    *exec.Cmd
	stderr bytes.Buffer  // complete once ended is closed
	ended  chan struct{} // closed when it has ended, as err says
	err    error
}

// StartRecorder starts "utrace record" with a trace of its own and further arguments. It is killed
// when the test ends, if it still runs.
func StartRecorder(t testing.TB, args ...string) *Recorder {
	t.Helper()
	r := &Recorder{Trace: filepath.Join(t.TempDir(), "trace.arrow"), ended: make(chan struct{})}
	r.cmd = exec.Command(binary, append([]string{"record", "-o", r.Trace}, args...)...)
	r.cmd.Stderr = &r.stderr
	r.cmd.WaitDelay = 5 * time.Second // for a command that outlives it, and has its standard error
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		r.err = r.cmd.Wait()
		close(r.ended)
	}()
	t.Cleanup(r.Kill)
	return r
}

// Await waits until its probes are on.
func (r *Recorder) Await(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !Written(r.Trace); {
		select {
		case <-r.ended:
			t.Fatalf("record: %v\n%s", r.err, r.stderr.String())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			r.Kill()
			t.Fatalf("the recorder does not begin\n%s", r.stderr.String())
		}
	}
	time.Sleep(500 * time.Millisecond) // until they are turned on
}

// PID returns its process ID.
func (r *Recorder) PID() int { return r.cmd.Process.Pid }

// Kill kills it, and waits until it has ended.
func (r *Recorder) Kill() {
	r.cmd.Process.Kill()
	<-r.ended
}

// Interrupt interrupts it, as Ctrl-C does.
func (r *Recorder) Interrupt() { r.cmd.Process.Signal(os.Interrupt) }

// Stop interrupts it, and returns what it has printed. The test fails unless it succeeds.
func (r *Recorder) Stop(t testing.TB) (stderr string) {
	t.Helper()
	r.Interrupt()
	return r.Wait(t)
}

// Wait waits until it ends by itself, and returns what it has printed. The test fails unless it
// succeeds.
func (r *Recorder) Wait(t testing.TB) (stderr string) {
	t.Helper()
	stderr, err := r.Ended()
	if err != nil {
		t.Fatalf("record: %v\n%s", err, stderr)
	}
	return stderr
}

// Ended waits until it ends by itself, and returns what it has printed, and how it ended.
func (r *Recorder) Ended() (stderr string, err error) {
	<-r.ended
	return r.stderr.String(), r.err
}

// Written reports whether a recorder has written the beginning of its trace. It does so once its
// probes are attached.
func Written(trace string) bool {
	info, err := os.Stat(trace)
	return err == nil && info.Size() > 0
}
