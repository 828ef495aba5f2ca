//go:build linux

package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// olderTrace is a directory with a trace that recordings write to again.
type olderTrace struct {
	dir, path string
	text      []byte // of the trace
}

// newOlderTrace records a trace with events.
func newOlderTrace(t *testing.T) *olderTrace {
	t.Helper()
	o := &olderTrace{dir: t.TempDir()}
	o.path = filepath.Join(o.dir, "trace.arrow")
	if _, stderr, status := harness.Utrace(t, "record", "-o", o.path, "-e", "fib", harness.Target(t, "calls.c", "-O0")); status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	var err error
	if o.text, err = os.ReadFile(o.path); err != nil {
		t.Fatal(err)
	}
	return o
}

// wantAt checks that the older trace is at path, and which files there are.
func (o *olderTrace) wantAt(t *testing.T, path string, files ...string) {
	t.Helper()
	if text, err := os.ReadFile(path); err != nil || !bytes.Equal(text, o.text) {
		t.Errorf("%s is not the older trace (%v)", path, err)
	}
	entries, err := os.ReadDir(o.dir)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if err != nil || !slices.Equal(got, files) {
		t.Errorf("files %q, want %q (%v)", got, files, err)
	}
}

// begun reports whether a recorder has written to a file of that directory, which has no final name
// yet.
func (o *olderTrace) begun(pid int) bool {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	return slices.ContainsFunc(files, func(file string) bool {
		target, err := os.Readlink(file)
		if err != nil || filepath.Dir(target) != o.dir {
			return false
		}
		info, err := os.Stat(file)
		return err == nil && info.Size() > 0
	})
}

// TestOlderTraceFailure: a recording that fails before its first event leaves the older trace
// alone, and writes none.
func TestOlderTraceFailure(t *testing.T) {
	harness.NeedKernel(t)
	o := newOlderTrace(t)
	_, stderr, status := harness.Utrace(t, "record", "-o", o.path, "-d", "500ms", "--wait", "-e", "usdt:no_such_provider:probe")
	if status != 1 || strings.Contains(stderr, "recorded 0 events") && !strings.Contains(stderr, "no trace was written") || strings.Contains(stderr, " in "+o.path) {
		t.Errorf("status %d\n%s", status, stderr)
	}
	o.wantAt(t, o.path, "trace.arrow")
}

// TestOlderTraceKilled: killed before its first event, a recording leaves the older trace alone,
// and no file.
func TestOlderTraceKilled(t *testing.T) {
	harness.NeedKernel(t)
	o := newOlderTrace(t)
	idle, _ := harness.Start(t, harness.Program(t, "idle", idleProgram))
	rec := harness.StartRecorder(t, "-o", o.path, "-e", "work", "-p", strconv.Itoa(idle.Process.Pid))
	harness.WaitFor(t, func() bool { return o.begun(rec.PID()) })
	time.Sleep(700 * time.Millisecond) // longer than between writes
	rec.Kill()
	o.wantAt(t, o.path, "trace.arrow")
}

// TestOlderTraceEmpty: a recording without an event is a trace. The older one is kept however often
// that happens.
func TestOlderTraceEmpty(t *testing.T) {
	harness.NeedKernel(t)
	o := newOlderTrace(t)
	idle, _ := harness.Start(t, harness.Program(t, "idle", idleProgram))
	for range 2 {
		_, stderr, status := harness.Utrace(t, "record", "-o", o.path, "-d", "300ms", "-e", "work", "-p", strconv.Itoa(idle.Process.Pid))
		if status != 0 || !strings.Contains(stderr, "no call was seen") {
			t.Errorf("status %d\n%s", status, stderr)
		}
		harness.Validate(t, o.path)
		if n := len(harness.Analyze(t, o.path).Calls()); n != 0 {
			t.Errorf("%d functions", n)
		}
		o.wantAt(t, o.path+".old", "trace.arrow", "trace.arrow.old")
	}
}

// TestOlderTraceInPlace: the trace has its name while it is recorded, from the first events on.
func TestOlderTraceInPlace(t *testing.T) {
	harness.NeedKernel(t)
	o := newOlderTrace(t)
	service, _ := harness.Start(t, harness.Target(t, "service.c", "-O0"))
	rec := harness.StartRecorder(t, "-o", o.path, "-e", "serve", "-p", strconv.Itoa(service.Process.Pid))
	harness.WaitFor(t, func() bool { return harness.Written(o.path + ".old") })
	if calls := harness.Analyze(t, o.path).Calls(); calls["serve"] == 0 {
		t.Errorf("calls %v", calls)
	}
	rec.Stop(t)
	harness.Validate(t, o.path)
	o.wantAt(t, o.path+".old", "trace.arrow", "trace.arrow.old")
}

const idleProgram = `#include <unistd.h>
__attribute__((noinline)) int work(int x) { return x + 1; }
int main(int argc, char **argv) { for (;;) pause(); return work(argc); }`

// TestTraceRemoved: the trace is removed while it is written, or other recordings to the same path
// replace it. The summary says where it is.
func TestTraceRemoved(t *testing.T) {
	harness.NeedKernel(t)
	bin := harness.Target(t, "ticks.c", "-O0")
	ticks, _ := harness.Start(t, bin, "1000000")
	path := filepath.Join(t.TempDir(), "trace.arrow")
	record := func() *harness.Recorder {
		rec := harness.StartRecorder(t, "-o", path, "-e", "tick", "-p", strconv.Itoa(ticks.Process.Pid))
		deadline := time.Now().Add(20 * time.Second)
		for !harness.Written(path) && time.Now().Before(deadline) {
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(300 * time.Millisecond) // for some calls
		return rec
	}
	calls := func(file string) uint64 { return harness.Analyze(t, file).Calls()["tick"] }

	rec := record()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if stderr := rec.Stop(t); calls(path) == 0 {
		t.Errorf("removed: %s", stderr)
	}

	remove := func() {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	remove() // Written waits for the next one
	first := record()
	remove()
	second := record()
	secondErr, firstErr := second.Stop(t), first.Stop(t)
	if strings.Contains(secondErr, "warning") || calls(path) == 0 {
		t.Errorf("second: %s", secondErr)
	}
	if want := "warning: " + path + " was removed or replaced while recording: the trace is in " + path + ".1\n"; !strings.Contains(firstErr, want) || calls(path+".1") == 0 {
		t.Errorf("no %q in\n%s", want, firstErr)
	}
}
