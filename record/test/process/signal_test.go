//go:build linux

package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// TestEndedBySignal: a signal of the terminal, or one that asks the recorder to end, is a regular
// end. It reaches the whole process group, and the cost of hits is measured nevertheless.
func TestEndedBySignal(t *testing.T) {
	harness.NeedKernel(t)
	service, _ := harness.Start(t, harness.Target(t, "service.c", "-O0"))
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		t.Run(sig.String(), func(t *testing.T) {
			if signal.Ignored(sig) {
				t.Skip("the tests run under nohup: the recorder ignores this signal as well")
			}
			trace := filepath.Join(t.TempDir(), "trace.arrow")
			rec := exec.Command(harness.Binary(), "record", "-o", trace, "-e", "serve", "-p", strconv.Itoa(service.Process.Pid))
			rec.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			var stderr bytes.Buffer
			rec.Stderr = &stderr
			if err := rec.Start(); err != nil {
				t.Fatal(err)
			}
			defer rec.Process.Kill()
			harness.WaitFor(t, func() bool { return harness.Written(trace) })
			time.Sleep(700 * time.Millisecond)
			syscall.Kill(-rec.Process.Pid, sig)
			err := rec.Wait()
			if err != nil || strings.Contains(stderr.String(), "not measured") || !strings.Contains(stderr.String(), ": interrupted\n") {
				t.Errorf("%v\n%s", err, &stderr)
			}
			harness.Validate(t, trace)
			if calls := harness.Analyze(t, trace).Calls(); calls["serve"] == 0 {
				t.Errorf("calls %v", calls)
			}
		})
	}
}

// TestQuitEarly: before anything is recorded, SIGQUIT ends utrace like Ctrl-C, without Go's stacks.
func TestQuitEarly(t *testing.T) {
	utrace := exec.Command(harness.Binary(), "doctor", "--calibrate") // it waits for its input
	var stderr bytes.Buffer
	utrace.Stderr = &stderr
	in, err := utrace.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := utrace.StdoutPipe()
	if err == nil {
		err = utrace.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	out.Read(make([]byte, 1)) // it has begun
	utrace.Process.Signal(syscall.SIGQUIT)
	utrace.Wait()
	if status := utrace.ProcessState.ExitCode(); status != 128+int(syscall.SIGQUIT) || stderr.Len() > 0 {
		t.Errorf("status %d\n%s", status, &stderr)
	}
}

// TestStandardErrorClosed: Ctrl-C in "utrace record |& tee" ends tee first. The recording
// ends regularly, with the exit status that it has without tee.
func TestStandardErrorClosed(t *testing.T) {
	harness.NeedKernel(t)
	service, _ := harness.Start(t, harness.Target(t, "service.c", "-O0"))
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	rec := exec.Command(harness.Binary(), "record", "-o", trace, "-e", "serve", "-p", strconv.Itoa(service.Process.Pid))
	rec.Stderr = w
	if err := rec.Start(); err != nil {
		t.Fatal(err)
	}
	defer rec.Process.Kill()
	w.Close()
	harness.WaitFor(t, func() bool { return harness.Written(trace) })
	time.Sleep(700 * time.Millisecond)
	r.Close()
	rec.Process.Signal(os.Interrupt)
	if err := rec.Wait(); err != nil {
		t.Error(err)
	}
	harness.Validate(t, trace)
}

// TestHelpersEndWithRecorder: no process stays behind a killed recorder.
func TestHelpersEndWithRecorder(t *testing.T) {
	harness.NeedKernel(t)
	service, _ := harness.Start(t, harness.Target(t, "service.c", "-O0"))
	rec := harness.StartRecorder(t, "-e", "serve", "-p", strconv.Itoa(service.Process.Pid))
	rec.Await(t)
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", rec.PID()))
	if err != nil {
		t.Fatal(err)
	}
	var pids []string
	for _, path := range children {
		text, _ := os.ReadFile(path)
		pids = append(pids, strings.Fields(string(text))...)
	}
	if len(pids) != 2 {
		t.Fatalf("children %v of the recorder, want the calibrator and the holder of the links", pids)
	}
	rec.Kill()
	for _, flag := range []string{"--calibrate", "--hold-links"} {
		harness.WaitFor(t, func() bool {
			one, _ := os.ReadFile("/proc/" + pids[0] + "/cmdline")
			other, _ := os.ReadFile("/proc/" + pids[1] + "/cmdline")
			return !bytes.Contains(slices.Concat(one, other), []byte(flag))
		})
	}
}
